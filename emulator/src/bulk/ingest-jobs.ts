import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as letOthersRun } from 'node:timers/promises';
import type { FilePage } from '../http/api-types.ts';
import { badRequest } from '../http/errors.ts';
import { makeId } from '../org/ids.ts';
import type { Org } from '../org/types.ts';
import { delimiterOf, lineBreakOf } from './csv-format.ts';
import {
  type IngestJob,
  type IngestPace,
  type IngestState,
  type IngestTrouble,
  isFinalState,
  JobFailure,
  type NewIngestJob,
} from './ingest-types.ts';
import {
  headerOf,
  type IngestProgress,
  openResults,
  orderOfBatches,
  type ResultFiles,
  unprocessedLines,
  work,
} from './ingest-work.ts';
import { createResultFile, quotedLine } from './result-file.ts';
import { openUpload, type UploadFile, type UploadWriter } from './upload-file.ts';

/** Jobs and their results are kept for seven days, open ones for one (Bulk API 2.0 Developer Guide, "Limits"). */
const keptMs = 7 * 24 * 60 * 60 * 1000;
const openMs = 24 * 60 * 60 * 1000;

export interface IngestOptions {
  /** Bytes of one upload at most. */
  bytesMax?: number;
  pace?: IngestPace;
  /** How long a job waits for its turn, by the org's clock. */
  delayMs?: number;
  /** The org's daily batches; absent, they never run out. */
  batches?: BatchAllowance;
  /** The org as a user sees it; absent, everybody sees all of it. */
  orgAs?: (userId: string) => Org;
}

/** The org's daily Bulk API batches. */
export interface BatchAllowance {
  /** Takes this many off the allocation; false when it does not hold so many. */
  spend(batches: number): boolean;
}

export type IngestResult = 'successful' | 'failed' | 'unprocessed';

