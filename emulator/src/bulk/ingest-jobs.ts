import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FilePage } from '../http/api-types.ts';
import { badRequest } from '../http/errors.ts';
import type { Org } from '../org/types.ts';
import { delimiterOf } from './csv-format.ts';
import { createEntry, type IngestEntry } from './ingest-entry.ts';
import { type IngestResult, resultPage } from './ingest-results.ts';
import { closeFiles, createIngestRunner, type IngestSettings, type RunnerOptions } from './ingest-runner.ts';
import {
  type IngestJob,
  type IngestPace,
  type IngestState,
  type IngestTrouble,
  isFinalState,
  type NewIngestJob,
} from './ingest-types.ts';
import { openUpload, type UploadWriter } from './upload-file.ts';

/** Jobs and their results are kept for seven days, open ones for one (Bulk API 2.0 Developer Guide, "Limits"). */
const keptMs = 7 * 24 * 60 * 60 * 1000;
const openMs = 24 * 60 * 60 * 1000;

export interface IngestOptions extends RunnerOptions {
  /** Bytes of one upload at most. */
  bytesMax?: number;
  pace?: IngestPace;
  /** How long a job waits for its turn, by the org's clock. */
  delayMs?: number;
}

/** The Bulk API 2.0 ingest jobs of an org. */
export interface IngestJobs extends IngestSettings {
  bytesMax: number;
  create(job: NewIngestJob): IngestJob;
  find(id: string): IngestJob | undefined;
  /** In the order in which they were created. */
  list(): IngestJob[];
  /**
   * Takes a job's content, once.
   * @throws {SalesforceError} when the job is not open, has its content already, or there is too much of it.
   */
  receive(id: string, content: AsyncIterable<Uint8Array>): Promise<void>;
  /** The upload is complete: the job waits for its turn. @throws {SalesforceError} */
  complete(id: string): void;
  /** What is done stays done. @throws {SalesforceError} */
  abort(id: string): void;
  /** A client asks for the state: with the pace `poll`, and after a delay, that is what moves a job on. */
  poll(id: string): IngestJob | undefined;
  /** Moves a job on by hand: to `InProgress` first, then by as many records at least (all, unless told). */
  step(id: string, records?: number): IngestJob;
  /** Makes things go wrong with a job that has not ended. */
  trouble(id: string, trouble: IngestTrouble): void;
  /** A file of results. @throws {SalesforceError} while the job has not ended. */
  results(id: string, which: IngestResult): Promise<FilePage>;
  delete(id: string): void;
  /** Stops all work and removes every file. */
  close(): Promise<void>;
}

const bytesMaxDefault = 150_000_000;

