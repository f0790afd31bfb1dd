import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { isPlatformEvent } from '../schema/platform-event.ts';
import type { ObjectDescribe, Schema } from '../schema/types.ts';
import { cachedBy } from './cached-by.ts';
import { type CalculationStore, createCalculations } from './calculations.ts';
import { type CommitLog, createCommitLog } from './commit-log.ts';
import { openDatabase } from './database.ts';
import { createDuplicateRules, type DuplicateRuleSet } from './duplicate-rules.ts';
import { instanceOf, makeId } from './ids.ts';
import type { WantedRow } from './locks.ts';
import { createRowReader } from './row-reader.ts';
import { type Column, createIndexes, describeTable, dropLostColumns, ensureTable, type StoredRow, type Table } from './table.ts';
import { type Automation, type InsertedEvent, type OrgClock, SalesforceError } from './types.ts';

/** What the parts of an org share: its tables, its counters, and who holds which row. */
export interface Store {
  readonly database: DatabaseSync;
  readonly schema: Schema;
  readonly clock: OrgClock;
  readonly orgId: string;
  /** The first user, who is there from the start. */
  readonly adminUserId: string;
  /** Row locks of open transactions: record id to the transaction's id. */
  readonly locks: Map<string, string>;
  /** When each open transaction began, by its id. */
  readonly openSince: Map<string, number>;
  /** Commits so far: a transaction that saw none beside it need not check again. */
  commits: number;
  readonly commitLog: CommitLog;
  readonly automations: Set<Automation>;
  readonly duplicateRules: DuplicateRuleSet;
  readonly calculations: CalculationStore;
  /** What is there, whatever a viewer sees of it. */
  readonly whole: Store;
  /** Who may claim that a row is held by others, or refuse it with another error. */
  readonly contenders: Set<(wanted: WantedRow) => boolean | SalesforceError>;
  /** Who hears of platform events as they are inserted. */
  readonly eventListeners: Set<(event: InsertedEvent) => void>;
  table(object: string): Table | undefined;
  /** @throws {SalesforceError} `NOT_FOUND`: no such object. */
  requireTable(object: string): Table;
  tableOfId(id: string): Table | undefined;
  /** A prepared statement, kept. For `get`, `all` and `run` only: an iteration needs a statement of its own. */
  statement(sql: string): StatementSync;
  /**
   * Before records are looked up by something else than their id: by `column`, or by whatever a query may ask for. What nobody has
   * looked up by yet has no index, which every write would pay for.
   */
  index(table: Table, column?: Column): void;
  /** Orders rows by their making. Given once, never again. */
  nextCounter(table: Table): number;
  makeId(table: Table, counter: number): string;
  row(table: Table, id: string): StoredRow | undefined;
  /** Records whose reference `column` is `id`, deleted ones too. */
  rowsReferringTo(table: Table, column: Column, id: string): StoredRow[];
  /** Runs `work` in one SQLite transaction, counters included. */
  atomically(work: () => void): void;
  /** Runs `read` on the database as `change` makes it, and undoes the change. */
  peek<T>(change: () => void, read: () => T): T;
  close(): void;
}

