import type { DatabaseSync } from 'node:sqlite';
import type { Database } from '../database.ts';
import { FaultError } from '../fault.ts';
import { CAPTURES, type CapturedTable, logOf, triggerNames, type UniqueIndex } from './definition.ts';

/** What there is of a table's capture, as the worker finds it. */
export interface CaptureFacts {
  readonly captured: CapturedTable;
  /** Unique indexes that no trigger can look into: `REPLACE` may push a row aside by them without a word. */
  readonly blind: readonly string[];
  readonly shared: boolean;
  readonly log: boolean;
  readonly triggers: readonly { readonly name: string; readonly sql: string }[];
  readonly kept: {
    readonly id: string;
    readonly key: readonly string[];
    readonly columns: readonly string[];
    readonly definition: string;
  } | null;
}

type Row = { readonly [column: string]: unknown };

/** @throws {FaultError} request_refused: there is no such table, or none that triggers can tell of. */
export function describeCapture(database: Database, table: string): CaptureFacts {
  const { reader } = database;
  const all = (sql: string, ...values: string[]) => reader.prepare(sql).all(...values) as Row[];
  const [entry] = all("SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND name = ? COLLATE NOCASE", table);
  if (entry === undefined) throw refused(`There is no table ${table} in ${database.path}`, 'Check the name.');
  if (entry.type !== 'table') {
    throw refused(`${table} cannot be captured: it is no ordinary table`, 'Capture the tables behind it, or use a watermark.');
  }
  const name = String(entry.name);
  const columns = all('SELECT name, pk, hidden FROM pragma_table_xinfo(?) ORDER BY cid', name);
  const key = columns.filter(({ pk }) => Number(pk) > 0).sort((a, b) => Number(a.pk) - Number(b.pk));
  if (key.length === 0) {
    const hint = 'Only a primary key names a row that was deleted: add one, or use a watermark.';
    throw refused(`${name} cannot be captured: it has no primary key`, hint);
  }
  const schema = new Map(
    all('SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL').map((row) => [String(row.name), String(row.sql)]),
  );
  const { uniques, blind } = uniqueIndexes(reader, name);
  const shared = schema.has(CAPTURES);
  const kept = shared
    ? all(`SELECT id, key_columns, columns, definition FROM ${CAPTURES} WHERE table_name = ?`, name)[0]
    : undefined;
  return {
    captured: { table: name, key: key.map((row) => String(row.name)), columns: columns.map((row) => String(row.name)), uniques },
    blind,
    shared,
    log: schema.has(logOf(name)),
    triggers: triggerNames(name).flatMap((trigger) => {
      const sql = schema.get(trigger);
      return sql === undefined ? [] : [{ name: trigger, sql }];
    }),
    kept:
      kept === undefined
        ? null
        : {
            id: String(kept.id),
            key: JSON.parse(String(kept.key_columns)) as string[],
            columns: JSON.parse(String(kept.columns)) as string[],
            definition: String(kept.definition),
          },
  };
}

function uniqueIndexes(reader: DatabaseSync, table: string): { uniques: UniqueIndex[]; blind: string[] } {
  const uniques: UniqueIndex[] = [];
  const blind: string[] = [];
  const indexes = reader.prepare(
    'SELECT name, partial FROM pragma_index_list(?) WHERE "unique" = 1 AND origin <> \'pk\' ORDER BY name',
  );
  const columnsOf = reader.prepare('SELECT name, coll FROM pragma_index_xinfo(?) WHERE key = 1 ORDER BY seqno');
  for (const { name, partial } of indexes.all(table)) {
    const columns = columnsOf.all(String(name));
    // An expression has no name here; and to look for rows beside the condition of a partial index would read the whole table.
    if (partial === 1 || columns.some((column) => column.name === null)) blind.push(String(name));
    else uniques.push({ columns: columns.map((column) => ({ name: String(column.name), collation: String(column.coll) })) });
  }
  return { uniques, blind };
}

function refused(message: string, hint: string): FaultError {
  return new FaultError({ code: 'request_refused', message, hint });
}
