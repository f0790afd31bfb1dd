import type { Update } from '@tidemark/core';
import type { Database } from './database.ts';
import { DELETED_AT, inScope, quoted, STAMP } from './identifiers.ts';
import { boundKey, named, noStamp, type TableStatements } from './statements.ts';

/**
 * Sets the fields of one row that stands. A statement for each set of columns: one for all of them would write the indexes of
 * columns that nobody touches. What no sync has written is absent, too: it is taken over whole, or not at all.
 *
 * @throws {MismatchError}
 */
export function applyUpdate(database: Database, statements: TableStatements, { key, row, stampMs }: Update) {
  const bound = boundKey(statements, key);
  if (bound === null) return 'absent';
  const { layout, forms } = statements;
  const { indexes, texts } = updatesOf(statements);
  const set: number[] = [];
  for (const field in row) {
    const index = indexes.get(field);
    if (index !== undefined) set.push(index);
  }
  set.sort((a, b) => a - b);
  const values = set.map((index) => {
    const { field, type } = layout.columns[index]!;
    const value = row[field];
    return value === null || value === undefined ? null : named(field, type, () => forms[index]!.bind(value));
  });
  const stamp = new Date(stampMs).toISOString();
  if (set.length > 0) {
    const shape = set.join();
    let text = texts.get(shape);
    if (text === undefined) {
      text = updateText(statements, set);
      texts.set(shape, text);
    }
    if (database.prepare(text).run(...values, stamp, ...bound).changes === 1) return 'updated';
  }
  const found = database.prepare(statements.find).get(...bound);
  if (found === undefined) return 'absent';
  const [stored, deletedAt] = Object.values(found) as [string | null, string | null];
  if (stored === null || deletedAt !== null) return 'absent';
  // Otherwise a delayed change from between the two stamps would win.
  if (stamp > stored && stamp !== noStamp) database.prepare(statements.move).run(stamp, ...bound);
  return 'unchanged';
}

interface Updates {
  /** Of the columns that an update may set. */
  readonly indexes: ReadonlyMap<string, number>;
  readonly texts: Map<string, string>;
}

const known = new WeakMap<TableStatements, Updates>();

function updatesOf(statements: TableStatements): Updates {
  let updates = known.get(statements);
  if (updates === undefined) {
    const { columns, key } = statements.layout;
    const settable = columns.map(({ field }, index) => [field, index] as const).filter(([, index]) => !key.includes(index));
    updates = { indexes: new Map(settable), texts: new Map() };
    known.set(statements, updates);
  }
  return updates;
}

/** Needs the values, the stamp, the key. Touches a row only where a value differs, and none with a newer stamp. */
function updateText({ layout }: TableStatements, set: readonly number[]): string {
  const columns = set.map((index) => quoted(layout.columns[index]!.column));
  const stamp = `?${set.length + 1}`;
  const key = layout.key.map((index, i) => `${quoted(layout.columns[index]!.column)} = ?${set.length + 2 + i}`);
  // COLLATE BINARY: a user's column that ignores case must not hide a change of case.
  const differs = columns.map((column, i) => `${column} COLLATE BINARY IS NOT ?${i + 1}`);
  return `UPDATE ${quoted(layout.table)} SET ${columns.map((column, i) => `${column} = ?${i + 1}`).join(', ')}, ${STAMP} = max(${STAMP}, ${stamp})
    WHERE ${key.join(' AND ')}${inScope(layout)} AND (${stamp} >= ${STAMP} OR ${stamp} = '${noStamp}' AND ${STAMP} IS NOT NULL)
    AND ${DELETED_AT} IS NULL AND (${differs.join(' OR ')})`;
}
