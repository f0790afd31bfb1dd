import type { SchemaChange } from '@tidemark/core';
import type { SqliteClient } from '../client.ts';
import { quoted } from '../identifiers.ts';
import {
  CAPTURES,
  CONSUMERS,
  comparedColumns,
  definitionOf,
  logOf,
  logTable,
  type Statement,
  sharedTables,
  triggerNames,
  triggersOf,
  WRITER,
} from './definition.ts';
import type { CaptureFacts } from './describe.ts';
import { lookup } from './lookup.ts';

/** What captures a table from here on. Empty when it is captured just as this version would. */
export async function planCapture(client: SqliteClient, table: string): Promise<readonly SchemaChange[]> {
  return planned(await client.call('describeCapture', table)).map(asChange);
}

export async function installCapture(client: SqliteClient, table: string): Promise<readonly SchemaChange[]> {
  const statements = planned(await client.call('describeCapture', table));
  await perform(client, statements);
  return statements.map(asChange);
}

/** Takes everything away that a capture consists of; what all captures share goes with the last one. */
export async function removeCapture(client: SqliteClient, table: string): Promise<readonly SchemaChange[]> {
  const rows = await lookup(client, 'SELECT name FROM sqlite_schema WHERE name IN (SELECT value FROM json_each(?))', [
    JSON.stringify([...triggerNames(table), logOf(table), CAPTURES]),
  ]);
  const standing = new Set(rows.map(([name]) => String(name)));
  const statements: Statement[] = triggerNames(table)
    .filter((name) => standing.has(name))
    .map((name) => ({ summary: `trigger ${quoted(name)} goes`, sql: `DROP TRIGGER ${quoted(name)}` }));
  if (standing.has(logOf(table)))
    statements.push({ summary: `table ${quoted(logOf(table))} goes`, sql: `DROP TABLE ${quoted(logOf(table))}` });
  if (standing.has(CAPTURES)) {
    const others = await lookup(client, `SELECT 1 FROM ${CAPTURES} WHERE table_name <> ? COLLATE NOCASE`, [table]);
    if (others.length === 0) {
      statements.push({
        summary: `tables ${CAPTURES}, ${CONSUMERS} and ${WRITER} go`,
        sql: `DROP TABLE ${CAPTURES};\nDROP TABLE ${CONSUMERS};\nDROP TABLE ${WRITER}`,
      });
    } else {
      const name = literal(table);
      statements.push({
        summary: `${table} is no longer noted as captured`,
        sql: `DELETE FROM ${CONSUMERS} WHERE capture = ${name};\nDELETE FROM ${CAPTURES} WHERE table_name = ${name}`,
      });
    }
  }
  await perform(client, statements);
  return statements.map(asChange);
}

/** Why a capture does not tell of everything, in words; null when it does. */
export function whatIsMissing({ captured, kept, log, triggers }: CaptureFacts): string | null {
  if (kept === null || !log) return 'is not captured yet';
  const standing = new Set(triggers.map(({ name }) => name));
  const lost = triggersOf(captured).filter(({ name }) => !standing.has(name) && !name.startsWith('_tidemark_capture_replace_'));
  if (lost.length > 0) return `has lost triggers of its capture: ${lost.map(({ name }) => name).join(', ')}`;
  if (kept.key.join('\n') !== captured.key.join('\n')) return 'has another primary key than when its capture was made';
  return null;
}

/** Whether it works, and was made for other columns, other indexes or by another version. */
export function isOutdated({ captured, kept }: CaptureFacts): boolean {
  return kept !== null && kept.definition !== definitionOf(captured);
}

export function planned(facts: CaptureFacts): Statement[] {
  const { captured, shared, log, triggers } = facts;
  const missing = whatIsMissing(facts);
  if (missing === null && !isOutdated(facts)) return [];
  const renewed = [
    ...triggers.map(({ name }) => ({ summary: `trigger ${quoted(name)} is renewed`, sql: `DROP TRIGGER ${quoted(name)}` })),
    ...triggersOf(captured),
    noted(facts, missing !== null),
  ];
  const old = quoted(logOf(captured.table));
  // The former triggers did not know all columns, and so may have told of a change that nothing had changed.
  const untold = {
    summary: `${old} no longer says what has changed until now`,
    sql: `UPDATE ${old} SET changed = NULL WHERE changed IS NOT NULL`,
  };
  if (missing === null) return [...renewed, untold];
  return [
    ...(shared ? [] : sharedTables()),
    // What the log holds of a table that was not captured throughout is of no use: it begins anew, and every sync reads in full once.
    ...(log ? [{ summary: `table ${old} begins anew`, sql: `DROP TABLE ${old}` }] : []),
    logTable(captured),
    ...renewed,
  ];
}

function noted({ captured }: CaptureFacts, anew: boolean): Statement {
  const { table, key } = captured;
  const name = literal(table);
  const values = [
    name,
    literal(JSON.stringify(key)),
    literal(JSON.stringify(comparedColumns(captured))),
    literal(definitionOf(captured)),
  ];
  const set = 'key_columns = excluded.key_columns, columns = excluded.columns, definition = excluded.definition';
  return {
    summary: `${table} is noted as captured`,
    sql: anew
      ? `DELETE FROM ${CONSUMERS} WHERE capture = ${name};
DELETE FROM ${CAPTURES} WHERE table_name = ${name};
INSERT INTO ${CAPTURES} (table_name, key_columns, columns, definition) VALUES (${values.join(', ')})`
      : `INSERT INTO ${CAPTURES} (table_name, key_columns, columns, definition) VALUES (${values.join(', ')})
ON CONFLICT (table_name) DO UPDATE SET ${set}`,
  };
}

function perform(client: SqliteClient, statements: readonly Statement[]): Promise<void> {
  if (statements.length === 0) return Promise.resolve();
  return client.queued(() =>
    client.call(
      'changeSchema',
      statements.map(({ sql }) => sql),
    ),
  );
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function asChange({ summary, sql }: Statement): SchemaChange {
  return { summary, statement: sql };
}
