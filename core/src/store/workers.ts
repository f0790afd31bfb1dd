import type { Problem } from '../base/errors.ts';

/** A process that runs syncs, as it tells of itself. */
export interface Worker {
  /** For people: the machine and the process. */
  readonly name: string;
  readonly version: string;
  readonly startedAtMs: number;
  /** What it is configured to run, by name: hashes of that configuration. */
  readonly configured: Readonly<Record<string, string>>;
}

/** A worker that lives, as the others see it. */
export interface Peer {
  readonly id: string;
  readonly configured: Worker['configured'];
  /** When the first worker with this very configuration came, by the store's clock. */
  readonly configuredAtMs: number;
  /** It has not been heard of for longer than is usual: it may be gone in a moment. */
  readonly isLate: boolean;
}

/** What `status` tells of a worker that lives. */
export interface LiveWorker extends Omit<Worker, 'configured'> {
  readonly id: string;
  readonly owns: readonly string[];
}

/** How often a worker lets itself be heard. */
export const BEAT_MS = 2000;
/** Who was not heard of for so long owns nothing any more: the store itself ends the session, whatever has become of the process. */
export const SILENT_MS_MAX = 8000;
/** From here on a worker is late. */
export const LATE_MS = 3500;

/** Units of work, shared among the processes that keep their state in one place (P11). */
export interface WorkerStore {
  /** Whether processes can share what is kept here. Where they cannot, whoever joins owns whatever it takes. */
  readonly isShared: boolean;
  /** What keeps sessions from being what ownership rests on. */
  check(): Promise<readonly Problem[]>;
  /** @throws {SyncError} the store does not answer */
  join(worker: Worker): Promise<WorkerSession>;
  /** Those that live, the one that has been there for longest first. */
  workers(): Promise<readonly LiveWorker[]>;
}

/**
 * A worker's session at the store. What it takes belongs to it until it gives that up, leaves, or is not heard of for
 * `SILENT_MS_MAX`; nobody else gets it meanwhile. One session serves all units of a worker.
 */
export interface WorkerSession extends AsyncDisposable {
  readonly id: string;
  /** Aborts when the store has ended the session, as soon as that is known; all that it had belongs to others then. */
  readonly lost: AbortSignal;
  /** What it is configured to run has changed. */
  announce(configured: Worker['configured']): Promise<void>;
  /** Lets itself be heard. @returns who lives, oneself among them. @throws the session is lost */
  beat(): Promise<readonly Peer[]>;
  /** Takes of these units, in their order, up to `max` that nobody owns. @returns which it got */
  take(units: readonly string[], max: number): Promise<readonly string[]>;
  give(units: readonly string[]): Promise<void>;
  /** Gives everything up, so that others need not wait until it is missed. */
  leave(): Promise<void>;
}
