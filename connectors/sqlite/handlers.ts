import { existsSync } from 'node:fs';
import type {
  Block,
  Change,
  DeleteRule,
  FieldValue,
  LastWrite,
  StreamChange,
  StreamWriteResult,
  WriteResult,
} from '@tidemark/core';
import { applyChanges } from './apply-changes.ts';
import { type CaptureFacts, describeCapture } from './capture/describe.ts';
import { writingFor, writtenFor } from './capture/own-writes.ts';
import { countMissing, differentPart, type ListDifference, missingPart, type Part } from './compare-load.ts';
import { checkEpoch, Database, keepCheckpoint } from './database.ts';
import { FaultError, rejectionOf } from './fault.ts';
import { DELETED_AT, STAMP } from './identifiers.ts';
import type { TableFacts, TableLayout } from './layout.ts';
import { type Finished, type FinishRequest, finishLoad } from './merge.ts';
import { type ReadRequest, type RowsRead, readRows } from './read-rows.ts';
import { beginMerge, finishMerge, type SideAnswer, type SideStatement } from './side-transaction.ts';
import { Chunk, dropStaging, type LoadIdentity, type StagedReject, Staging } from './staging.ts';
import { boundKey, statementsOf, type TableStatements, valuesOf } from './statements.ts';
import { describeTable } from './table.ts';
import type { SqlValue } from './values.ts';

export interface WriteRequest {
  readonly layout: TableLayout;
  readonly unit: string;
  readonly epoch: number;
  readonly deletes: DeleteRule;
  readonly changes: readonly Change[];
  readonly now: string;
}

/** `begins`: nothing of the transaction has been asked for before. */
export interface StreamedRequest {
  readonly layout: TableLayout;
  /** The syncs that the transaction is written for. */
  readonly units: readonly string[];
  readonly deletes: DeleteRule;
  readonly changes: readonly StreamChange[];
  readonly now: string;
  readonly begins: boolean;
}

export interface StreamedCommit {
  readonly unit: string;
  readonly epoch: number;
  readonly checkpoint: string;
  readonly begins: boolean;
}

/** What the main thread may ask of the worker. One request at a time is answered; each is short, but for a merge. */
export interface Handlers {
  /** Opens the file and reads its first page. */
  probe(): void;
  tables(): string[];
  describeTable(table: string): TableFacts;
  /** Schema changes, all or none, and where the fields are then. */
  alter(layout: TableLayout, statements: readonly string[]): void;
  acquire(unit: string): { epoch: number; checkpoint: string | null };
  readCheckpoint(unit: string): string | null;
  writeCheckpoint(unit: string, epoch: number, checkpoint: string | null): void;
  /** Applies changes and keeps the transaction open, until one of the next two. */
  beginWrite(request: WriteRequest): WriteResult[];
  commitWrite(unit: string, checkpoint: string | null): void;
  rollbackWrite(): void;
  /** Applies changes in a transaction that stays open for more, until `commitStreamed` or `rollbackWrite`, or until it fails. */
  applyStreamed(request: StreamedRequest): StreamWriteResult[];
  commitStreamed(request: StreamedCommit): void;
  readKeys(layout: TableLayout, keys: readonly string[]): [string, FieldValue[]][];
  lastWrite(layout: TableLayout, key: string): LastWrite | null;
  beginLoad(identity: LoadIdentity): { position: string | null; rows: number };
  stage(identity: LoadIdentity, block: Block): StagedReject[];
  keepPage(identity: LoadIdentity, position: string): { rows: number };
  dropPage(identity: LoadIdentity): void;
  countMissing(identity: LoadIdentity): { missing: number; total: number };
  missingPart(identity: LoadIdentity, after: readonly SqlValue[] | null): Part<string>;
  differentPart(identity: LoadIdentity, after: readonly SqlValue[] | null): Part<ListDifference>;
  finishLoad(request: FinishRequest): Finished;
  discardLoad(identity: LoadIdentity): void;
  /** Names and declared types of a query's columns. */
  queryColumns(sql: string): { name: string; type: string }[];
  readRows(request: ReadRequest): RowsRead;
  /** @throws {FaultError} request_refused: triggers cannot tell of all that happens to it. */
  describeCapture(table: string): CaptureFacts;
  /** Statements without parameters, all or none, in a file that need not be a target. */
  changeSchema(statements: readonly string[]): void;
  /** Reads rows for a two-way merge and holds the write lock, until `finishMerge` or `rollbackWrite`. */
  beginMerge(unit: string | null, reads: readonly ReadRequest[]): RowsRead[];
  finishMerge(statements: readonly SideStatement[]): SideAnswer[];
  /** All or none, and the rows of each. */
  inOneTransaction(statements: readonly { readonly sql: string; readonly parameters: readonly SqlValue[] }[]): SqlValue[][][];
  /** Commits staged rows that wait for more: called when nothing more came for a while. */
  idle(): void;
  close(): void;
}