export function createIngestJobs(org: Org, options: IngestOptions = {}): IngestJobs {
  const entries = new Map<string, IngestEntry>();
  let directory: string | undefined;
  let created = 0;

  const pathFor = () => {
    directory ??= mkdtempSync(join(tmpdir(), 'tidemark-emulator-'));
    return join(directory, randomUUID());
  };
  function live(id: string): IngestEntry | undefined {
    const entry = entries.get(id);
    if (!entry) return undefined;
    const age = org.clock.now() - entry.job.createdAtMs;
    if (age >= keptMs) {
      forget(entry);
      return undefined;
    }
    if (entry.job.state === 'Open' && age >= openMs) {
      runner.fail(entry, 'InvalidJobState : The job was open for more than 24 hours');
    }
    return entry;
  }

  function known(id: string): IngestEntry {
    const entry = live(id);
    if (!entry) throw new Error(`there is no ingest job '${id}'`);
    return entry;
  }

  function forget(entry: IngestEntry): void {
    entries.delete(entry.job.id);
    entry.running = undefined;
    closeFiles(entry);
    for (const suffix of ['', '.successful', '.failed', '.unprocessed']) rmSync(entry.path + suffix, { force: true });
  }

  function requireOpen(entry: IngestEntry): void {
    if (entry.job.state === 'Open') return;
    const message = `Job with id: ${entry.job.id} is not in Open state, but in ${entry.job.state}`;
    throw badRequest('INVALIDJOBSTATE', message);
  }

  async function receive(id: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const entry = known(id);
    requireOpen(entry);
    if (entry.upload || entry.receiving) {
      const message = `Found multiple contents for job: <${id}>, please 'Close' / 'Abort' / 'Delete' the current Job then create a new Job and make sure you only do 'PUT' once on a given Job.`;
      throw badRequest('INVALIDJOB', message);
    }
    entry.receiving = true;
    const writer = openUpload(entry.path, delimiterOf(entry.job.columnDelimiter));
    try {
      await take(content, writer);
      requireOpen(entry);
    } catch (error) {
      writer.discard();
      rmSync(entry.path, { force: true });
      throw error;
    } finally {
      entry.receiving = false;
    }
    entry.upload = writer.finish();
    entry.job.upload = { bytes: entry.upload.bytes, records: entry.upload.records };
  }

  async function take(content: AsyncIterable<Uint8Array>, writer: UploadWriter): Promise<void> {
    for await (const chunk of content) {
      if (writer.bytes + chunk.length > jobs.bytesMax) throw tooLarge(jobs.bytesMax);
      writer.write(chunk);
    }
  }

  const jobs: IngestJobs = {
    bytesMax: options.bytesMax ?? bytesMaxDefault,
    pace: options.pace ?? 'background',
    delayMs: options.delayMs ?? 0,
    create(spec) {
      created += 1;
      const entry = createEntry(org, spec, created, pathFor());
      entries.set(entry.job.id, entry);
      return entry.job;
    },
    find: (id) => live(id)?.job,
    list: () => [...entries.keys()].flatMap((id) => live(id)?.job ?? []),
    receive,
    complete(id) {
      const entry = known(id);
      if (entry.job.state !== 'Open') throw endedAlready('Closing', entry.job.state);
      if (entry.receiving) throw badRequest('INVALIDJOBSTATE', 'The upload of the job has not ended yet');
      runner.complete(entry);
    },
    abort(id) {
      const entry = known(id);
      if (isFinalState(entry.job.state)) throw endedAlready('Aborting', entry.job.state);
      runner.end(entry, 'Aborted');
    },
    poll(id) {
      const entry = live(id);
      if (!entry) return undefined;
      runner.poll(entry);
      return entry.job;
    },
    step(id, records = Number.POSITIVE_INFINITY) {
      const entry = known(id);
      runner.step(entry, records);
      return entry.job;
    },
    trouble(id, trouble) {
      const entry = known(id);
      if (isFinalState(entry.job.state)) return;
      // The work holds the object: it is told of what comes later, too.
      Object.assign(entry.trouble, trouble);
      if (entry.job.state !== 'Open') runner.endedByTrouble(entry);
    },
    async results(id, which) {
      const entry = known(id);
      if (!isFinalState(entry.job.state)) {
        throw badRequest('INVALIDJOBSTATE', `Results are not available: the job is in state ${entry.job.state}`);
      }
      return resultPage(entry, which);
    },
    delete(id) {
      const entry = known(id);
      if (entry.job.state === 'Open' || entry.job.state === 'InProgress') {
        throw badRequest('API_ERROR', 'Error encountered when deleting the job because the job is not terminated');
      }
      forget(entry);
    },
    async close() {
      runner.stop();
      stopWaiting();
      await Promise.all([...entries.values()].map((entry) => entry.inBackground));
      for (const entry of [...entries.values()]) {
        await entry.unprocessed?.catch(() => {});
        forget(entry);
      }
      if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
      directory = undefined;
    },
  };
  const stopWaiting = org.clock.onMove(() => {
    for (const id of [...entries.keys()]) {
      const entry = live(id);
      if (entry?.job.state === 'UploadComplete') runner.pursue(entry);
    }
  });
  const runner = createIngestRunner(org, jobs, options);
  return jobs;
}

/** Clients that hurry and clients that repeat themselves both come here. */
function endedAlready(what: string, state: IngestState) {
  const name = state === 'Aborted' || state === 'Failed' ? state : 'Completed';
  return badRequest('INVALIDJOBSTATE', `${what} already ${name} Job not allowed`);
}

/** Bulk API 1.0 words it so; for 2.0 only the limit is documented. */
export function tooLarge(bytesMax: number) {
  return badRequest('CLIENTINPUTERROR', `Failed to read request. Exceeded max size limit of ${bytesMax}`);
}
