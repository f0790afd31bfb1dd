import type { Clock } from '../../base/clock.ts';
import {
  CheckpointExpiredError,
  InvariantError,
  NotConnectedError,
  OwnershipLostError,
  RateLimitedError,
  SchemaChangedError,
  SyncError,
} from '../../base/errors.ts';
import { isRetryable } from '../../base/retry.ts';

/** One sync of a stream cannot go on for now; the others can, without it. */
export class SyncAsideError extends Error {
  readonly sync: string;
  override readonly cause: SyncError;

  constructor(sync: string, cause: SyncError) {
    super(cause.message, { cause });
    this.name = 'SyncAsideError';
    this.sync = sync;
    this.cause = cause;
  }
}

/** Does a part of the stream's work that is one sync's own. @throws {SyncAsideError} no other sync need mind what went wrong */
export async function ofSync<T>(sync: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof SyncError && !isRetryable(error) && !concernsAll(error) ? new SyncAsideError(sync, error) : error;
  }
}

/** Whether what went wrong for one sync is no other for the next one of the same two systems. */
export function concernsAll(error: unknown): boolean {
  return (
    !(error instanceof SyncError) ||
    error instanceof NotConnectedError ||
    error instanceof RateLimitedError ||
    error instanceof OwnershipLostError ||
    error instanceof CheckpointExpiredError ||
    error instanceof InvariantError
  );
}

/** What no retry mends by itself, a missing right say, may be mended by somebody. */
export const REFUSED_MS = 600_000;
const PASSING_MS = 60_000;

/** The syncs of a stream that stand aside, and until when. */
export class Aside {
  readonly #clock: Clock;
  readonly #syncs = new Map<string, { readonly reason: string; readonly untilMs: number }>();
  readonly #rediscoveredMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  put(sync: string, error: SyncError): void {
    const untilMs = this.#clock.now() + (isRetryable(error) ? PASSING_MS : REFUSED_MS);
    this.#syncs.set(sync, { reason: error.message, untilMs });
  }

  /** Whether it need not stand aside: what its source looks like was discovered long ago, and is discovered anew first. */
  isForgiven(sync: string, error: SyncError): boolean {
    const now = this.#clock.now();
    const lastMs = this.#rediscoveredMs.get(sync) ?? Number.NEGATIVE_INFINITY;
    if (!(error instanceof SchemaChangedError) || now - lastMs < REFUSED_MS) return false;
    this.#rediscoveredMs.set(sync, now);
    return true;
  }

  /** Their time has come: all that are named here are not to be tried yet. */
  waiting(): ReadonlySet<string> {
    for (const [sync, { untilMs }] of this.#syncs) if (untilMs <= this.#clock.now()) this.#syncs.delete(sync);
    return new Set(this.#syncs.keys());
  }

  /** When the next one is to be tried again. */
  get untilMs(): number {
    return Math.min(...[...this.#syncs.values()].map(({ untilMs }) => untilMs));
  }

  get reasons(): { readonly [sync: string]: string } {
    return Object.fromEntries([...this.#syncs].map(([sync, { reason }]) => [sync, reason]));
  }

  clear(): void {
    this.#syncs.clear();
  }
}
