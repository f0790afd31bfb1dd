import type { StatementSync } from 'node:sqlite';
import type { DeleteRule, LoadCounts, Row } from '@tidemark/core';
import { applyDelete } from './apply-changes.ts';
import { writingFor, writtenFor } from './capture/own-writes.ts';
import { checkEpoch, type Database, keepCheckpoint } from './database.ts';
import { rejectionOf } from './fault.ts';
import { catchUp } from './history-definition.ts';
import { conflictOf, DELETED_AT, inScope, quoted, STAMP, scopeOfInsert } from './identifiers.ts';
import type { TableLayout } from './layout.ts';
import { dropStaging, keyOfRefused, type LoadIdentity, type StagedReject, sameKey } from './staging.ts';
import { boundKey, noStamp, statementsOf, valuesOf } from './statements.ts';
import { mayTakePlace } from './table.ts';
import type { SqlValue } from './values.ts';

export interface FinishRequest {
  readonly identity: LoadIdentity;
  readonly deletes: DeleteRule;
  readonly gone: readonly string[];
  readonly checkpoint: string | null;
  readonly now: string;
  /** Staged rows to be left out, by rowid: an earlier attempt found that the table refuses them. */
  readonly without: readonly number[];
}

/** What came of it: counts of what was committed; or rows that the table refuses, and nothing was changed. */
export type Finished = { readonly counts: LoadCounts } | { readonly refused: readonly Refused[] };

export interface Refused extends StagedReject {
  readonly rowid: number;
}

/** Rolls back what found out about the rows. */
class RefusedError extends Error {
  readonly rows: readonly Refused[];
  constructor(rows: readonly Refused[]) {
    super('rows are refused');
    this.rows = rows;
  }
}

/**
 * Brings a staged load into the table, removes what is gone and keeps the checkpoint: one transaction. A row may clash with
 * another one only here (a value that has to be unique): such rows are answered, so that they are on record before anything
 * is committed (P2), and the caller asks again without them.
 */
export function finishLoad(database: Database, request: FinishRequest): Finished {
  try {
    return { counts: database.transaction(() => finish(database, request)) };
  } catch (error) {
    if (error instanceof RefusedError) return { refused: error.rows };
    throw error;
  }
}

function finish(database: Database, request: FinishRequest): LoadCounts {
  const { identity } = request;
  const { layout, staging, unit } = identity;
  checkEpoch(database, unit, identity.epoch);
  writingFor(database, [unit]);
  for (const rowid of request.without) database.prepare(`DELETE FROM ${quoted(staging)} WHERE rowid = ?`).run(rowid);
  const staged = count(database, staging);
  const isEmpty = database.writer.prepare(`SELECT 1 FROM ${quoted(layout.table)} LIMIT 1`).get() === undefined;
  const merged =
    isEmpty && mayTakePlace(database.writer, layout) ? swap(database, identity, staged) : merge(database, identity, staged);
  const deleted = removeGone(database, request);
  dropStaging(database, staging);
  database.prepare('DELETE FROM _tidemark_loads WHERE unit = ?').run(unit);
  if (request.checkpoint !== null) keepCheckpoint(database, unit, request.checkpoint);
  writtenFor(database);
  return { ...merged, deleted };
}

/** An empty table of ours gives its place to the staged one: nothing is copied, and the rows begin their history at once. */
function swap(database: Database, { layout, staging }: LoadIdentity, staged: number): Omit<LoadCounts, 'deleted'> {
  const belongings = database.writer
    .prepare("SELECT sql FROM sqlite_schema WHERE type IN ('index', 'trigger') AND tbl_name = ? AND sql IS NOT NULL")
    .all(layout.table);
  database.writer.exec(`DROP TABLE ${quoted(layout.table)}`);
  database.writer.exec(`ALTER TABLE ${quoted(staging)} RENAME TO ${quoted(layout.table)}`);
  for (const { sql } of belongings) database.writer.exec(String(sql));
  if (layout.history !== undefined) for (const sql of catchUp(layout.history)) database.writer.exec(sql);
  return { created: staged, updated: 0, unchanged: 0 };
}

