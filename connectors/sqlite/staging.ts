import type { StatementSync } from 'node:sqlite';
import type { Block, Column, FieldSchema, Row } from '@tidemark/core';
import { checkEpoch, type Database } from './database.ts';
import { FaultError, rejectionOf } from './fault.ts';
import { conflictOf, quoted, STAMP } from './identifiers.ts';
import type { TableLayout } from './layout.ts';
import { cellReader, rowReader, stampReader } from './row-reader.ts';
import { named, statementsOf, type TableStatements } from './statements.ts';
import { createStaging, describeTable, isAsWeMadeIt } from './table.ts';
import { TextCache } from './text-cache.ts';
import { textReader } from './text-reader.ts';
import { MismatchError, type SqlValue } from './values.ts';

/** Rows of a page after which a transaction is committed, so that its part of the WAL stays small (P9). */
const chunkRowsMax = 20_000;

export interface LoadIdentity {
  readonly layout: TableLayout;
  readonly unit: string;
  readonly epoch: number;
  readonly loadId: string;
  /** Name of the staging table: the same for the same unit and table. */
  readonly staging: string;
  readonly stampColumn: number;
}

/** As `RejectedRow`, with a plain object for the row. */
export interface StagedReject {
  readonly key: string;
  readonly row: Row;
  readonly stampMs: number;
  readonly reason: { readonly code: string; readonly message: string };
}

/**
 * A table beside the target that a load fills.
 *
 * A page arrives block by block and slowly, over the network, and no write lock is held meanwhile: blocks are committed in
 * chunks of their own, and a page counts only once its position is kept. Rows of a page that was not are recognised by their
 * rowid, which lies above the one that was kept with the last page; rows of earlier pages that it replaced wait in an undo table.
 */
export class Staging {
  readonly identity: LoadIdentity;
  readonly statements: TableStatements;
  readonly #database: Database;
  readonly #chunk: Chunk;
  readonly #insert: StatementSync;
  readonly #probe: StatementSync | null;
  readonly #undo: string;
  readonly #caches: readonly TextCache[];
  #pageRows = 0;
  #broken: unknown = null;

  constructor(database: Database, chunk: Chunk, identity: LoadIdentity) {
    this.#database = database;
    this.#chunk = chunk;
    this.identity = identity;
    this.#undo = undoTable(identity.staging);
    // Nobody shares it.
    this.statements = statementsOf({ ...identity.layout, table: identity.staging, scope: undefined });
    this.#caches = identity.layout.columns.map(() => new TextCache());
    this.#open();
    // OR IGNORE would swallow more than the key: a conflict has to be seen.
    this.#insert = database.writer.prepare(`${this.statements.insert} ON CONFLICT DO NOTHING`);
    this.#probe = this.#needsProbe() ? database.writer.prepare(upsertInto(statementsOf(identity.layout))) : null;
  }

  get kept(): { position: string | null; rows: number } {
    const { unit } = this.identity;
    const row = this.#database.prepare('SELECT position, row_count FROM _tidemark_loads WHERE unit = ?').get(unit)!;
    return { position: row.position as string | null, rows: row.row_count as number };
  }

