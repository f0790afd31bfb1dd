import type { FilePage } from '../http/api-types.ts';
import { makeId } from '../org/ids.ts';
import type { Org } from '../org/types.ts';
import type { IngestJob, IngestTrouble, NewIngestJob } from './ingest-types.ts';
import type { IngestProgress, ResultFiles } from './ingest-work.ts';
import type { UploadFile } from './upload-file.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A job and what the server keeps of it. */
export interface IngestEntry {
  readonly job: Mutable<IngestJob>;
  readonly seed: number;
  /** Of the upload; the results lie beside it. */
  readonly path: string;
  trouble: IngestTrouble;
  upload: UploadFile | undefined;
  receiving: boolean;
  completedAtMs: number;
  progress: IngestProgress | undefined;
  files: ResultFiles | undefined;
  /** The work, from when it begins until the job ends. */
  running: Generator<'slice' | 'batch', void> | undefined;
  inBackground: Promise<void> | undefined;
  unprocessed: Promise<FilePage> | undefined;
  withoutRest: boolean;
}

/** Query jobs count from one; both have the same prefix. */
const ingestIdsFrom = 62 ** 6;

/** @param count  Which of the org's ingest jobs it is. */
export function createEntry(org: Org, spec: NewIngestJob, count: number, path: string): IngestEntry {
  const now = org.clock.now();
  const id = makeId('750', org.id.slice(3, 5), ingestIdsFrom + count);
  const job: IngestJob = {
    ...spec,
    id,
    createdAtMs: now,
    changedAtMs: now,
    state: 'Open',
    errorMessage: undefined,
    recordsProcessed: 0,
    recordsFailed: 0,
    retries: 0,
    processingMs: 0,
    upload: undefined,
  };
  return {
    job,
    seed: seedOf(id),
    path,
    trouble: {},
    upload: undefined,
    receiving: false,
    completedAtMs: 0,
    progress: undefined,
    files: undefined,
    running: undefined,
    inBackground: undefined,
    unprocessed: undefined,
    withoutRest: false,
  };
}

/** Everything random about a job follows from its id, and that from the org's seed. */
function seedOf(id: string): number {
  let hash = 17;
  for (const character of id) hash = (Math.imul(hash, 31) + character.charCodeAt(0)) >>> 0;
  return hash;
}
