import { RequestRefusedError } from '@tidemark/core';
import { type Client, query } from '../driver.ts';
import { type CapturedColumn, type CapturedTable, captureNames, definitionOf, triggersOf } from './definition.ts';

/** What there is of a table's capture. */
export interface CaptureState {
  readonly shared: boolean;
  readonly log: boolean;
  readonly routine: boolean;
  /** Names of our triggers that stand and fire. */
  readonly triggers: ReadonlySet<string>;
  /** How it is noted among the captures; null when it is not. */
  readonly kept: { readonly id: string; readonly key: readonly string[]; readonly definition: string } | null;
}

/** @throws {RequestRefusedError} there is no such table, or no trigger could tell of all that happens to it. */
export async function describeCaptured(client: Client, schema: string, table: string): Promise<CapturedTable> {
  const shown = `${schema}.${table}`;
  const found = await query(
    client,
    `SELECT c.oid, c.relkind, c.relpersistence, c.relispartition,
            EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid), EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r','p','v','m','f')`,
    [schema, table],
  );
  const [oid, kind, persistence, isPartition, hasChildren, hasParent] = found.rows[0] ?? [];
  if (oid === undefined) {
    throw new RequestRefusedError(`There is no table ${shown}`, {
      hint: 'Names are taken as they are written, with capitals. `schema` of the connection says where to look.',
    });
  }
  const refuse = (why: string, hint: string) => new RequestRefusedError(`${shown} cannot be captured: ${why}`, { hint });
  if (kind !== 'r' && kind !== 'p') throw refuse('it is no table', 'Capture the tables behind it, or use a watermark.');
  if (persistence !== 'p')
    throw refuse('it is unlogged, and empty after a crash', 'ALTER TABLE … SET LOGGED, or use a watermark.');
  if (isPartition === 't') throw refuse('it is a partition', 'Capture the partitioned table that it belongs to.');
  if (kind === 'r' && (hasChildren === 't' || hasParent === 't')) {
    throw refuse(
      'it inherits, or is inherited from',
      'What is written by way of the other table is not seen here: use a watermark.',
    );
  }
  const columns = await query(
    client,
    `SELECT a.attname, a.atttypid, format_type(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END, NULL), a.attgenerated = 'v'
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    [oid],
  );
  const key = await query(
    client,
    `SELECT a.attname FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
     JOIN pg_attribute a ON a.attrelid = $1 AND a.attnum = k.attnum
     WHERE i.indrelid = $1 AND i.indisprimary AND k.place <= i.indnkeyatts ORDER BY k.place`,
    [oid],
  );
  if (key.rows.length === 0) {
    throw refuse('it has no primary key', 'Only a primary key names a row that was deleted: add one, or use a watermark.');
  }
  return {
    schema,
    table,
    isPartitioned: kind === 'p',
    key: key.rows.map(([name]) => name!),
    columns: columns.rows.map(([name, typeId, baseType, virtual]): CapturedColumn => {
      return { name: name!, typeId: typeId!, baseType: baseType!, isVirtual: virtual === 't' };
    }),
  };
}

export async function readState(client: Client, table: Pick<CapturedTable, 'schema' | 'table'>): Promise<CaptureState> {
  const names = captureNames(table);
  const { rows } = await query(
    client,
    `SELECT to_regclass($1) IS NOT NULL, to_regclass($2) IS NOT NULL AND to_regclass($3) IS NOT NULL, to_regproc($4) IS NOT NULL,
            (SELECT coalesce(json_agg(t.tgname), '[]') FROM pg_trigger t
             WHERE t.tgrelid = to_regclass($5) AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgname LIKE '\\_tidemark\\_capture\\_%')`,
    [names.log, names.captures, names.consumers, names.routine, names.table],
  );
  const [log, shared, routine, triggers] = rows[0] as [string, string, string, string];
  const kept =
    shared === 't'
      ? await query(client, `SELECT id, key_columns, definition FROM ${names.captures} WHERE table_name = $1`, [table.table])
      : { rows: [] };
  const [id, key, definition] = kept.rows[0] ?? [];
  return {
    shared: shared === 't',
    log: log === 't',
    routine: routine === 't',
    triggers: new Set(JSON.parse(triggers) as string[]),
    kept: id == null ? null : { id, key: JSON.parse(key!) as string[], definition: definition! },
  };
}

/** Why a capture does not tell of everything, in words; null when it does. */
export function whatIsMissing(state: CaptureState, table: CapturedTable): string | null {
  const { kept } = state;
  if (kept === null || !state.log || !state.routine) return 'is not captured yet';
  const lost = triggersOf(table).filter(({ name }) => !state.triggers.has(name));
  if (lost.length > 0)
    return `has lost triggers of its capture, or they are disabled: ${lost.map(({ name }) => name).join(', ')}`;
  if (kept.key.join('\n') !== keySignature(table).join('\n')) return 'has another primary key than when its capture was made';
  return null;
}

/** The primary key with its types: keys in the log are of no use for another one. */
export function keySignature({ key, columns }: CapturedTable): string[] {
  return key.map((name) => `${name} ${columns.find((column) => column.name === name)!.baseType}`);
}

/** Whether it works, and was made for other columns or by another version. */
export function isOutdated(state: CaptureState, table: CapturedTable): boolean {
  return state.kept !== null && state.kept.definition !== definitionOf(table);
}