  /** Takes over what an earlier attempt at the same load has kept, or begins with an empty table. */
  #open(): void {
    const { unit, epoch, loadId, staging, layout } = this.identity;
    const database = this.#database;
    this.#chunk.commit();
    database.transaction(() => {
      checkEpoch(database, unit, epoch);
      const known = database.prepare('SELECT load_id, staging FROM _tidemark_loads WHERE unit = ?').get(unit);
      const wanted = createStaging(database.writer, staging, layout);
      const found = database.prepare('SELECT sql FROM sqlite_schema WHERE name = ?').get(staging)?.sql;
      if (known?.load_id === loadId && known.staging === staging && found === wanted) {
        this.#undoPage();
        return;
      }
      if (known !== undefined) dropStaging(database, String(known.staging));
      dropStaging(database, staging);
      database.writer.exec(wanted);
      database.writer.exec(createStaging(database.writer, staging, layout).replace(quoted(staging), quoted(this.#undo)));
      database.prepare('INSERT OR REPLACE INTO _tidemark_loads VALUES (?, ?, ?, NULL, 0, 0)').run(unit, loadId, staging);
    });
  }

  /** Inserts the rows of one block; answers those that the table refuses. */
  stage(block: Block): StagedReject[] {
    if (this.#broken !== null) throw this.#broken;
    this.#chunk.begin(this);
    // Before each block: rows of a former owner must not mix with its successor's (P11).
    checkEpoch(this.#database, this.identity.unit, this.identity.epoch);
    const { layout } = this.statements;
    const reader = rowReader(block, this.statements, this.identity.stampColumn, this.#caches);
    const values = new Array<SqlValue>(layout.columns.length + 1).fill(null);
    const rejects: StagedReject[] = [];
    const { key } = layout;
    for (let r = 0; r < block.rowCount; r++) {
      try {
        reader.read(r, values);
        for (let k = 0; k < key.length; k++) if (values[key[k]!] === null) throw new MissingKeyError();
        if (this.#probe !== null) this.#tryOut(this.#probe, values);
        if (this.#insert.run(...values).changes === 0) this.#replace(values);
        this.#pageRows++;
      } catch (error) {
        const reason = this.#reasonOf(error, block, r);
        // A trigger may have rolled back everything, not just its row.
        if (reason === null || !this.#database.writer.isTransaction) throw error;
        const stamp = stampReader(block.columns[this.identity.stampColumn]!)(r);
        rejects.push(rejectOf(layout, block, r, stamp, reason));
      }
    }
    this.#chunk.add(block.rowCount, chunkRowsMax);
    return rejects;
  }

  /** The page is whole: its position is kept, and its rows stay whatever happens. */
  keepPage(position: string): { rows: number } {
    if (this.#broken !== null) throw this.#broken;
    const { unit, epoch, staging } = this.identity;
    this.#chunk.begin(this);
    checkEpoch(this.#database, unit, epoch);
    this.#database.writer.exec(`DELETE FROM ${quoted(this.#undo)}`);
    this.#database
      .prepare(
        `UPDATE _tidemark_loads SET position = ?, row_count = row_count + ?,
         kept_rowid = (SELECT ifnull(max(rowid), 0) FROM ${quoted(staging)}) WHERE unit = ?`,
      )
      .run(position, this.#pageRows, unit);
    this.#chunk.commit();
    if (this.#broken !== null) throw this.#broken;
    this.#pageRows = 0;
    return { rows: this.kept.rows };
  }

  /** The page broke off: everything is as it was before it. A former owner leaves its successor's page alone (P11). */
  dropPage(): void {
    const { unit, epoch } = this.identity;
    this.#chunk.commit();
    this.#broken = null;
    this.#pageRows = 0;
    this.#database.transaction(() => {
      checkEpoch(this.#database, unit, epoch);
      this.#undoPage();
    });
  }

  /** A chunk that held rows of this load could not be committed. */
  breakOff(error: unknown): void {
    this.#broken = error;
  }

  #undoPage(): void {
    const { unit, staging, layout } = this.identity;
    const mark = this.#database.prepare('SELECT kept_rowid FROM _tidemark_loads WHERE unit = ?').get(unit);
    // Another load has taken the table, or a finished one has dropped it: nothing of ours is left.
    if (mark === undefined || !hasTable(this.#database, staging)) return;
    this.#database.prepare(`DELETE FROM ${quoted(staging)} WHERE rowid > ?`).run(mark.kept_rowid as number);
    const columns = [...layout.columns.map(({ column }) => quoted(column)), STAMP];
    this.#database.writer.exec(
      `UPDATE ${quoted(staging)} AS s SET ${columns.map((column) => `${column} = u.${column}`).join(', ')}
       FROM ${quoted(this.#undo)} AS u WHERE ${sameKey(layout, 's', 'u')};
       DELETE FROM ${quoted(this.#undo)};`,
    );
  }

  /** A table with rules of the user's own: a row that breaks them has to be found now, by itself, and not in the merge (P2). */
  #needsProbe(): boolean {
    const { writer } = this.#database;
    const { layout } = this.identity;
    return !isAsWeMadeIt(writer, layout) || describeTable(writer, layout.table).uniques.length > 2;
  }

  /** Writes the row to the table itself and takes it back. */
  #tryOut(probe: StatementSync, values: readonly SqlValue[]): void {
    const { writer } = this.#database;
    writer.exec('SAVEPOINT probe');
    try {
      probe.run(...values);
    } finally {
      if (writer.isTransaction) writer.exec('ROLLBACK TO probe; RELEASE probe');
    }
  }

  /** A key that comes again: the later row counts. In place, so that the row keeps its rowid and with it its page. */
  #replace(values: readonly SqlValue[]): void {
    const { unit, staging, layout } = this.identity;
    const key = layout.key.map((index) => values[index]!);
    const where = layout.key.map((index, i) => `${quoted(layout.columns[index]!.column)} = ?${i + 2}`).join(' AND ');
    const kept = this.#database.prepare('SELECT kept_rowid FROM _tidemark_loads WHERE unit = ?').get(unit)!.kept_rowid as number;
    this.#database
      .prepare(`INSERT OR IGNORE INTO ${quoted(this.#undo)} SELECT * FROM ${quoted(staging)} WHERE rowid <= ?1 AND ${where}`)
      .run(kept, ...key);
    this.#database.prepare(upsertInto(this.statements)).run(...values);
  }

  #reasonOf(error: unknown, block: Block, row: number): StagedReject['reason'] | null {
    const { layout, forms } = this.statements;
    if (error instanceof MissingKeyError) {
      const names = layout.key.map((index) => layout.columns[index]!.field).join(', ');
      return { code: 'key_missing', message: `${names} is null` };
    }
    if (!(error instanceof MismatchError)) return rejectionOf(error);
    // The fast path does not know which cell it was: look again, with names.
    try {
      layout.columns.forEach(({ field, type }, c) => {
        named(field, type, () => cellReader(block.columns[c]!, forms[c]!)(row));
      });
    } catch (again) {
      if (again instanceof MismatchError) return { code: 'datatype_mismatch', message: again.message };
      throw again;
    }
    throw new FaultError({ code: 'invariant', message: 'A cell was refused once and taken the next time' });
  }
}

function upsertInto({ layout, insert }: TableStatements): string {
  const columns = [...layout.columns.map(({ column }) => quoted(column)), STAMP];
  return `${insert} ON CONFLICT (${conflictOf(layout)}) DO UPDATE SET ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}`;
}

class MissingKeyError extends Error {}

/** The transaction in which staged rows wait to be committed. Loads of one file share it. */
export class Chunk {
  readonly #database: Database;
  readonly #loads = new Set<Staging>();
  #rows = 0;
  #open = false;

  constructor(database: Database) {
    this.#database = database;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  begin(load: Staging): void {
    if (!this.#open) this.#database.writer.exec('BEGIN IMMEDIATE');
    this.#open = true;
    this.#loads.add(load);
  }

  add(rows: number, rowsMax: number): void {
    this.#rows += rows;
    if (this.#rows >= rowsMax) this.commit();
  }

  /** Never throws: every load whose rows were lost hears of it at its next step. */
  commit(): void {
    if (!this.#open) return;
    try {
      this.#database.writer.exec('COMMIT');
    } catch (error) {
      this.#database.rollback();
      for (const load of this.#loads) load.breakOff(error);
    }
    this.#open = false;
    this.#rows = 0;
    this.#loads.clear();
  }

  /** After an error that may have ended the transaction: what it held is lost. */
  abandon(error: unknown): void {
    if (!this.#open) return;
    this.#database.rollback();
    for (const load of this.#loads) load.breakOff(error);
    this.#open = false;
    this.#rows = 0;
    this.#loads.clear();
  }
}

export function dropStaging(database: Database, staging: string): void {
  database.writer.exec(`DROP TABLE IF EXISTS ${quoted(staging)}; DROP TABLE IF EXISTS ${quoted(undoTable(staging))}`);
}

export function sameKey(layout: TableLayout, a: string, b: string): string {
  return layout.key
    .map((index) => quoted(layout.columns[index]!.column))
    .map((column) => `${a}.${column} = ${b}.${column}`)
    .join(' AND ');
}

function undoTable(staging: string): string {
  return `${staging}_undo`;
}

function hasTable(database: Database, table: string): boolean {
  return database.prepare('SELECT 1 FROM sqlite_schema WHERE name = ?').get(table) !== undefined;
}

/** A refused row as it came, for the record of the failure. A cell that is no value of its type stays text. */
function rejectOf(layout: TableLayout, block: Block, r: number, stamp: string, reason: StagedReject['reason']): StagedReject {
  const row = Object.create(null) as Row;
  layout.columns.forEach((column, c) => {
    row[column.field] = originalOf(block.columns[c]!, r, column);
  });
  return { key: keyOfRefused(layout, row), row, stampMs: Date.parse(stamp), reason };
}

/** As `keyOf` of the core, which the worker does not load: that would take half a second of each run. */
export function keyOfRefused(layout: TableLayout, row: Row): string {
  const parts = layout.key.map((index) => row[layout.columns[index]!.field]);
  const texts = parts.map((part) => (part === null || part === undefined ? null : String(part)));
  return texts.includes(null) ? '' : texts.length === 1 ? texts[0]! : JSON.stringify(texts);
}

function originalOf(column: Column, r: number, { type }: Pick<FieldSchema, 'type'>): Row[string] {
  if (column.kind === 'constant') return column.value;
  if (column.kind === 'values') return column.values[r] ?? null;
  const text = textReader(column)(r);
  if (text === null) return null;
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  if (type === 'integer' || type === 'double' || type === 'decimal') {
    const value = Number(text);
    return text.trim() !== '' && String(value) === text ? value : text;
  }
  if (type !== 'json') return text;
  try {
    return JSON.parse(text) as Row[string];
  } catch {
    return text;
  }
}
