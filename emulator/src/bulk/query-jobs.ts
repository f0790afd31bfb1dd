import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeId } from '../org/ids.ts';
import { type Org, SalesforceError, type TableResult } from '../org/types.ts';
import { delimiterOf, type LineEnding, lineBreakOf } from './csv-format.ts';
import { type CsvFormat, type RenderedTable, renderCsv } from './render-csv.ts';

export type JobState = 'UploadComplete' | 'InProgress' | 'JobComplete' | 'Failed' | 'Aborted';

export interface NewJob {
  operation: 'query' | 'queryAll';
  object: string;
  query: string;
  apiVersion: number;
  columnDelimiter: string;
  lineEnding: LineEnding;
  userId: string;
}

export interface QueryJob extends NewJob {
  readonly id: string;
  readonly createdAtMs: number;
  changedAtMs: number;
  state: JobState;
  rowsProcessed: number;
  processingMs: number;
  errorMessage: string | undefined;
  result: RenderedTable | undefined;
}

/** Results are kept for seven days (Bulk API 2.0 Developer Guide, "Limits"). */
const keptMs = 7 * 24 * 60 * 60 * 1000;

/** The Bulk API 2.0 query jobs of an org, and the files that hold their results. */
export interface QueryJobs {
  /** Rows of a page when the client names no `maxRecords`. */
  pageRows: number;
  /** @throws {SalesforceError} when the query cannot run. */
  create(job: NewJob): QueryJob;
  /** A client asks for the state: jobs move on as they are looked at, and are complete once rendered. */
  poll(id: string): QueryJob | undefined;
  find(id: string): QueryJob | undefined;
  list(): QueryJob[];
  abort(job: QueryJob): void;
  fail(job: QueryJob, errorMessage: string): void;
  delete(job: QueryJob): void;
  /** Stops what is being rendered and removes every file. */
  close(): Promise<void>;
}

export const isFinal = (state: JobState): boolean => state === 'JobComplete' || state === 'Failed' || state === 'Aborted';

interface Work {
  job: QueryJob;
  stop: AbortController;
  done: Promise<void>;
}

/** @param orgAs  The org as a user sees it. */
export function createQueryJobs(org: Org, pageRows: number, orgAs: (userId: string) => Org = () => org): QueryJobs {
  const works = new Map<string, Work>();
  let directory: string | undefined;
  let created = 0;

  const pathFor = () => {
    directory ??= mkdtempSync(join(tmpdir(), 'tidemark-emulator-'));
    return join(directory, `${randomUUID()}.csv`);
  };
  const move = (job: QueryJob, state: JobState) => {
    job.state = state;
    job.changedAtMs = org.clock.now();
  };
  const forget = (work: Work) => {
    work.stop.abort();
    works.delete(work.job.id);
    void work.done.then(() => {
      if (work.job.result) rmSync(work.job.result.path, { force: true });
    });
  };
  const live = (id: string) => {
    const work = works.get(id);
    if (work && org.clock.now() - work.job.createdAtMs < keptMs) return work;
    if (work) forget(work);
    return undefined;
  };
  const end = (job: QueryJob, state: 'Aborted' | 'Failed') => {
    works.get(job.id)?.stop.abort();
    move(job, state);
  };

  return {
    pageRows,
    create(spec) {
      // Compiled first: a query that cannot run is refused, and no job is made of it.
      const table = orgAs(spec.userId).table(spec.query, { all: spec.operation === 'queryAll' });
      created += 1;
      const now = org.clock.now();
      const job: QueryJob = {
        ...spec,
        id: makeId('750', org.id.slice(3, 5), created),
        createdAtMs: now,
        changedAtMs: now,
        state: 'UploadComplete',
        rowsProcessed: 0,
        processingMs: 0,
        errorMessage: undefined,
        result: undefined,
      };
      const stop = new AbortController();
      works.set(job.id, { job, stop, done: render(job, table, pathFor(), stop.signal) });
      return job;
    },
    poll(id) {
      const job = live(id)?.job;
      if (!job || isFinal(job.state)) return job;
      if (job.state === 'UploadComplete') move(job, 'InProgress');
      else if (job.errorMessage !== undefined) move(job, 'Failed');
      else if (job.result) move(job, 'JobComplete');
      return job;
    },
    find: (id) => live(id)?.job,
    list: () => [...works.keys()].flatMap((id) => live(id)?.job ?? []),
    abort: (job) => end(job, 'Aborted'),
    fail(job, errorMessage) {
      job.errorMessage = errorMessage;
      end(job, 'Failed');
    },
    delete(job) {
      const work = works.get(job.id);
      if (work) forget(work);
    },
    async close() {
      const all = [...works.values()];
      for (const work of all) work.stop.abort();
      await Promise.all(all.map((work) => work.done));
      works.clear();
      if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
      directory = undefined;
    },
  };
}

/** Never rejects: how it ended is told by the job. */
async function render(job: QueryJob, table: TableResult, path: string, signal: AbortSignal): Promise<void> {
  const startedMs = performance.now();
  const format: CsvFormat = {
    delimiter: delimiterOf(job.columnDelimiter),
    lineEnding: lineBreakOf(job.lineEnding),
  };
  try {
    job.result = await renderCsv(table, path, format, signal, (rows) => {
      job.rowsProcessed = rows;
    });
  } catch (error) {
    rmSync(path, { force: true });
    if (signal.aborted) return;
    job.errorMessage = error instanceof SalesforceError ? `${error.errorCode} : ${error.message}` : `Unknown : ${String(error)}`;
  } finally {
    job.processingMs = Math.round(performance.now() - startedMs);
  }
}