export function openStore(options: { schema: Schema; clock: OrgClock; seed: number; path: string }): Store {
  const { schema, clock, seed } = options;
  const database = openDatabase(options.path);
  database.exec('CREATE TABLE IF NOT EXISTS "_Counter" (object TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT');
  database.exec(
    'CREATE TABLE IF NOT EXISTS "_Deletion" (id TEXT PRIMARY KEY, object TEXT NOT NULL, deletedDate TEXT NOT NULL) STRICT',
  );
  database.exec('CREATE INDEX IF NOT EXISTS "_Deletion.deletedDate" ON "_Deletion" (object, deletedDate)');

  const instance = instanceOf(seed);
  const tables = new Map<string, Table>();
  const statements = new Map<string, StatementSync>();
  const counters = new Map<string, number>();
  const moved = new Set<string>();
  /** Columns by which there are indexes, by the table as it is described now. */
  const indexed = new WeakMap<ObjectDescribe, Set<string> | 'all'>();
  let peeking = false;
  const readerOf = cachedBy((table: Table) => createRowReader(table, (sql) => store.statement(sql)));
  for (const row of database.prepare('SELECT object, next FROM "_Counter"').all()) {
    counters.set(String(row.object), Number(row.next));
  }

  const adopt = (name: string) => {
    const object = schema.object(name);
    if (!object) return;
    const table = describeTable(object);
    const before = tables.get(object.name.toLowerCase());
    // A platform event is published and never stored.
    if (!isPlatformEvent(object.name)) {
      if (before) dropLostColumns(database, before, table);
      ensureTable(database, table);
    }
    tables.set(object.name.toLowerCase(), table).set(object.name, table);
  };
  for (const object of schema.objects) adopt(object.name);
  schema.onChange((object) => adopt(object.name));

  const orgId = makeId('00D', instance, 1);
  const parts: Omit<Store, 'calculations' | 'whole'> = {
    database,
    schema,
    clock,
    orgId,
    adminUserId: makeId('005', instance, 1),
    locks: new Map(),
    openSince: new Map(),
    commits: 0,
    commitLog: createCommitLog(clock, orgId),
    automations: new Set(),
    duplicateRules: createDuplicateRules(schema),
    contenders: new Set(),
    eventListeners: new Set(),
    // Most ask for an object as it is spelt.
    table: (object) => tables.get(object) ?? tables.get(object.toLowerCase()),
    requireTable(object) {
      const table = store.table(object);
      if (!table) throw new SalesforceError('NOT_FOUND', 'The requested resource does not exist', { httpStatus: 404 });
      return table;
    },
    tableOfId(id) {
      const object = schema.byKeyPrefix(id.slice(0, 3));
      return object && store.table(object.name);
    },
    statement(sql) {
      let statement = statements.get(sql);
      if (!statement) {
        // Queries of every shape come through here; the cache must not grow with them.
        if (statements.size >= 500) statements.delete(statements.keys().next().value!);
        statement = database.prepare(sql);
        statements.set(sql, statement);
      }
      return statement;
    },
    index({ name }, column) {
      const table = tables.get(name)!;
      const made = indexed.get(table.object);
      // What is made while changes are looked at is undone with them.
      if (peeking || made === 'all' || (column && made?.has(column.name)) || isPlatformEvent(name)) return;
      createIndexes(database, table, column && [column.name]);
      indexed.set(table.object, column ? new Set(made).add(column.name) : 'all');
    },
    nextCounter(table) {
      const counter = counters.get(table.name) ?? 1;
      counters.set(table.name, counter + 1);
      moved.add(table.name);
      return counter;
    },
    makeId: (table, counter) => makeId(table.object.keyPrefix ?? '000', instance, counter),
    row(table, id) {
      if (isPlatformEvent(table.name)) return undefined;
      return readerOf(table).byId(id);
    },
    rowsReferringTo(table, column, id) {
      store.index(table, column);
      return readerOf(table).referringTo(column, id);
    },
    atomically(work) {
      database.exec('BEGIN IMMEDIATE');
      try {
        work();
        for (const object of moved) {
          store
            .statement('INSERT INTO "_Counter" VALUES (?, ?) ON CONFLICT (object) DO UPDATE SET next = excluded.next')
            .run(object, counters.get(object)!);
        }
        database.exec('COMMIT');
        moved.clear();
      } catch (error) {
        database.exec('ROLLBACK');
        throw error;
      }
      store.commits++;
    },
    peek(change, read) {
      database.exec('BEGIN');
      peeking = true;
      try {
        change();
        return read();
      } finally {
        peeking = false;
        database.exec('ROLLBACK');
      }
    },
    close: () => database.close(),
  };
  const store = parts as Store;
  return Object.assign(store, { calculations: createCalculations(store), whole: store });
}
