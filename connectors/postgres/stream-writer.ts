import {
  InvariantError,
  type StreamChange,
  type StreamTransaction,
  type StreamWriteResult,
  type StreamWriter,
  type Target,
} from '@tidemark/core';
import { ATTEMPT, Attempts } from './attempts.ts';
import { writtenBy } from './capture/own-writes.ts';
import type { PostgresCheckpoints } from './checkpoints.ts';
import { type OpenTransaction, openTransaction, type Pool } from './driver.ts';
import { toSyncError } from './errors.ts';
import { type Layout, scopeSettings } from './layout.ts';
import { PostgresTarget } from './target.ts';
import { UpdateColumns } from './update-columns.ts';
import { type EncodedUpdates, encodeUpdates, onlyUpdates } from './update-rows.ts';
import { WRITE_SETTINGS, Writer } from './write.ts';

/** A table that a stream writes. */
class Table {
  readonly layout: Layout;
  readonly keyFields: readonly string[];
  readonly updates: UpdateColumns;
  #expected: { readonly changes: readonly StreamChange[]; readonly encoded: EncodedUpdates | null } | null = null;

  constructor(layout: Layout, keyFields: readonly string[]) {
    this.layout = layout;
    this.keyFields = keyFields;
    this.updates = new UpdateColumns(layout);
  }

  /** These are asked for next. */
  expect(changes: readonly StreamChange[]): void {
    this.#expected = { changes, encoded: this.#encode(changes) };
  }

  /** Null where they are not updates and nothing else. */
  encoded(changes: readonly StreamChange[]): EncodedUpdates | null {
    const expected = this.#expected;
    this.#expected = null;
    return expected?.changes === changes ? expected.encoded : this.#encode(changes);
  }

  #encode(changes: readonly StreamChange[]): EncodedUpdates | null {
    return onlyUpdates(changes) ? encodeUpdates(this.updates, this.keyFields, changes) : null;
  }
}

/** Where a stream's tables lie: looked up before anything is written, because a transaction of ours would stand in the way. */
export async function openStreamWriter(
  pool: Pool,
  checkpoints: PostgresCheckpoints,
  targets: readonly Target[],
): Promise<StreamWriter> {
  const tables = new Map<Target, Table>();
  const units = new Set<string>();
  for (const target of targets) {
    if (!(target instanceof PostgresTarget)) throw new InvariantError('A stream writes targets of its own connection only');
    units.add(target.unit);
    const layout = await target.layout();
    tables.set(target, new Table(layout, target.keyFields));
  }
  // All that one stream tells is of one org.
  const scope = new Set([...tables.values()].flatMap(({ layout }) => scopeSettings(layout)));
  if (scope.size > 1) throw new InvariantError('A stream writes the rows of one org');
  return new PostgresStreamWriter(pool, checkpoints, tables, [...WRITE_SETTINGS, ...scope, writtenBy([...units])]);
}

class PostgresStreamWriter implements StreamWriter {
  readonly #pool: Pool;
  readonly #checkpoints: PostgresCheckpoints;
  readonly #tables: ReadonlyMap<Target, Table>;
  readonly #settings: readonly string[];
  #open: PostgresStreamTransaction | null = null;

  constructor(pool: Pool, checkpoints: PostgresCheckpoints, tables: ReadonlyMap<Target, Table>, settings: readonly string[]) {
    this.#settings = settings;
    this.#pool = pool;
    this.#checkpoints = checkpoints;
    this.#tables = tables;
  }

  async begin(signal: AbortSignal): Promise<StreamTransaction> {
    if (this.#open?.isOpen) throw new InvariantError('A stream writes one transaction at a time');
    signal.throwIfAborted();
    // Not waited for: what is to be written is made ready meanwhile.
    const opening = openTransaction(this.#pool, { signal, settings: this.#settings, savepoint: ATTEMPT });
    this.#open = new PostgresStreamTransaction(opening, this.#checkpoints, this.#tables, signal);
    return this.#open;
  }

  expect(target: Target, changes: readonly StreamChange[]): void {
    this.#tables.get(target)?.expect(changes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open?.rollback();
  }
}

class PostgresStreamTransaction implements StreamTransaction {
  isOpen = true;
  readonly #opening: Promise<OpenTransaction>;
  #opened: OpenTransaction | null = null;
  #attempts: Attempts | null = null;
  readonly #checkpoints: PostgresCheckpoints;
  readonly #tables: ReadonlyMap<Target, Table>;
  readonly #signal: AbortSignal;

  constructor(
    opening: Promise<OpenTransaction>,
    checkpoints: PostgresCheckpoints,
    tables: ReadonlyMap<Target, Table>,
    signal: AbortSignal,
  ) {
    this.#opening = opening;
    // Whoever writes hears of it.
    opening.catch(() => {});
    this.#checkpoints = checkpoints;
    this.#tables = tables;
    this.#signal = signal;
  }

  async apply(target: Target, changes: readonly StreamChange[]): Promise<readonly StreamWriteResult[]> {
    this.#check();
    const table = this.#tables.get(target);
    if (table === undefined) throw new InvariantError('The writer of this stream was not opened for this target');
    const { layout, keyFields, updates } = table;
    const encoded = table.encoded(changes);
    return ours(this.#signal, async () => {
      this.#opened ??= await this.#opening;
      const { client } = this.#opened;
      this.#attempts ??= new Attempts(client);
      return new Writer(this.#attempts, layout, keyFields, updates).apply(changes, encoded);
    });
  }

  async commit(unit: string, epoch: number, checkpoint: string): Promise<void> {
    this.#check();
    try {
      await ours(this.#signal, async () => {
        await this.#checkpoints.keepAndCommit(this.#opened ?? (await this.#opening), unit, epoch, checkpoint);
      });
      this.isOpen = false;
    } finally {
      await this.rollback();
    }
  }

  async rollback(): Promise<void> {
    this.isOpen = false;
    const opened = await this.#opening.catch(() => null);
    await opened?.rollback();
  }

  /** A client that has gone back to the pool may belong to others. */
  #check(): void {
    if (!this.isOpen) throw new InvariantError('The transaction of this stream has ended');
  }
}

/** What fails comes out as our error, and as the signal's reason when that is why. */
async function ours<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    throw toSyncError(error);
  }
}
