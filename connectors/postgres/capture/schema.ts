import { AccessDeniedError, type SchemaChange } from '@tidemark/core';
import { lockSchema } from '../checkpoints.ts';
import { type Client, type Pool, query, transaction } from '../driver.ts';
import { quoteName, quoteText } from '../identifiers.ts';
import { currentRole } from '../rights.ts';
import {
  type CapturedTable,
  captureNames,
  definitionOf,
  logTable,
  routineOf,
  type Statement,
  sharedTables,
  triggersOf,
} from './definition.ts';
import { deniedFor, lackingForCapture, READER_RIGHTS, refuseWithoutCaptures } from './rights.ts';
import { describeCaptured, isOutdated, keySignature, readState, whatIsMissing } from './state.ts';

/** A trigger is made under a lock that writers wait behind: better to give up than to stand in the application's way. */
const LOCKED = { settings: ["lock_timeout = '5s'"] };

/** What captures a table from here on. Empty when it is captured just as this version would. */
export async function planCapture(pool: Pool, schema: string, table: string): Promise<readonly SchemaChange[]> {
  return transaction(pool, { readOnly: true }, async (client) => (await planned(client, schema, table)).map(asChange));
}

/** @throws {AccessDeniedError} with the statements for whoever has the rights. */
export async function installCapture(
  pool: Pool,
  schema: string,
  table: string,
  signal: AbortSignal,
): Promise<readonly SchemaChange[]> {
  let statements: readonly Statement[] = [];
  try {
    await transaction(pool, { ...LOCKED, signal }, async (client) => {
      await lockSchema(client, schema);
      statements = await planned(client, schema, table);
      const lacking = statements.length === 0 ? [] : await lackingForCapture(client, { schema, table }, statements);
      if (lacking.length > 0) throw deniedFor(lacking, ` Or: ${byHand(statements)}`);
      for (const { sql } of statements) await client.query(sql);
    });
  } catch (error) {
    if (!(error instanceof AccessDeniedError) || error.cause === undefined || statements.length === 0) throw error;
    throw new AccessDeniedError(error.message, { cause: error, hint: byHand(statements) });
  }
  return statements.map(asChange);
}

/** Takes everything away that a capture consists of; what all captures share goes with the last one. */
export async function removeCapture(
  pool: Pool,
  schema: string,
  table: string,
  signal: AbortSignal,
): Promise<readonly SchemaChange[]> {
  return transaction(pool, { ...LOCKED, signal }, async (client) => {
    await lockSchema(client, schema);
    const statements = await removal(client, schema, table);
    for (const { sql } of statements) await client.query(sql);
    return statements.map(asChange);
  });
}

/** For a hint: everything in one piece, as psql takes it. */
export function byHand(statements: readonly Statement[]): string {
  const sql = statements.map((statement) => `${statement.sql};`).join('\n');
  return `Let someone who may run:\nBEGIN;\n${sql}\nCOMMIT;`;
}

export async function planned(client: Client, schema: string, table: string): Promise<Statement[]> {
  const captured = await describeCaptured(client, schema, table);
  await refuseWithoutCaptures(client, captured);
  const names = captureNames(captured);
  const state = await readState(client, captured);
  const missing = whatIsMissing(state, captured);
  if (missing === null && !isOutdated(state, captured)) return [];
  const statements: Statement[] = state.shared ? [] : sharedTables(names);
  if (missing === null)
    return [...statements, routineOf(captured), ...triggersMade(captured, state.triggers), noted(captured, false)];
  // What the log holds of a table that was not captured throughout is of no use: it begins anew, and every sync reads in full once.
  if (state.log) statements.push({ summary: `table ${names.log} begins anew`, sql: `DROP TABLE ${names.log}` });
  statements.push(
    logTable(names),
    routineOf(captured),
    notCallable(names),
    ...triggersMade(captured, state.triggers),
    noted(captured, true),
  );
  return [...statements, ...(await granted(client, captured))];
}