const noTable: TableFacts = {
  kind: null,
  strict: false,
  columns: [],
  uniques: [],
  indexed: [],
  indexNames: [],
  triggers: [],
  known: [],
};

export function createHandlers(path: string, busyTimeoutMs: number): Handlers {
  const database = new Database(path, busyTimeoutMs);
  const chunk = new Chunk(database);
  const loads = new Map<string, Staging>();
  const statements = new Map<string, TableStatements>();

  const statementsFor = (layout: TableLayout): TableStatements => {
    const name = JSON.stringify(layout);
    const known = statements.get(name) ?? statementsOf(layout);
    statements.set(name, known);
    return known;
  };
  const loadOf = (identity: LoadIdentity): Staging => {
    const load = loads.get(identity.unit);
    if (load !== undefined && load.identity.epoch === identity.epoch && load.identity.loadId === identity.loadId) return load;
    // The worker was started anew, or another owner has begun: what counts is what the file holds.
    return begin(identity);
  };
  const begin = (identity: LoadIdentity): Staging => {
    const load = new Staging(database, chunk, identity);
    loads.set(identity.unit, load);
    return load;
  };
  const staging = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      chunk.abandon(error);
      throw error;
    }
  };
  /** A new index may meet rows that stand against it. */
  const alter = (sql: string, table: string): void => {
    try {
      database.writer.exec(sql);
    } catch (error) {
      if (rejectionOf(error) === null) throw error;
      throw new FaultError({
        code: 'request_refused',
        message: `${path}: the rows of table ${table} stand against its key: ${(error as Error).message}`,
        hint: 'The table holds a key twice: delete such rows, map the key to another column, or name another table.',
      });
    }
  };
  /** Everything but staging begins with what was staged being committed: there is one transaction at a time. */
  const alone = <T>(work: () => T): T => {
    chunk.commit();
    return work();
  };

  const streamed = <T>(begins: boolean, work: () => T): T => {
    try {
      if (begins) alone(() => database.writer.exec('BEGIN IMMEDIATE'));
      return work();
    } catch (error) {
      database.rollback();
      throw error;
    }
  };

  return {
    probe: () => void database.reader.prepare('SELECT count(*) FROM sqlite_schema').get(),
    tables: () =>
      database.reader
        .prepare(
          "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
        )
        .all()
        .map(({ name }) => String(name))
        .filter((name) => !name.startsWith('_tidemark_')),
    // A look must not make the file.
    describeTable: (table) => (existsSync(path) ? describeTable(database.reader, table) : noTable),
    alter: (layout, changes) =>
      alone(() =>
        database.transaction(() => {
          for (const sql of changes) alter(sql, layout.table);
          const keep = database.prepare('INSERT OR REPLACE INTO _tidemark_columns VALUES (?, ?, ?, ?)');
          for (const { field, column, type } of layout.columns) keep.run(layout.table, field, column, type);
        }),
      ),
    acquire: (unit) =>
      alone(() =>
        database.transaction(() => {
          const row = database
            .prepare(
              `INSERT INTO _tidemark_checkpoints VALUES (?, 1, NULL)
               ON CONFLICT (unit) DO UPDATE SET epoch = epoch + 1 RETURNING epoch, checkpoint`,
            )
            .get(unit)!;
          return { epoch: row.epoch as number, checkpoint: row.checkpoint as string | null };
        }),
      ),
    readCheckpoint: (unit) => {
      const isThere =
        existsSync(path) && database.reader.prepare("SELECT 1 FROM sqlite_schema WHERE name = '_tidemark_checkpoints'").get();
      if (!isThere) return null;
      const row = database.reader.prepare('SELECT checkpoint FROM _tidemark_checkpoints WHERE unit = ?').get(unit);
      return (row?.checkpoint as string | null | undefined) ?? null;
    },
    writeCheckpoint: (unit, epoch, checkpoint) =>
      alone(() =>
        database.transaction(() => {
          checkEpoch(database, unit, epoch);
          keepCheckpoint(database, unit, checkpoint);
        }),
      ),
    beginWrite: ({ layout, unit, epoch, deletes, changes, now }) =>
      alone(() => {
        database.writer.exec('BEGIN IMMEDIATE');
        try {
          // The lock is ours until the commit, so that nobody can raise the epoch in between.
          checkEpoch(database, unit, epoch);
          writingFor(database, [unit]);
          return applyChanges(database, statementsFor(layout), changes, deletes, now);
        } catch (error) {
          database.rollback();
          throw error;
        }
      }),
    commitWrite: (unit, checkpoint) => {
      try {
        if (checkpoint !== null) keepCheckpoint(database, unit, checkpoint);
        writtenFor(database);
        database.writer.exec('COMMIT');
      } catch (error) {
        database.rollback();
        throw error;
      }
    },
    rollbackWrite: () => database.rollback(),
    applyStreamed: ({ layout, units, deletes, changes, now, begins }) =>
      streamed(begins, () => {
        if (begins) writingFor(database, units);
        return applyChanges(database, statementsFor(layout), changes, deletes, now);
      }),
    commitStreamed: ({ unit, epoch, checkpoint, begins }) =>
      streamed(begins, () => {
        checkEpoch(database, unit, epoch);
        keepCheckpoint(database, unit, checkpoint);
        writtenFor(database);
        database.writer.exec('COMMIT');
      }),
    readKeys: (layout, keys) => {
      const own = statementsFor(layout);
      const read = database.reader.prepare(own.read);
      read.setReturnArrays(true);
      read.setReadBigInts(true);
      return keys.flatMap((key): [string, FieldValue[]][] => {
        const bound = boundKey(own, key);
        const row = bound === null ? undefined : (read.get(...bound) as unknown as SqlValue[] | undefined);
        return row === undefined ? [] : [[key, valuesOf(own.forms, row)]];
      });
    },
    lastWrite: (layout, key) => {
      const own = statementsFor(layout);
      const bound = boundKey(own, key);
      const row = bound === null ? undefined : database.reader.prepare(own.find).get(...bound);
      const { [STAMP]: stamp = null, [DELETED_AT]: deletedAt = null } = row ?? {};
      if (stamp === null) return null;
      return { stampMs: Date.parse(String(stamp)), deletedAtMs: deletedAt === null ? null : Date.parse(String(deletedAt)) };
    },
    beginLoad: (identity) => alone(() => begin(identity).kept),
    stage: (identity, block) => staging(() => loadOf(identity).stage(block)),
    keepPage: (identity, position) => staging(() => loadOf(identity).keepPage(position)),
    dropPage: (identity) => alone(() => loadOf(identity).dropPage()),
    countMissing: (identity) => alone(() => countMissing(database, identity)),
    missingPart: (identity, after) => alone(() => missingPart(database, identity, after)),
    differentPart: (identity, after) => alone(() => differentPart(database, identity, after)),
    finishLoad: (request) =>
      alone(() => {
        loadOf(request.identity).dropPage();
        const finished = finishLoad(database, request);
        if ('counts' in finished) loads.delete(request.identity.unit);
        return finished;
      }),
    discardLoad: (identity) =>
      alone(() =>
        database.transaction(() => {
          checkEpoch(database, identity.unit, identity.epoch);
          dropStaging(database, identity.staging);
          database.prepare('DELETE FROM _tidemark_loads WHERE unit = ?').run(identity.unit);
          loads.delete(identity.unit);
        }),
      ),
    queryColumns: (sql) =>
      database.reader
        .prepare(sql)
        .columns()
        .map(({ name, type }) => ({ name, type: type ?? '' })),
    readRows: (request) => readRows(database, request),
    describeCapture: (table) => describeCapture(database, table),
    changeSchema: (changes) =>
      alone(() => {
        const writer = database.bareWriter;
        database.transaction(() => {
          for (const sql of changes) writer.exec(sql);
        }, writer);
      }),
    beginMerge: (unit, reads) => alone(() => beginMerge(database, unit, reads)),
    finishMerge: (statements) => finishMerge(database, statements),
    inOneTransaction: (asked) =>
      alone(() => {
        const writer = database.bareWriter;
        return database.transaction(
          () =>
            asked.map(({ sql, parameters }) => {
              const statement = writer.prepare(sql);
              statement.setReturnArrays(true);
              return statement.all(...parameters) as unknown as SqlValue[][];
            }),
          writer,
        );
      }),
    idle: () => chunk.commit(),
    close() {
      // Rows of an unfinished page are worth nothing: they are undone by whoever resumes.
      database.close();
    },
  };
}
