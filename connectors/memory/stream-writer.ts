import {
  decideStreamed,
  InvariantError,
  type StoredRow,
  type StreamChange,
  type StreamTransaction,
  type StreamWriteResult,
  type StreamWriter,
  type Target,
  TransientError,
} from '@tidemark/core';
import type { Faults } from './faults.ts';
import type { Entry, Memory } from './memory.ts';
import { checkpointsOf, MemoryTarget } from './target.ts';

/** Writes several datasets of one memory in one transaction. */
export class MemoryStreamWriter implements StreamWriter {
  readonly #memory: Memory;
  readonly #faults: Faults;
  #open: MemoryStreamTransaction | null = null;

  constructor(memory: Memory, faults: Faults) {
    this.#memory = memory;
    this.#faults = faults;
  }

  async begin(signal: AbortSignal): Promise<StreamTransaction> {
    signal.throwIfAborted();
    if (this.#open?.isOpen) throw new InvariantError('A stream writes one transaction at a time');
    this.#open = new MemoryStreamTransaction(this.#memory, this.#faults, signal);
    return this.#open;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open?.rollback();
  }
}

/** What a transaction has done to one record so far. */
interface Written {
  readonly target: MemoryTarget;
  /** As it was when the transaction saw it first. */
  readonly seen: Entry | undefined;
  /** Null: removed; undefined: left as it was. */
  next: StoredRow | null | undefined;
  stampMs: number;
}

/**
 * Keeps what it does to itself until the commit, and holds no lock meanwhile: a process that vanishes leaves nothing behind, as it
 * would leave nothing in a database. A record that somebody else has written meanwhile makes the commit fail.
 */
class MemoryStreamTransaction implements StreamTransaction {
  isOpen = true;
  readonly #memory: Memory;
  readonly #faults: Faults;
  readonly #signal: AbortSignal;
  readonly #written = new Map<string, Map<string, Written>>();

  constructor(memory: Memory, faults: Faults, signal: AbortSignal) {
    this.#memory = memory;
    this.#faults = faults;
    this.#signal = signal;
  }

  async apply(target: Target, changes: readonly StreamChange[]): Promise<readonly StreamWriteResult[]> {
    this.#check();
    if (!(target instanceof MemoryTarget) || target.memory !== this.#memory) {
      throw new InvariantError('A stream writes targets of its own connection only');
    }
    this.#faults.at?.('write');
    let written = this.#written.get(target.dataset.name);
    if (written === undefined) {
      written = new Map();
      this.#written.set(target.dataset.name, written);
    }
    return changes.map((change) => applyOne(target, written, change));
  }

  commit(unit: string, epoch: number, checkpoint: string): Promise<void> {
    return this.#memory.exclusively(async () => {
      this.#check();
      this.isOpen = false;
      this.#faults.at?.('commit');
      const all = [...this.#written.values()].flatMap((written) => [...written]);
      for (const [key, { target, seen }] of all) {
        if (target.dataset.entry(key) !== seen)
          throw new TransientError(`A record of ${target.dataset.name} was written meanwhile`);
      }
      await checkpointsOf(this.#memory).write(unit, epoch, checkpoint);
      for (const [key, { target, next, stampMs }] of all) if (next !== undefined) target.dataset.set(key, next, stampMs);
    });
  }

  async rollback(): Promise<void> {
    this.isOpen = false;
  }

  #check(): void {
    if (!this.isOpen) throw new InvariantError('The transaction of this stream has ended');
    this.#signal.throwIfAborted();
  }
}

function applyOne(target: MemoryTarget, written: Map<string, Written>, change: StreamChange): StreamWriteResult {
  const reason = target.rejectionOf(change.row);
  if (reason !== null) return { status: 'rejected', reason };
  const { dataset, spec } = target;
  const known = written.get(change.key) ?? { target, seen: dataset.entry(change.key), next: undefined, stampMs: change.stampMs };
  const stored = known.next === undefined ? (known.seen?.stored ?? undefined) : (known.next ?? undefined);
  const { status, next } = decideStreamed(stored, change, spec.schema.fields, spec.deletes, target.clock.now());
  if (next !== undefined) {
    known.next = next;
    known.stampMs = change.stampMs;
  }
  // Also what was only looked at: the answer holds as long as nobody else writes it.
  written.set(change.key, known);
  return { status };
}
