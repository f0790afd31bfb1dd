import {
  type Clock,
  InvariantError,
  type StreamChange,
  type StreamTransaction,
  type StreamWriteResult,
  type StreamWriter,
  type Target,
} from '@tidemark/core';
import type { SqliteClient } from './client.ts';
import { SqliteTarget } from './target.ts';

/** Writes several tables of one file in one transaction. */
export class SqliteStreamWriter implements StreamWriter {
  readonly #client: SqliteClient;
  readonly #targets: ReadonlySet<Target>;
  readonly #clock: Clock;
  #open: SqliteStreamTransaction | null = null;

  constructor(client: SqliteClient, targets: readonly Target[], clock: Clock) {
    this.#client = client;
    this.#targets = new Set(targets);
    this.#clock = clock;
  }

  /** Waits for what else is writing to the file in this process. */
  async begin(signal: AbortSignal): Promise<StreamTransaction> {
    signal.throwIfAborted();
    if (this.#open?.isOpen) throw new InvariantError('A stream writes one transaction at a time');
    const transaction = new SqliteStreamTransaction(this.#client, this.#targets, this.#clock, signal);
    this.#open = transaction;
    await transaction.lock();
    signal.throwIfAborted();
    return transaction;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open?.rollback();
  }
}

/** Its first changes begin it in the file, so that waiting for the source keeps no other process from writing. */
class SqliteStreamTransaction implements StreamTransaction {
  isOpen = true;
  readonly #client: SqliteClient;
  readonly #targets: ReadonlySet<Target>;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #units: readonly string[];
  #hasBegun = false;
  #unlock: () => void = () => {};

  constructor(client: SqliteClient, targets: ReadonlySet<Target>, clock: Clock, signal: AbortSignal) {
    this.#client = client;
    this.#targets = targets;
    this.#units = [...new Set([...targets].flatMap((target) => (target instanceof SqliteTarget ? [target.unit] : [])))];
    this.#clock = clock;
    this.#signal = signal;
  }

  lock(): Promise<void> {
    return new Promise((locked) => {
      void this.#client.locked(
        () =>
          new Promise<void>((unlock) => {
            // Ended while it waited: its turn is over at once.
            if (!this.isOpen || this.#signal.aborted) this.#end();
            if (this.isOpen) this.#unlock = unlock;
            else unlock();
            locked();
          }),
      );
    });
  }

  async apply(target: Target, changes: readonly StreamChange[]): Promise<readonly StreamWriteResult[]> {
    if (!(target instanceof SqliteTarget) || !this.#targets.has(target)) {
      throw new InvariantError('The writer of this stream was not opened for this target');
    }
    return this.#ask(async () => {
      const now = new Date(this.#clock.now()).toISOString();
      const begins = !this.#hasBegun;
      this.#hasBegun = true;
      const { layout, deletes } = target;
      return this.#client.call('applyStreamed', { layout, units: this.#units, deletes, changes, now, begins });
    });
  }

  async commit(unit: string, epoch: number, checkpoint: string): Promise<void> {
    await this.#ask(() => this.#client.call('commitStreamed', { unit, epoch, checkpoint, begins: !this.#hasBegun }));
    this.#end();
  }

  async rollback(): Promise<void> {
    if (!this.isOpen) return;
    try {
      if (this.#hasBegun) await this.#client.call('rollbackWrite');
    } finally {
      this.#end();
    }
  }

  /** What fails here ends the transaction: the file may have rolled it back already, and what comes next must not stand alone. */
  async #ask<T>(work: () => Promise<T>): Promise<T> {
    if (!this.isOpen) throw new InvariantError('The transaction of this stream has ended');
    try {
      this.#signal.throwIfAborted();
      return await work();
    } catch (error) {
      await this.rollback().catch(() => {});
      throw error;
    }
  }

  #end(): void {
    this.isOpen = false;
    this.#unlock();
  }
}
