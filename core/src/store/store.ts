import type { Checkpoints } from '../model/connector.ts';
import type { Row } from '../model/value.ts';
import type { AccessStore } from './access-store.ts';
import type { CallStore } from './call-store.ts';
import type { JournalStore } from './journal-store.ts';
import type { LinkStore } from './links.ts';
import type { NotificationStore } from './notification-store.ts';
import type { OrgStore } from './org-store.ts';
import type { WorkerStore } from './workers.ts';

export type RunKind = 'delta' | 'full' | 'retry' | 'replay';
export type RunState = 'running' | 'succeeded' | 'failed' | 'stopped';

/** Records of one run, by what became of them. */
export interface Counts {
  readonly read: number;
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly deleted: number;
  readonly failed: number;
  /** Rows that a filter or a step took out. */
  readonly dropped: number;
}

/** One execution of a sync. Times are epoch ms by our own clock; the window is by the source's. */
export interface Run {
  readonly id: string;
  readonly sync: string;
  readonly kind: RunKind;
  readonly state: RunState;
  readonly startedAtMs: number;
  readonly finishedAtMs: number | null;
  readonly windowFromMs: number | null;
  readonly windowToMs: number | null;
  readonly counts: Counts;
  /** Why it failed: code, message, hint of the error. */
  readonly error: { readonly code: string; readonly message: string; readonly hint?: string } | null;
  /** The `onFailure: hold` rule: the key of the record that keeps the window open. */
  readonly heldBy: string | null;
}

/** How a sync stands, in short. */
export interface Summary {
  readonly paused: boolean;
  readonly lastRun: Run | null;
  readonly lastSuccess: Run | null;
  readonly openFailures: number;
  readonly openConflicts: number;
}

/** One record that a target refused, kept until it succeeds or is discarded (P2). One open failure per sync and key. */
export interface Failure {
  readonly id: string;
  readonly sync: string;
  readonly key: string;
  /** The latest change of the record: later changes, deletes too, merge into it. */
  readonly op: 'upsert' | 'delete';
  readonly row: Row | null;
  readonly stampMs: number;
  readonly code: string;
  readonly message: string;
  /** Where it went wrong: `target`, or the step's name. */
  readonly place: string;
  readonly attempts: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly nextAttemptAtMs: number;
}

export type NewFailure = Omit<Failure, 'id' | 'attempts' | 'firstAtMs'>;

/** What was written lately to a target that cannot compare: enough to recognise the overlap's re-reads. */
export interface Seen {
  readonly key: string;
  readonly stampMs: number;
  readonly hash: string;
}

/** Of units that several processes may work on in turn: one can find out whether another has taken it over, and leave it to that one. */
export interface StoreCheckpoints extends Checkpoints {
  /**
   * @param from  takes it over from the owner by this epoch alone; 0: as long as nobody has owned it
   * @throws {OwnershipLostError} somebody else has taken it over since: nothing was changed (P11)
   */
  acquire(unit: string, signal?: AbortSignal, from?: number): ReturnType<Checkpoints['acquire']>;
  /** By which it is owned; 0 as long as nobody has owned it. */
  epoch(unit: string): Promise<number>;
}

/**
 * Everything durable that is not in a target: runs, failures, pauses, and the checkpoints of targets that cannot keep their own.
 * Two implementations, SQLite and Postgres, behind this one interface and one contract suite. Every method is atomic.
 */
export interface Store extends AsyncDisposable {
  readonly checkpoints: StoreCheckpoints;
  /** Events as they came, of syncs that keep them. */
  readonly journal: JournalStore;
  readonly links: LinkStore;
  readonly calls: CallStore;
  readonly orgs: OrgStore;
  readonly access: AccessStore;
  /** What is wrong and was told to whoever wants to know. */
  readonly notifications: NotificationStore;
  /** Who runs what, where several processes share it. */
  readonly workers: WorkerStore;

  startRun(run: Pick<Run, 'sync' | 'kind' | 'startedAtMs'>): Promise<string>;
  /** Progress while it runs, and its end. */
  updateRun(id: string, change: Partial<Omit<Run, 'id' | 'sync' | 'startedAtMs'>>): Promise<void>;
  /** Newest first; those before one of them, where that is named. */
  runs(filter: { sync?: string; limit?: number; before?: string }): Promise<readonly Run[]>;
  run(id: string): Promise<Run | null>;
  /** The newest run that succeeded in reading its window: a retry of single records covers none, and neither does a replay. */
  lastSuccess(sync: string): Promise<Run | null>;
  /** Of each sync whose newest run that read a window failed: that run. What runs now, or was stopped, says nothing yet. */
  failedRuns(): Promise<readonly Run[]>;
  /** How each sync stands, asked once for all of them, or for one alone. */
  summaries(of?: string): Promise<(sync: string) => Summary>;
  /** Marks runs that a crash left `running` as failed. Called by the owner of the sync. */
  closeAbandonedRuns(sync: string, atMs: number): Promise<void>;
  /** Forgets runs that ended before then, but for the last of each sync and its last success. @returns how many */
  trimRuns(finishedBeforeMs: number): Promise<number>;

  /** Adds or merges into the open failure of the same key: attempts + 1, first time and id kept. */
  putFailures(failures: readonly NewFailure[]): Promise<void>;
  /** A later change of failing records, as it would have been written: replaces the change, not the reason; spends no attempt. */
  mergeIntoFailures(sync: string, changes: readonly Pick<Failure, 'key' | 'op' | 'row' | 'stampMs'>[]): Promise<void>;
  /** Those that are tried next first; after an id (`0` for all of them), in the order of ids, so that pages miss none. */
  failures(filter: {
    sync?: string;
    dueAtMs?: number;
    ids?: readonly string[];
    keys?: readonly string[];
    afterId?: string;
    limit?: number;
  }): Promise<readonly Failure[]>;
  /** Keys of all open failures of a sync. */
  failingKeys(sync: string): Promise<ReadonlySet<string>>;
  countFailures(sync?: string): Promise<number>;
  /** They succeeded, or were discarded. */
  removeFailures(ids: readonly string[]): Promise<void>;
  /** Due at once, all of a sync's or these. */
  makeFailuresDue(filter: { sync?: string; ids?: readonly string[] }, atMs: number): Promise<number>;

  setPaused(sync: string, paused: boolean): Promise<void>;
  paused(sync: string): Promise<boolean>;
  pausedSyncs(): Promise<ReadonlySet<string>>;

  seen(sync: string, keys: readonly string[]): Promise<ReadonlyMap<string, Seen>>;
  /** Remembers, and forgets what is stamped before `keepFromMs`. */
  putSeen(sync: string, seen: readonly Seen[], keepFromMs: number): Promise<void>;

  /** The value that was kept first under this key, which is the given one if none was: what is made once stays the same (P1). */
  keepFirst(scope: string, key: string, value: string): Promise<string>;
  /** What was kept first; null when nothing was. */
  keptFirst(scope: string, key: string): Promise<string | null>;

  /** Small durable values by name: the SOQL watermark under a key, a confirmed org id. */
  getValue(name: string): Promise<string | null>;
  setValue(name: string, value: string | null): Promise<void>;
  /** The same of what is told anew every few seconds: nobody waits for the disk, and a power cut may forget it. */
  setPassingValue(name: string, value: string): Promise<void>;
  /** Those whose names begin so. */
  values(prefix: string): Promise<ReadonlyMap<string, string>>;

  /** Forgets a sync's checkpoint, seen values and paused flag; runs and failures stay. */
  reset(sync: string): Promise<void>;
}