/** Two passes over the staged rows; rows that are equal are read and not written. */
function merge(database: Database, { layout, staging }: LoadIdentity, staged: number): Omit<LoadCounts, 'deleted'> {
  const table = quoted(layout.table);
  const before = count(database, layout.table, inScope(layout));
  const columns = layout.columns.map(({ column }) => quoted(column));
  const names = [...columns, STAMP].join(', ');
  const scope = scopeOfInsert(layout);
  const values = columns.filter((_, i) => !layout.key.includes(i));
  const assign = [...values, STAMP].map((column) =>
    column === STAMP ? `${STAMP} = max(ifnull(t.${STAMP}, ''), excluded.${STAMP})` : `${column} = excluded.${column}`,
  );
  const differs = [
    `t.${DELETED_AT} IS NOT NULL`,
    ...values.map((column) => `t.${column} COLLATE BINARY IS NOT excluded.${column}`),
  ];
  const changes = throughRanges(
    database,
    { layout, staging },
    database.writer.prepare(
      `INSERT INTO ${table} AS t (${names}${scope.column}) SELECT ${names}${scope.value} FROM ${quoted(staging)} WHERE rowid BETWEEN ?1 AND ?2
       ON CONFLICT (${conflictOf(layout)}) DO UPDATE SET ${assign.join(', ')}, ${DELETED_AT} = NULL
       WHERE (t.${STAMP} IS NULL OR excluded.${STAMP} >= t.${STAMP} OR excluded.${STAMP} = '${noStamp}') AND (${differs.join(' OR ')})`,
    ),
  );
  // Equal values with a newer stamp: the stamp alone moves, and the row counts as unchanged.
  database.writer.exec(
    `UPDATE ${table} AS t SET ${STAMP} = s.${STAMP} FROM ${quoted(staging)} AS s
     WHERE ${sameKey(layout, 't', 's')}${inScope(layout, 't')} AND (t.${STAMP} IS NULL OR s.${STAMP} > t.${STAMP})`,
  );
  const created = count(database, layout.table, inScope(layout)) - before;
  const updated = changes - created;
  return { created, updated, unchanged: staged - created - updated };
}

/** Runs the statement over all staged rows at once; when the table refuses one of them, over halves, until it is found. */
function throughRanges(
  database: Database,
  { layout, staging }: Pick<LoadIdentity, 'layout' | 'staging'>,
  statement: StatementSync,
): number {
  const ends = database.writer.prepare(`SELECT min(rowid) AS low, max(rowid) AS high FROM ${quoted(staging)}`).get()!;
  const refused: Refused[] = [];
  const run = (low: number, high: number): number => {
    try {
      return Number(statement.run(low, high).changes);
    } catch (error) {
      const reason = rejectionOf(error);
      // A trigger may have rolled back everything, not just its statement.
      if (reason === null || !database.writer.isTransaction) throw error;
      if (low === high) {
        refused.push(refusedRow(database, layout, staging, low, reason));
        return 0;
      }
      const middle = Math.floor((low + high) / 2);
      return run(low, middle) + run(middle + 1, high);
    }
  };
  const changes = ends.low === null ? 0 : run(ends.low as number, ends.high as number);
  if (refused.length > 0) throw new RefusedError(refused);
  return changes;
}

function refusedRow(
  database: Database,
  layout: TableLayout,
  staging: string,
  rowid: number,
  reason: StagedReject['reason'],
): Refused {
  const columns = [...layout.columns.map(({ column }) => quoted(column)), STAMP].join(', ');
  const read = database.writer.prepare(`SELECT ${columns} FROM ${quoted(staging)} WHERE rowid = ?`);
  read.setReturnArrays(true);
  read.setReadBigInts(true);
  const stored = read.get(rowid) as unknown as SqlValue[];
  const { forms } = statementsOf(layout);
  const values = valuesOf(forms, stored.slice(0, -1));
  const row = Object.create(null) as Row;
  layout.columns.forEach(({ field }, i) => {
    row[field] = values[i]!;
  });
  return { rowid, key: keyOfRefused(layout, row), row, stampMs: Date.parse(String(stored.at(-1) ?? noStamp)), reason };
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

function count(database: Database, table: string, and = ''): number {
  return database.writer.prepare(`SELECT count(*) AS n FROM ${quoted(table)} WHERE true${and}`).get()!.n as number;
}