/** Triggers that are there are left alone: to replace one takes a lock on the table. */
function triggersMade(table: CapturedTable, standing: ReadonlySet<string>): Statement[] {
  const names = captureNames(table);
  return triggersOf(table)
    .filter(({ name }) => !standing.has(name))
    .map(({ name, sql }) => ({
      summary: `trigger ${name} on ${names.table}`,
      sql: `DROP TRIGGER IF EXISTS ${name} ON ${names.table};\n${sql}`,
    }));
}

function notCallable({ routine }: ReturnType<typeof captureNames>): Statement {
  return { summary: `${routine} is for its own triggers only`, sql: `REVOKE ALL ON FUNCTION ${routine}() FROM PUBLIC` };
}

/** The identifier of a capture changes when its log begins anew: checkpoints of the former one are worth nothing then. */
function noted(table: CapturedTable, anew: boolean): Statement {
  const { captures, consumers } = captureNames(table);
  const values = [
    table.table,
    JSON.stringify(keySignature(table)),
    definitionOf(table),
    JSON.stringify(table.columns.map(({ name }) => name)),
  ].map(quoteText);
  const forget = anew ? `DELETE FROM ${consumers} WHERE capture = ${values[0]};\n` : '';
  return {
    summary: `${table.schema}.${table.table} is noted as captured`,
    sql: `${forget}INSERT INTO ${captures} (table_name, key_columns, definition, columns) VALUES (${values.join(', ')})
ON CONFLICT (table_name) DO UPDATE SET key_columns = excluded.key_columns, definition = excluded.definition, columns = excluded.columns${
      anew ? ', id = excluded.id' : ''
    }`,
  };
}

/** When another user runs the statements, ours has to read the log, empty it, and say how far it has come. */
async function granted(client: Client, table: CapturedTable): Promise<Statement[]> {
  const names = captureNames(table);
  const role = await currentRole(client);
  return [
    {
      summary: `${role} reads and empties the log`,
      sql: (['log', 'captures', 'consumers'] as const)
        .map((what) => `GRANT ${READER_RIGHTS[what].join(', ')} ON ${names[what]} TO ${role}`)
        .join(';\n'),
    },
  ];
}

async function removal(client: Client, schema: string, table: string): Promise<Statement[]> {
  const names = captureNames({ schema, table });
  const state = await readState(client, { schema, table });
  const statements: Statement[] = [];
  // Disabled ones as well, which the state does not count.
  const standing = await query(
    client,
    `SELECT t.tgname FROM pg_trigger t WHERE t.tgrelid = to_regclass($1) AND t.tgparentid = 0 AND t.tgname LIKE '\\_tidemark\\_capture\\_%'`,
    [names.table],
  );
  for (const [name] of standing.rows) {
    statements.push({
      summary: `trigger ${name} on ${names.table} goes`,
      sql: `DROP TRIGGER ${quoteName(name!)} ON ${names.table}`,
    });
  }
  if (state.routine) statements.push({ summary: `function ${names.routine} goes`, sql: `DROP FUNCTION ${names.routine}()` });
  if (state.log) statements.push({ summary: `table ${names.log} goes`, sql: `DROP TABLE ${names.log}` });
  if (!state.shared) return statements;
  const others = await query(client, `SELECT count(*) FROM ${names.captures} WHERE table_name <> $1`, [table]);
  if (others.rows[0]![0] === '0') {
    statements.push({
      summary: `tables ${names.captures} and ${names.consumers} go`,
      sql: `DROP TABLE ${names.captures}, ${names.consumers}`,
    });
  } else if (state.kept !== null) {
    const name = quoteText(table);
    statements.push({
      summary: `${schema}.${table} is no longer noted as captured`,
      sql: `DELETE FROM ${names.consumers} WHERE capture = ${name}; DELETE FROM ${names.captures} WHERE table_name = ${name}`,
    });
  }
  return statements;
}

function asChange({ summary, sql }: Statement): SchemaChange {
  return { summary, statement: sql };
}
