import type { DeleteRule, LoadCounts } from '@tidemark/core';
import { applyDelete } from './apply-changes.ts';
import { checkEpoch, type Database, keepCheckpoint } from './database.ts';
import { DELETED_AT, quoted, STAMP } from './identifiers.ts';
import { dropStaging, type LoadIdentity, sameKey } from './staging.ts';
import { boundKey, noStamp, statementsOf } from './statements.ts';
import { isAsWeMadeIt } from './table.ts';

export interface FinishRequest {
  readonly identity: LoadIdentity;
  readonly deletes: DeleteRule;
  readonly gone: readonly string[];
  readonly checkpoint: string | null;
  readonly now: string;
}

/** Brings a staged load into the table, removes what is gone and keeps the checkpoint: one transaction. */
export function finishLoad(database: Database, request: FinishRequest): LoadCounts {
  const { identity } = request;
  const { layout, staging, unit } = identity;
  return database.transaction(() => {
    checkEpoch(database, unit, identity.epoch);
    const staged = count(database, staging);
    const isEmpty = database.writer.prepare(`SELECT 1 FROM ${quoted(layout.table)} LIMIT 1`).get() === undefined;
    const merged =
      isEmpty && isAsWeMadeIt(database.writer, layout) ? swap(database, identity, staged) : merge(database, identity, staged);
    const deleted = removeGone(database, request);
    dropStaging(database, staging);
    database.prepare('DELETE FROM _tidemark_loads WHERE unit = ?').run(unit);
    if (request.checkpoint !== null) keepCheckpoint(database, unit, request.checkpoint);
    return { ...merged, deleted };
  });
}

/** An empty table of ours gives its place to the staged one: nothing is copied. */
function swap(database: Database, { layout, staging }: LoadIdentity, staged: number): Omit<LoadCounts, 'deleted'> {
  const indexes = database.writer
    .prepare("SELECT sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL")
    .all(layout.table);
  database.writer.exec(`DROP TABLE ${quoted(layout.table)}`);
  database.writer.exec(`ALTER TABLE ${quoted(staging)} RENAME TO ${quoted(layout.table)}`);
  for (const { sql } of indexes) database.writer.exec(String(sql));
  return { created: staged, updated: 0, unchanged: 0 };
}

/** Two passes over the staged rows; rows that are equal are read and not written. */
function merge(database: Database, { layout, staging }: LoadIdentity, staged: number): Omit<LoadCounts, 'deleted'> {
  const table = quoted(layout.table);
  const before = count(database, layout.table);
  const columns = layout.columns.map(({ column }) => quoted(column));
  const names = [...columns, STAMP].join(', ');
  const conflict = layout.key.map((index) => columns[index]).join(', ');
  const values = columns.filter((_, i) => !layout.key.includes(i));
  const assign = [...values, STAMP].map((column) =>
    column === STAMP ? `${STAMP} = max(ifnull(t.${STAMP}, ''), excluded.${STAMP})` : `${column} = excluded.${column}`,
  );
  const differs = [
    `t.${DELETED_AT} IS NOT NULL`,
    ...values.map((column) => `t.${column} COLLATE BINARY IS NOT excluded.${column}`),
  ];
  const { changes } = database.writer
    .prepare(
      `INSERT INTO ${table} AS t (${names}) SELECT ${names} FROM ${quoted(staging)} WHERE true
       ON CONFLICT (${conflict}) DO UPDATE SET ${assign.join(', ')}, ${DELETED_AT} = NULL
       WHERE (t.${STAMP} IS NULL OR excluded.${STAMP} >= t.${STAMP} OR excluded.${STAMP} = '${noStamp}') AND (${differs.join(' OR ')})`,
    )
    .run();
  // Equal values with a newer stamp: the stamp alone moves, and the row counts as unchanged.
  database.writer.exec(
    `UPDATE ${table} AS t SET ${STAMP} = s.${STAMP} FROM ${quoted(staging)} AS s
     WHERE ${sameKey(layout, 't', 's')} AND (t.${STAMP} IS NULL OR s.${STAMP} > t.${STAMP})`,
  );
  const created = count(database, layout.table) - before;
  const updated = Number(changes) - created;
  return { created, updated, unchanged: staged - created - updated };
}

function removeGone(database: Database, { identity, gone, deletes, now }: FinishRequest): number {
  const statements = statementsOf(identity.layout);
  let deleted = 0;
  for (const each of gone) {
    const key = boundKey(statements, each);
    const found = key === null ? undefined : database.prepare(statements.find).get(...key);
    if (found === undefined) continue;
    const stored = Object.values(found) as [string | null, string | null];
    if (applyDelete(database, statements, key!, stored, noStamp, deletes, now) === 'deleted') deleted++;
  }
  return deleted;
}

function count(database: Database, table: string): number {
  return database.writer.prepare(`SELECT count(*) AS n FROM ${quoted(table)}`).get()!.n as number;
}
