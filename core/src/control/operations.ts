import { randomUUID } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { RequestRefusedError, SyncError } from '../base/errors.ts';
import { scrub } from '../base/secrets.ts';
import type { Log } from '../model/log.ts';
import type { Progress } from '../pipeline/opened-sync.ts';

export type OperationKind = 'run' | 'retry' | 'refetch' | 'verify' | 'replay' | 'resolve' | 'plan' | 'write';

/** Work that somebody asked for and does not wait for. Of this process only: what it leaves is on record as runs. */
export interface Operation {
  readonly id: string;
  readonly kind: OperationKind;
  readonly sync: string;
  readonly state: 'running' | 'done' | 'failed' | 'stopped';
  readonly startedAtMs: number;
  readonly finishedAtMs: number | null;
  readonly progress: Progress | null;
  /** What came of it: a run's report, a verdict, a plan. Null while it runs, and when it failed. */
  readonly result: unknown;
  readonly error: { readonly code: string; readonly message: string; readonly hint?: string } | null;
}

export interface Work {
  /** Ends it at once. */
  readonly signal: AbortSignal;
  /** Lets it finish what it has begun. */
  readonly stop: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

/** Older ones of a kind are forgotten: many small ones push none of the others out. */
const KEPT = 200;

/** What was asked for over HTTP and goes on without whoever asked. */
export class Operations {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stop: AbortSignal;
  readonly #kept = new Map<string, Operation>();
  readonly #stops = new Map<string, AbortController>();
  readonly #listeners = new Set<(operation: Operation) => void>();
  readonly #underWay = new Set<Promise<void>>();

  /** @param stop  the process is to end: so does what is under way, between two batches */
  constructor({ clock, log, stop }: { clock: Clock; log: Log; stop: AbortSignal }) {
    this.#clock = clock;
    this.#log = log;
    this.#stop = stop;
  }

  /** Answers at once. What goes wrong is told by the operation. */
  begin(kind: OperationKind, sync: string, work: (work: Work) => Promise<unknown>): Operation {
    const id = randomUUID();
    const stop = new AbortController();
    this.#stops.set(id, stop);
    const begun = {
      id,
      kind,
      sync,
      startedAtMs: this.#clock.now(),
      finishedAtMs: null,
      progress: null,
      result: null,
      error: null,
    };
    const operation = this.#put({ ...begun, state: 'running' });
    const ended = this.#carryOut(operation, stop, work);
    this.#underWay.add(ended);
    void ended.finally(() => this.#underWay.delete(ended));
    return operation;
  }

  /** @throws {RequestRefusedError} there is none of that id, any more */
  get(id: string): Operation {
    const operation = this.#kept.get(id);
    if (operation !== undefined) return operation;
    throw new RequestRefusedError(`there is no operation ${id}`, {
      hint: 'operations are forgotten when the process ends, and after two hundred others alike; what they did is among the runs',
    });
  }

  /** Newest first. */
  list(sync?: string): readonly Operation[] {
    return [...this.#kept.values()].filter((operation) => sync === undefined || operation.sync === sync).reverse();
  }

  /** Has what is under way end after the batch that it is at. @returns whether it was under way */
  end(id: string): boolean {
    const stop = this.#stops.get(id);
    stop?.abort();
    return stop !== undefined;
  }

  /** Told of every change, until the returned function is called. */
  onChange(listener: (operation: Operation) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** When nothing is under way. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  async #carryOut(begun: Operation, stop: AbortController, work: (work: Work) => Promise<unknown>): Promise<void> {
    let operation = begun;
    const signal = new AbortController().signal;
    const onProgress = (progress: Progress) => {
      operation = this.#put({ ...operation, progress });
    };
    try {
      const result = await work({ signal, stop: AbortSignal.any([stop.signal, this.#stop]), onProgress });
      const state = stateOf(result, stop.signal.aborted || this.#stop.aborted);
      this.#put({ ...operation, state, finishedAtMs: this.#clock.now(), result });
    } catch (error) {
      const ended = { ...operation, finishedAtMs: this.#clock.now() };
      if (stop.signal.aborted || this.#stop.aborted) this.#put({ ...ended, state: 'stopped' });
      else this.#put({ ...ended, state: 'failed', error: this.#told(error, operation) });
    } finally {
      this.#stops.delete(begun.id);
    }
  }

  #told(error: unknown, { sync, kind }: Operation): Operation['error'] {
    if (error instanceof SyncError) {
      const { code, message, hint } = error;
      return { code, message: scrub(message), ...(hint !== undefined && { hint: scrub(hint) }) };
    }
    this.#log.error({ sync, err: error }, `the ${kind} failed in a way that nobody had thought of`);
    return { code: 'unexpected', message: 'this failed in a way that nobody had thought of; the log says how' };
  }

  #put(operation: Operation): Operation {
    this.#kept.set(operation.id, operation);
    const alike = [...this.#kept.values()].filter(({ kind }) => kind === operation.kind);
    for (const { id } of alike.filter(({ state }) => state !== 'running').slice(0, Math.max(0, alike.length - KEPT))) {
      this.#kept.delete(id);
    }
    for (const listener of this.#listeners) listener(operation);
    return operation;
  }
}

/** A run that was recorded says itself how it ended. */
function stateOf(result: unknown, stopped: boolean): Operation['state'] {
  const { state } = (result ?? {}) as { state?: string };
  if (state === 'failed') return 'failed';
  if (state === 'stopped') return 'stopped';
  return stopped && state === undefined ? 'stopped' : 'done';
}
