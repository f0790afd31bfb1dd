import type { Change } from '../../model/change.ts';
import { NO_STAMP } from '../../model/change.ts';
import type { StreamChange, StreamEvent, StreamTransaction } from '../../model/stream.ts';
import type { NewFailure } from '../../store/store.ts';
import { newFailure } from '../apply.ts';
import { decodeEnvelope, reasonForFull } from '../envelope.ts';
import type { OpenedSync } from '../opened-sync.ts';
import { type Folded, foldEvent, type Pending } from './fold-events.ts';
import { noOutcomes, type Outcomes } from './live-status.ts';
import type { Partial } from './partial.ts';
import { ReadAhead } from './read-ahead.ts';
import type { WriteGate } from './write-gate.ts';

const NONE: ReadonlySet<string> = new Set();

/** One sync of a stream: what events mean for its records, and how they reach its target. */
export class LiveSync {
  readonly opened: OpenedSync;
  readonly dataset: string;
  readonly gate: WriteGate;
  /** An event told of a field that was not there when the source was opened. */
  isOutdated = false;
  readonly #partial: Partial;
  readonly #isMadeAnew: boolean;
  readonly #keyField: string;
  readonly #signal: AbortSignal;
  readonly #ahead = new ReadAhead();
  #outcomes = noOutcomes();
  #failing: ReadonlySet<string> | null = null;
  /** The number of polls after which the failing keys were read. */
  #failingAsOf = -1;

  constructor(opened: OpenedSync, dataset: string, gate: WriteGate, partial: Partial, isMadeAnew: boolean, signal: AbortSignal) {
    this.opened = opened;
    this.dataset = dataset;
    this.gate = gate;
    this.#partial = partial;
    this.#isMadeAnew = isMadeAnew;
    this.#keyField = opened.source.schema.key[0]!;
    this.#signal = signal;
  }

  get name(): string {
    return this.opened.config.name;
  }

  paused(): Promise<boolean> {
    return this.opened.paused();
  }

  /** What its runs have kept of it. */
  kept(): Promise<string | null> {
    const { checkpoints, config } = this.opened;
    return checkpoints.read(config.watermarkKey);
  }

  /**
   * What that comes to: nothing while its first load is still to come, or under way; stale when that lacks a field, or was in a
   * table that is gone.
   */
  standing(kept: string | null): 'new' | 'stale' | 'good' {
    const envelope = decodeEnvelope(kept);
    if (envelope === null) return this.#isMadeAnew ? 'stale' : 'new';
    return reasonForFull(this.opened, envelope, false) === null ? 'good' : 'stale';
  }

