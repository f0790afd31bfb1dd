import { setImmediate as letOthersRun } from 'node:timers/promises';
import type { Org } from '../org/types.ts';
import type { IngestEntry } from './ingest-entry.ts';
import { type IngestPace, type IngestState, isFinalState, JobFailure } from './ingest-types.ts';
import { type IngestProgress, openResults, orderOfBatches, work } from './ingest-work.ts';

/** How jobs are worked on. Tests change it while they run. */
export interface IngestSettings {
  pace: IngestPace;
  delayMs: number;
}

export interface RunnerOptions {
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

/** Moves jobs through their states. */
export interface IngestRunner {
  /** The upload is complete: the job waits for its turn. */
  complete(entry: IngestEntry): void;
  /** Whatever is to be done now: by the server itself, */
  pursue(entry: IngestEntry): void;
  /** because a client asks for the job, */
  poll(entry: IngestEntry): void;
  /** or by hand: begins it, or does as many records at least. */
  step(entry: IngestEntry, records: number): void;
  end(entry: IngestEntry, state: 'JobComplete' | 'Failed' | 'Aborted'): void;
  fail(entry: IngestEntry, errorMessage: string): void;
  /** Ends the job if the trouble that it is in says so by now. */
  endedByTrouble(entry: IngestEntry): boolean;
  /** Work in the background ends after the transaction at hand. */
  stop(): void;
}

export function createIngestRunner(org: Org, settings: IngestSettings, options: RunnerOptions): IngestRunner {
  let stopped = false;

  const move = ({ job }: IngestEntry, state: IngestState) => {
    job.state = state;
    job.changedAtMs = org.clock.now();
  };

  function end(entry: IngestEntry, state: 'JobComplete' | 'Failed' | 'Aborted'): void {
    entry.running = undefined;
    count(entry);
    closeFiles(entry);
    if (entry.completedAtMs > 0) entry.job.processingMs = org.clock.now() - entry.completedAtMs;
    move(entry, state);
  }

  function fail(entry: IngestEntry, errorMessage: string): void {
    entry.job.errorMessage = errorMessage;
    end(entry, 'Failed');
  }

  function count({ job, progress }: IngestEntry): void {
    job.recordsProcessed = progress?.processed ?? 0;
    job.recordsFailed = progress?.failed ?? 0;
  }

  const isDue = ({ completedAtMs, trouble }: IngestEntry) =>
    org.clock.now() - completedAtMs >= (trouble.delayMs ?? settings.delayMs);

  function begin(entry: IngestEntry): void {
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
  function advance(entry: IngestEntry): 'slice' | 'batch' | 'over' {
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

  function endedByTrouble(entry: IngestEntry): boolean {
    const { end: planned } = entry.trouble;
    if (!planned || (entry.progress?.processed ?? 0) < planned.afterRecords) return false;
    entry.job.retries = planned.retries;
    if (planned.state === 'Failed') fail(entry, planned.errorMessage);
    else end(entry, 'Aborted');
    return true;
  }

  /** Lets other requests in between two transactions; ends with the job, or when somebody else is to move it on. */
  async function runInBackground(entry: IngestEntry): Promise<void> {
    await letOthersRun();
    while (isMoving(entry) && settings.pace === 'background' && !stopped) {
      if (entry.running) advance(entry);
      else begin(entry);
      await letOthersRun();
    }
  }

  const isMoving = ({ job, running }: IngestEntry) => job.state === 'UploadComplete' || running !== undefined;

  /** A disk that is full must not end the process. */
  function failedInBackground(entry: IngestEntry, error: unknown): void {
    if (!isFinalState(entry.job.state)) fail(entry, `UnknownError : ${unexpected(error)}`);
  }

  /** Begins a job, or goes on with it until `enough`. */
  function goOn(entry: IngestEntry, enough: (how: 'slice' | 'batch' | 'over') => boolean): void {
    if (entry.job.state === 'UploadComplete') {
      begin(entry);
      return;
    }
    while (entry.running && !enough(advance(entry)));
    // With its last record a job is over.
    if (entry.progress?.processed === entry.upload?.records) while (entry.running) advance(entry);
  }

  /** What the pace says is to be done now. */
  function pursue(entry: IngestEntry): void {
    if (!isMoving(entry) || (entry.job.state === 'UploadComplete' && !isDue(entry))) return;
    if (settings.pace === 'background') {
      entry.inBackground ??= runInBackground(entry)
        .catch((error: unknown) => failedInBackground(entry, error))
        .finally(() => {
          entry.inBackground = undefined;
        });
    } else if (settings.pace === 'immediate') {
      if (!entry.running) begin(entry);
      while (entry.running) advance(entry);
    }
  }

  return {
    complete(entry) {
      entry.completedAtMs = org.clock.now();
      move(entry, 'UploadComplete');
      pursue(entry);
    },
    pursue,
    poll(entry) {
      if (settings.pace !== 'poll') pursue(entry);
      else if (entry.job.state !== 'UploadComplete' || isDue(entry)) goOn(entry, (how) => how !== 'slice');
    },
    step(entry, records) {
      const wanted = entry.job.recordsProcessed + records;
      goOn(entry, () => entry.job.recordsProcessed >= wanted);
    },
    end,
    fail,
    endedByTrouble,
    stop() {
      stopped = true;
    },
  };
}

export function closeFiles({ files }: IngestEntry): void {
  files?.successful.close();
  files?.failed.close();
}

function unexpected(error: unknown): string {
  process.stderr.write(`emulator: ingest job: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return error instanceof Error ? error.message : String(error);
}
