import { SchemaChangedError } from '../../base/errors.ts';
import type { SyncConfig } from '../../config/config.ts';
import { type Change, NO_STAMP } from '../../model/change.ts';
import type { StreamEvent, StreamTransaction } from '../../model/stream.ts';
import { newRow, type Row } from '../../model/value.ts';
import { newFailure } from '../apply.ts';
import { differing } from '../compare-target.ts';
import type { WriteGate } from '../live/write-gate.ts';
import type { OpenedSync } from '../opened-sync.ts';
import type { StepFailure } from '../stage.ts';
import { unreadFailure } from '../unread.ts';
import { SeenEvents } from './seen-events.ts';

/** Fields for which a topic was opened anew, so that one which no discovery finds is not looked for again and again. */
const grown = new WeakMap<SyncConfig, Set<string>>();

/** What a batch of events comes to. */
export interface Prepared {
  /** In the order of their events; a key may come more than once. */
  readonly changes: readonly Change[];
  /** Events that have been dealt with once the changes are written. */
  readonly taken: readonly string[];
}

/**
 * A sync of events that somebody published. Each is a record that comes to be and never changes; nothing can be read again, so that
 * a failure keeps the whole event and is retried from that (P2), and an event that is delivered again is the same record.
 */
export class TopicSync {
  readonly opened: OpenedSync;
  readonly gate: WriteGate;
  /** Null for a target that knows by the key what it has. */
  readonly #seen: SeenEvents | null;

  constructor(opened: OpenedSync, gate: WriteGate) {
    this.opened = opened;
    this.gate = gate;
    const { target, store, clock } = opened;
    this.#seen = target.compares ? null : new SeenEvents(store, this.name, clock);
  }

  get name(): string {
    return this.opened.config.name;
  }

  /** Where each write counts for itself, no more events than it takes: those before a write that fails are done, and noted. */
  get eventsAtOnce(): number {
    const { target, config } = this.opened;
    return this.#seen === null
      ? Number.POSITIVE_INFINITY
      : Math.min(config.batchSize ?? target.batchSizeMax, target.batchSizeMax);
  }

  paused(): Promise<boolean> {
    return this.opened.paused();
  }

  /** Takes events through the steps. What cannot go on is kept as a failure, durable when this resolves. */
  async prepare(events: readonly StreamEvent[]): Promise<Prepared> {
    const keys = events.map((event) => event.keys[0]!);
    const failing = await this.#failingAmong(keys);
    const seen = (await this.#seen?.among(keys)) ?? new Set();
    const read: Change[] = [];
    const unread: StreamEvent[] = [];
    const taken = new Set<string>();
    for (const event of events) {
      const key = event.keys[0]!;
      // Delivered once more, and kept already.
      if (failing.has(key) || seen.has(key) || taken.has(key)) continue;
      taken.add(key);
      if (event.row === null) unread.push(event);
      else read.push({ op: 'upsert', key, row: this.#wholeRow(event.row), stampMs: NO_STAMP });
    }
    await this.#keepUnread(unread);
    const { changes, failures } = await this.opened.steps.changes(read);
    await this.#keepStepFailures(failures);
    // An event that a filter takes out was never in the target.
    return { changes: changes.filter(({ op }) => op === 'upsert'), taken: [...taken] };
  }

  /** Brings them to the target, within the transaction that is open. */
  async apply(transaction: StreamTransaction, { changes }: Prepared): Promise<void> {
    const { target } = this.opened;
    for (const round of target.compares ? [latestOfEach(changes)] : roundsOfDistinctKeys(changes)) {
      await this.#write(transaction, round);
    }
  }

  /** The target certainly has them: they are not brought once more. Earlier, a crash in between would skip them (P1). */
  async note({ taken }: Prepared): Promise<void> {
    await this.#seen?.remember(taken);
  }

  async #write(transaction: StreamTransaction, all: readonly Change[]): Promise<void> {
    const { target, store, config } = this.opened;
    const changes = await differing(this.opened, await this.#divert(all));
    const size = Math.min(config.batchSize ?? Number.POSITIVE_INFINITY, target.batchSizeMax);
    for (let at = 0; at < changes.length; at += size) {
      const chunk = changes.slice(at, at + size);
      const results = await transaction.apply(target, chunk);
      const rejected = chunk.flatMap((change, i) => {
        const result = results[i]!;
        return result.status === 'rejected' ? [newFailure(this.opened, change, result.reason, 'target')] : [];
      });
      // Durable before the position passes them.
      if (rejected.length > 0) await store.putFailures(rejected);
    }
  }

  /** Where several events write one row, those that come after a refused one merge into its failure, in order (P2). */
  async #divert(changes: readonly Change[]): Promise<readonly Change[]> {
    const failing = await this.#failingAmong(changes.map(({ key }) => key));
    if (failing.size === 0) return changes;
    await this.opened.store.mergeIntoFailures(
      this.name,
      changes.filter(({ key }) => failing.has(key)),
    );
    return changes.filter(({ key }) => !failing.has(key));
  }

  /** Asked each time: another process may have mended some. */
  async #failingAmong(keys: readonly string[]): Promise<ReadonlySet<string>> {
    const { store } = this.opened;
    if (keys.length === 0 || (await store.countFailures(this.name)) === 0) return new Set();
    return new Set((await store.failures({ sync: this.name, keys })).map(({ key }) => key));
  }

  /**
   * What the schema has and the event does not is null: its publisher left it out.
   * @throws {SchemaChangedError} the event has grown by a field that is to be brought: nobody can read it later
   */
  #wholeRow(row: Row): Row {
    const { source, config } = this.opened;
    const whole = newRow();
    for (const { name } of source.schema.fields) whole[name] = row[name] ?? null;
    if (config.fields !== null || Object.keys(row).length <= source.schema.fields.length) return whole;
    const told = grown.get(config) ?? new Set();
    grown.set(config, told);
    const name = Object.keys(row).find((each) => !(each in whole) && !config.exclude.includes(each) && !told.has(each));
    if (name === undefined) return whole;
    told.add(name);
    throw new SchemaChangedError(`${source.schema.name} has a new field: ${name}`);
  }

  async #keepUnread(events: readonly StreamEvent[]): Promise<void> {
    if (events.length === 0) return;
    const failures = events.map(({ keys, unread }) => {
      const raw = Object.assign(newRow(), unread?.raw);
      return unreadFailure(this.opened, { key: keys[0]!, reason: unread?.reason ?? 'its content cannot be read', raw });
    });
    await this.opened.store.putFailures(failures);
  }

  async #keepStepFailures(failures: readonly StepFailure[]): Promise<void> {
    if (failures.length === 0) return;
    await this.opened.store.putFailures(
      failures.map((failure) =>
        newFailure(this.opened, { op: 'upsert', ...failure }, { code: failure.code, message: failure.message }, failure.place),
      ),
    );
  }
}

/** A row holds what the last of its events says. */
function latestOfEach(changes: readonly Change[]): readonly Change[] {
  return [...new Map(changes.map((change) => [change.key, change])).values()];
}

/** A write takes each key once; two events of one key are two writes, in their order. */
function roundsOfDistinctKeys(changes: readonly Change[]): Change[][] {
  const rounds: Change[][] = [];
  const times = new Map<string, number>();
  for (const change of changes) {
    const round = times.get(change.key) ?? 0;
    times.set(change.key, round + 1);
    rounds[round] ??= [];
    rounds[round].push(change);
  }
  return rounds;
}