  /** Adds what an event means to what a batch already holds; a promise only where something has to be computed. */
  fold(folded: Folded, event: StreamEvent): void | Promise<void> {
    return foldEvent(folded, event, this.#partial, this.#keyField);
  }

  /** What is to be written for a batch whose events tell all of it, gate or no gate; null when something is to be read. */
  changesTold(folded: Folded): readonly StreamChange[] | null {
    const changes: StreamChange[] = [];
    for (const [key, pending] of folded) {
      if (pending.kind !== 'set' || this.#ahead.isDoubtful(key, pending.stampMs)) return null;
      changes.push(updateOf(key, pending));
    }
    return changes;
  }

  /** What is to be written for a batch, records that have to be read included. The sync's gate is held: no poll comes between. */
  async prepare(folded: Folded): Promise<readonly StreamChange[]> {
    const asked: string[] = [];
    const doubted = new Set<string>();
    for (const [key, pending] of folded) {
      if (pending.kind !== 'read') {
        if (!this.#ahead.isDoubtful(key, pending.stampMs)) continue;
        folded.set(key, { kind: 'read' });
        doubted.add(key);
      }
      asked.push(key);
    }
    const changes = await this.#changes(folded);
    return asked.length === 0 ? changes : [...changes, ...(await this.#read(asked, doubted))];
  }

  /** Brings them to the target, within the transaction that is open. */
  async apply(transaction: StreamTransaction, changes: readonly StreamChange[]): Promise<void> {
    const failing = await this.#failingKeys();
    const absent = await this.#write(transaction, changes, failing);
    // A row that should have been there and is not: the record is brought as it is now.
    if (absent.length > 0) await this.#write(transaction, await this.#read(absent), failing);
    this.gate.touch(changes);
  }

  /** What became of records since this was asked last: of those of an open transaction, if it commits. */
  takeOutcomes(): Outcomes {
    const outcomes = this.#outcomes;
    this.#outcomes = noOutcomes();
    return outcomes;
  }

  /** What the events themselves tell. Records with an open failure are left to their retry, which reads them (P2). */
  async #changes(folded: Folded): Promise<StreamChange[]> {
    const { config, steps } = this.opened;
    const changes: StreamChange[] = [];
    const whole: Change[] = [];
    for (const [key, pending] of folded) {
      if (pending.kind === 'set') {
        changes.push(updateOf(key, pending));
      } else if (pending.kind === 'put') {
        whole.push({ op: 'upsert', key, row: pending.row, stampMs: pending.stampMs });
      } else if (pending.kind === 'delete' && config.deletes !== 'ignore') {
        changes.push({ op: 'delete', key, row: null, stampMs: pending.stampMs });
      }
    }
    if (whole.length === 0) return changes;
    const stepped = await steps.changes(whole);
    await this.#keepStepFailures(stepped.failures);
    return [...changes, ...stepped.changes];
  }

  /** Records as the source has them now, through the steps. */
  async #read(keys: readonly string[], doubted: ReadonlySet<string> = NONE): Promise<readonly Change[]> {
    if (keys.length === 0) return [];
    const { source, steps, config } = this.opened;
    const read = await source.readKeys!(keys, this.#signal);
    this.#ahead.note(read, doubted);
    const { changes, failures } = await steps.changes(read);
    await this.#keepStepFailures(failures);
    return config.deletes === 'ignore' ? changes.filter(({ op }) => op !== 'delete') : changes;
  }

  /** @returns keys of updated rows that are not there */
  async #write(
    transaction: StreamTransaction,
    all: readonly StreamChange[],
    failing: ReadonlySet<string>,
  ): Promise<readonly string[]> {
    const { target, store, config } = this.opened;
    const changes = failing.size === 0 ? all : all.filter(({ key }) => !failing.has(key));
    const absent: string[] = [];
    const size = Math.min(config.batchSize ?? Number.POSITIVE_INFINITY, target.batchSizeMax);
    for (let at = 0; at < changes.length; at += size) {
      const chunk = changes.length <= size ? changes : changes.slice(at, at + size);
      const results = await transaction.apply(target, chunk);
      const rejected: NewFailure[] = [];
      for (const [i, change] of chunk.entries()) {
        const result = results[i]!;
        if (result.status === 'absent') absent.push(change.key);
        else this.#outcomes[result.status]++;
        if (result.status === 'rejected') rejected.push(this.#failureOf(change, result.reason));
      }
      if (rejected.length === 0) continue;
      // Durable before the transaction that goes on without them commits. Their retry reads the records whole.
      await store.putFailures(rejected);
      this.#failing = null;
    }
    return absent;
  }

  #failureOf(change: StreamChange, reason: { readonly code: string; readonly message: string }) {
    const whole: Change = change.op === 'update' ? { ...change, op: 'upsert' } : change;
    return newFailure(this.opened, whole, reason, 'target');
  }

  async #keepStepFailures(failures: Awaited<ReturnType<OpenedSync['steps']['changes']>>['failures']): Promise<void> {
    if (failures.length === 0) return;
    await this.opened.store.putFailures(
      failures.map((failure) =>
        newFailure(this.opened, { op: 'upsert', ...failure }, { code: failure.code, message: failure.message }, failure.place),
      ),
    );
    this.#failing = null;
  }

  /** Read again when a poll may have mended some, or found others. */
  async #failingKeys(): Promise<ReadonlySet<string>> {
    if (this.#failing === null || this.#failingAsOf !== this.gate.polls) {
      this.#failingAsOf = this.gate.polls;
      this.#failing = await this.opened.store.failingKeys(this.name);
    }
    return this.#failing;
  }
}

const updateOf = (key: string, { row, stampMs }: Pending & { kind: 'set' }): StreamChange => ({
  op: 'update',
  key,
  row,
  stampMs: stampMs ?? NO_STAMP,
});
