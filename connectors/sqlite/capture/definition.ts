import { createHash } from 'node:crypto';
import { DELETED_AT, quoted, STAMP } from '../identifiers.ts';

/** What a unique index besides the primary key looks at. */
export interface UniqueIndex {
  readonly columns: readonly { readonly name: string; readonly collation: string }[];
}

/** A table that can be captured. */
export interface CapturedTable {
  readonly table: string;
  /** Columns of the primary key, in its order. */
  readonly key: readonly string[];
  readonly columns: readonly string[];
  readonly uniques: readonly UniqueIndex[];
}

/** A statement that makes something, in words as well. */
export interface Statement {
  readonly summary: string;
  readonly sql: string;
}

export const CAPTURES = '_tidemark_captures';
export const CONSUMERS = '_tidemark_consumers';
/** Holds a row while we write, and only then: a trigger cannot see who runs it, and SQLite lets one write at a time. */
export const WRITER = '_tidemark_writer';

export const logOf = (table: string) => `_tidemark_log_${table}`;

const events = ['insert', 'update', 'delete'] as const;
const triggerOf = (what: string, table: string) => `_tidemark_capture_${what}_${table}`;

/** Names of all that a table's capture can have. */
export function triggerNames(table: string): string[] {
  return [...events, 'replace_insert', 'replace_update'].map((what) => triggerOf(what, table));
}

export function sharedTables(): Statement[] {
  return [
    {
      summary: `table ${CAPTURES}: which tables are captured`,
      sql: `CREATE TABLE IF NOT EXISTS ${CAPTURES} (
  table_name TEXT PRIMARY KEY COLLATE NOCASE, id TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))), key_columns TEXT NOT NULL,
  columns TEXT NOT NULL, definition TEXT NOT NULL)`,
    },
    {
      summary: `table ${CONSUMERS}: how far each sync has read their logs`,
      sql: `CREATE TABLE IF NOT EXISTS ${CONSUMERS} (
  id TEXT PRIMARY KEY, capture TEXT NOT NULL COLLATE NOCASE, unit TEXT NOT NULL, seq INTEGER NOT NULL, in_use INTEGER NOT NULL DEFAULT 0,
  seen_at REAL NOT NULL DEFAULT (julianday('now')))`,
    },
    {
      summary: `table ${WRITER}: by which Tidemark's own writes are told from others`,
      sql: `CREATE TABLE IF NOT EXISTS ${WRITER} (id INTEGER PRIMARY KEY CHECK (id = 1), units TEXT NOT NULL)`,
    },
  ];
}

/**
 * Its last row is never deleted, so that no number comes twice; an entry of no record is the first. Columns for the key have no
 * type: they keep every value just as it is stored.
 */
export function logTable({ table, key }: CapturedTable): Statement {
  const log = quoted(logOf(table));
  const keys = key.map((_, i) => `k${i}`).join(', ');
  return {
    summary: `table ${log}: the change log, written by triggers and emptied as it is read`,
    sql: `CREATE TABLE ${log} (
  seq INTEGER PRIMARY KEY, op TEXT NOT NULL, changed TEXT, writer TEXT, at_ms INTEGER, ${keys});
INSERT INTO ${log} (op) VALUES ('-')`,
  };
}

/** Understood by any SQLite that the application may be built with: the triggers run in its library, not in ours. */
const NOW_MS = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)";
const WRITTEN_BY = `(SELECT units FROM ${WRITER})`;
/** Terms of one expression: SQLite takes them a thousand deep. */
const TERMS = 100;

/** Names are written as JSON into the log; a column that is compared may have a collation that takes `A` for `a`. */
function changedColumns(columns: readonly string[]): string {
  const terms = columns.map((name) => {
    const column = quoted(name);
    const text = `,${JSON.stringify(name)}`.replaceAll("'", "''");
    return `CASE WHEN OLD.${column} IS NOT NEW.${column} COLLATE BINARY THEN '${text}' ELSE '' END`;
  });
  const groups: string[] = [];
  for (let at = 0; at < terms.length; at += TERMS) groups.push(`(${terms.slice(at, at + TERMS).join(' ||\n    ')})`);
  return groups.length === 0 ? 'NULL' : `'[' || substr(${groups.join(' || ')}, 2) || ']'`;
}

/** Columns whose changes count: ours only say when a sync has written. */
export function comparedColumns({ columns }: CapturedTable): string[] {
  return columns.filter((name) => name !== STAMP && name !== DELETED_AT);
}

/**
 * Triggers for what a statement does to rows, and for what `REPLACE` does besides: unless the application has set
 * `recursive_triggers`, a row that it pushes aside is deleted without a word, so it is looked for before.
 */
export function triggersOf(captured: CapturedTable): (Statement & { readonly name: string })[] {
  const { table, key, uniques } = captured;
  const log = quoted(logOf(table));
  const keys = key.map((_, i) => `k${i}`).join(', ');
  const values = (row: string) => key.map((name) => `${row}.${quoted(name)}`).join(', ');
  const differs = (a: string, b: string) =>
    `(${key.map((name) => `${a}.${quoted(name)} IS NOT ${b}.${quoted(name)} COLLATE BINARY`).join(' OR ')})`;
  const entry = (op: string, row: string, changed = 'NULL') =>
    `INSERT INTO ${log} (op, changed, writer, at_ms, ${keys}) SELECT ${op}, ${changed}, ${WRITTEN_BY}, ${NOW_MS}, ${values(row)}`;
  const pushedAside = (self: string) =>
    uniques.map(
      ({ columns }) =>
        `${entry("'R'", 'o')} FROM ${quoted(table)} o
    WHERE ${columns.map(({ name, collation }) => `o.${quoted(name)} = NEW.${quoted(name)} COLLATE ${quoted(collation)}`).join(' AND ')} AND ${differs('o', self)};`,
    );
  const made = (what: string, when: string, body: readonly string[]) => {
    const name = triggerOf(what, table);
    return {
      name,
      summary: `trigger ${quoted(name)}`,
      sql: `CREATE TRIGGER ${quoted(name)} ${when} ON ${quoted(table)} BEGIN
  ${body.join('\n  ')}
END`,
    };
  };
  const changed = `CASE WHEN ${differs('OLD', 'NEW')} THEN NULL ELSE ${changedColumns(comparedColumns(captured))} END`;
  const uniqueColumns = new Set(uniques.flatMap(({ columns }) => columns.map(({ name }) => quoted(name))));
  return [
    made('insert', 'AFTER INSERT', [`${entry("'I'", 'NEW')};`]),
    made('update', 'AFTER UPDATE', [
      `${entry("'D'", 'OLD')} WHERE ${differs('OLD', 'NEW')};`,
      `${entry("'U'", 'NEW', changed)};`,
    ]),
    made('delete', 'AFTER DELETE', [`${entry("'D'", 'OLD')};`]),
    ...(uniques.length === 0
      ? []
      : [
          made('replace_insert', 'BEFORE INSERT', pushedAside('NEW')),
          made('replace_update', `BEFORE UPDATE OF ${[...uniqueColumns].join(', ')}`, pushedAside('OLD')),
        ]),
  ];
}

/** Everything that a capture consists of, for telling whether what is there is what this version makes. */
export function definitionOf(captured: CapturedTable): string {
  return createHash('sha256')
    .update(
      triggersOf(captured)
        .map(({ sql }) => sql)
        .join('\n'),
    )
    .digest('hex')
    .slice(0, 32);
}