/** The Bulk API 2.0 ingest jobs of an org. */
export interface IngestJobs {
  bytesMax: number;
  pace: IngestPace;
  delayMs: number;
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

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A job and what the server keeps of it. */
interface Entry {
  readonly job: Mutable<IngestJob>;
  readonly seed: number;
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

export function createIngestJobs(org: Org, options: IngestOptions = {}): IngestJobs {
  const entries = new Map<string, Entry>();
  let directory: string | undefined;
  let created = 0;
  let closed = false;

  const pathFor = () => {
    directory ??= mkdtempSync(join(tmpdir(), 'tidemark-emulator-'));
    return join(directory, randomUUID());
  };
  const move = ({ job }: Entry, state: IngestState) => {
    job.state = state;
    job.changedAtMs = org.clock.now();
  };

  function live(id: string): Entry | undefined {
    const entry = entries.get(id);
    if (!entry) return undefined;
    const age = org.clock.now() - entry.job.createdAtMs;
    if (age >= keptMs) {
      forget(entry);
      return undefined;
    }
    if (entry.job.state === 'Open' && age >= openMs) {
      fail(entry, 'InvalidJobState : The job was open for more than 24 hours');
    }
    return entry;
  }

  function known(id: string): Entry {
    const entry = live(id);
    if (!entry) throw new Error(`there is no ingest job '${id}'`);
    return entry;
  }

  function forget(entry: Entry): void {
    entries.delete(entry.job.id);
    entry.running = undefined;
    closeFiles(entry);
    for (const suffix of ['', '.successful', '.failed', '.unprocessed']) rmSync(entry.path + suffix, { force: true });
  }

  function closeFiles({ files }: Entry): void {
    files?.successful.close();
    files?.failed.close();
  }

  // --- the life of a job ---

  function end(entry: Entry, state: 'JobComplete' | 'Failed' | 'Aborted'): void {
    entry.running = undefined;
    count(entry);
    closeFiles(entry);
    if (entry.completedAtMs > 0) entry.job.processingMs = org.clock.now() - entry.completedAtMs;
    move(entry, state);
  }

  function fail(entry: Entry, errorMessage: string): void {
    entry.job.errorMessage = errorMessage;
    end(entry, 'Failed');
  }

  function count({ job, progress }: Entry): void {
    job.recordsProcessed = progress?.processed ?? 0;
    job.recordsFailed = progress?.failed ?? 0;
  }

  const isDue = ({ completedAtMs, trouble }: Entry) => org.clock.now() - completedAtMs >= (trouble.delayMs ?? jobs.delayMs);

  function begin(entry: Entry): void {
    const { job, upload, seed, path, trouble } = entry;
    move(entry, 'InProgress');
    if (!upload) {
      fail(entry, 'InvalidBatch : No content was uploaded');
      return;
    }
    const progress: IngestProgress = {
      processed: 0,
      failed: 0,
      batches: orderOfBatches(upload, seed),
      batchesDone: 0,
      recordsDone: 0,
    };
    const files = openResults(path, seed);
    Object.assign(entry, { progress, files });
    const spendBatch = () => options.batches?.spend(1) ?? true;
    entry.running = work({ job, upload, org: options.orgAs?.(job.userId) ?? org, progress, files, trouble, spendBatch });
  }

  /** One transaction of 200 records. Says what it ended, or `'over'` when there is no more to do. */
  function advance(entry: Entry): 'slice' | 'batch' | 'over' {
    if (!entry.running || endedByTrouble(entry)) return 'over';
    try {
      const { done, value } = entry.running.next();
      count(entry);
      if (done) end(entry, 'JobComplete');
      return done ? 'over' : value;
    } catch (error) {
      entry.withoutRest = error instanceof JobFailure && error.withoutRest;
      fail(entry, error instanceof JobFailure ? error.message : `UnknownError : ${unexpected(error)}`);
      return 'over';
    }
  }

  function endedByTrouble(entry: Entry): boolean {
    const { end: planned } = entry.trouble;
    if (!planned || (entry.progress?.processed ?? 0) < planned.afterRecords) return false;
    entry.job.retries = planned.retries;
    if (planned.state === 'Failed') fail(entry, planned.errorMessage);
    else end(entry, 'Aborted');
    return true;
  }

  /** Lets other requests in between two transactions; ends with the job, or when somebody else is to move it on. */
  async function runInBackground(entry: Entry): Promise<void> {
    await letOthersRun();
    while (isMoving(entry) && jobs.pace === 'background' && !closed) {
      if (entry.running) advance(entry);
      else begin(entry);
      await letOthersRun();
    }
  }

  const isMoving = ({ job, running }: Entry) => job.state === 'UploadComplete' || running !== undefined;

  /** A disk that is full must not end the process. */
  function failedInBackground(entry: Entry, error: unknown): void {
    if (!isFinalState(entry.job.state)) fail(entry, `UnknownError : ${unexpected(error)}`);
  }

  /** Begins a job, or goes on with it until `enough`. */
  function goOn(entry: Entry, enough: (how: 'slice' | 'batch' | 'over') => boolean): void {
    if (entry.job.state === 'UploadComplete') {
      begin(entry);
      return;
    }
    while (entry.running && !enough(advance(entry)));
    // With its last record a job is over.
    if (entry.progress?.processed === entry.upload?.records) while (entry.running) advance(entry);
  }

  /** What the pace says is to be done now. */
  function pursue(entry: Entry): void {
    if (!isMoving(entry) || (entry.job.state === 'UploadComplete' && !isDue(entry))) return;
    if (jobs.pace === 'background') {
      entry.inBackground ??= runInBackground(entry)
        .catch((error: unknown) => failedInBackground(entry, error))
        .finally(() => {
          entry.inBackground = undefined;
        });
    } else if (jobs.pace === 'immediate') {
      if (!entry.running) begin(entry);
      while (entry.running) advance(entry);
    }
  }

  // --- what clients ask for ---

  function requireOpen(entry: Entry): void {
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

  async function renderUnprocessed(entry: Entry): Promise<FilePage> {
    const { job, upload, progress, withoutRest } = entry;
    if (!upload || withoutRest) return emptyPage(entry);
    const file = createResultFile(`${entry.path}.unprocessed`, entry.seed + 2);
    const from = progress ?? { processed: 0, failed: 0, batches: upload.batches, batchesDone: 0, recordsDone: 0 };
    for (const lines of unprocessedLines(upload, job, from)) {
      for (const line of lines) file.add(line);
      file.flush();
      await letOthersRun();
    }
    file.close();
    return file.page(headOf(entry, []));
  }

  const emptyPage = (entry: Entry): FilePage => ({ path: entry.path, head: headOf(entry, []), start: 0, end: 0 });

  /** Header cells as uploaded, behind those of the server in quotes (recorded: results of an Opportunity job). */
  function headOf({ job, upload }: Entry, own: readonly string[]): Buffer {
    let header: readonly string[] = [];
    try {
      if (upload) header = headerOf(upload, job);
    } catch (error) {
      if (!(error instanceof JobFailure)) throw error;
    }
    const cells = [...own.map((name) => quotedLine([name], '', '')), ...header];
    return Buffer.from(cells.length === 0 ? '' : cells.join(delimiterOf(job.columnDelimiter)) + lineBreakOf(job.lineEnding));
  }

  const jobs: IngestJobs = {
    bytesMax: options.bytesMax ?? bytesMaxDefault,
    pace: options.pace ?? 'background',
    delayMs: options.delayMs ?? 0,
    create(spec) {
      created += 1;
      const now = org.clock.now();
      const job: IngestJob = {
        ...spec,
        id: makeId('750', `${org.id.slice(3, 5)}`, ingestIdsFrom + created),
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
      entries.set(job.id, {
        job,
        seed: seedOf(job.id),
        path: pathFor(),
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
      });
      return job;
    },
    find: (id) => live(id)?.job,
    list: () => [...entries.keys()].flatMap((id) => live(id)?.job ?? []),
    receive,
    complete(id) {
      const entry = known(id);
      if (entry.job.state !== 'Open') throw endedAlready('Closing', entry.job.state);
      if (entry.receiving) throw badRequest('INVALIDJOBSTATE', 'The upload of the job has not ended yet');
      entry.completedAtMs = org.clock.now();
      move(entry, 'UploadComplete');
      pursue(entry);
    },
    abort(id) {
      const entry = known(id);
      if (isFinalState(entry.job.state)) throw endedAlready('Aborting', entry.job.state);
      end(entry, 'Aborted');
    },
    poll(id) {
      const entry = live(id);
      if (!entry) return undefined;
      if (jobs.pace !== 'poll') pursue(entry);
      else if (entry.job.state !== 'UploadComplete' || isDue(entry)) goOn(entry, (how) => how !== 'slice');
      return entry.job;
    },
    step(id, records = Number.POSITIVE_INFINITY) {
      const entry = known(id);
      const wanted = entry.job.recordsProcessed + records;
      goOn(entry, () => entry.job.recordsProcessed >= wanted);
      return entry.job;
    },
    trouble(id, trouble) {
      const entry = known(id);
      if (isFinalState(entry.job.state)) return;
      // The work holds the object: it is told of what comes later, too.
      Object.assign(entry.trouble, trouble);
      if (entry.job.state !== 'Open') endedByTrouble(entry);
    },
    async results(id, which) {
      const entry = known(id);
      if (!isFinalState(entry.job.state)) {
        throw badRequest('INVALIDJOBSTATE', `Results are not available: the job is in state ${entry.job.state}`);
      }
      if (which === 'unprocessed') {
        entry.unprocessed ??= renderUnprocessed(entry);
        return entry.unprocessed;
      }
      const head = headOf(entry, ['sf__Id', which === 'failed' ? 'sf__Error' : 'sf__Created']);
      return entry.files ? entry.files[which].page(head) : { ...emptyPage(entry), head };
    },
    delete(id) {
      const entry = known(id);
      if (entry.job.state === 'Open' || entry.job.state === 'InProgress') {
        throw badRequest('API_ERROR', 'Error encountered when deleting the job because the job is not terminated');
      }
      forget(entry);
    },
    async close() {
      closed = true;
      stopWaiting();
      await Promise.all([...entries.values()].map((entry) => entry.inBackground));
      for (const entry of [...entries.values()]) {
        await entry.unprocessed;
        forget(entry);
      }
      if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
      directory = undefined;
    },
  };
  const stopWaiting = org.clock.onMove(() => {
    for (const id of [...entries.keys()]) {
      const entry = live(id);
      if (entry?.job.state === 'UploadComplete') pursue(entry);
    }
  });
  return jobs;
}

/** Query jobs count from one; both have the same prefix. */
const ingestIdsFrom = 62 ** 6;

/** Clients that hurry and clients that repeat themselves both come here. */
function endedAlready(what: string, state: IngestState) {
  const name = state === 'Aborted' || state === 'Failed' ? state : 'Completed';
  return badRequest('INVALIDJOBSTATE', `${what} already ${name} Job not allowed`);
}

/** Bulk API 1.0 words it so; for 2.0 only the limit is documented. */
export function tooLarge(bytesMax: number) {
  return badRequest('CLIENTINPUTERROR', `Failed to read request. Exceeded max size limit of ${bytesMax}`);
}

function unexpected(error: unknown): string {
  process.stderr.write(`emulator: ingest job: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return error instanceof Error ? error.message : String(error);
}

/** Everything random about a job follows from its id, and that from the org's seed. */
function seedOf(id: string): number {
  let hash = 17;
  for (const character of id) hash = (Math.imul(hash, 31) + character.charCodeAt(0)) >>> 0;
  return hash;
}
