import { createHash } from 'node:crypto';
import { shortened } from '@tidemark/core';
import { dollarQuoted, NAME_BYTES_MAX, quoteName, quoteText } from '../identifiers.ts';
import { DELETED_AT, qualified, STAMP } from '../layout.ts';
import { WRITER_SETTING } from './own-writes.ts';

export interface CapturedColumn {
  readonly name: string;
  /** `pg_attribute.atttypid` */
  readonly typeId: string;
  /** As the catalog writes it, without length. */
  readonly baseType: string;
  /** Computed when it is read: no trigger ever sees its value. */
  readonly isVirtual: boolean;
}

/** A table that can be captured. */
export interface CapturedTable {
  readonly schema: string;
  readonly table: string;
  readonly isPartitioned: boolean;
  /** Columns of the primary key, in its order. */
  readonly key: readonly string[];
  readonly columns: readonly CapturedColumn[];
}

/** Names of what belongs to one captured table, as the catalog has them. */
export function rawCaptureNames(table: string) {
  const named = (what: string) => `_tidemark_${what}_${shortened(table, NAME_BYTES_MAX - '_tidemark_capture_'.length)}`;
  return {
    table,
    log: named('log'),
    routine: named('capture'),
    captures: '_tidemark_captures',
    consumers: '_tidemark_consumers',
  };
}

/** The same, quoted and with the schema. */
export function captureNames({ schema, table }: Pick<CapturedTable, 'schema' | 'table'>): ReturnType<typeof rawCaptureNames> {
  const { log, routine, captures, consumers } = rawCaptureNames(table);
  return {
    table: qualified(schema, table),
    log: qualified(schema, log),
    routine: qualified(schema, routine),
    captures: qualified(schema, captures),
    consumers: qualified(schema, consumers),
  };
}

/** One statement that makes what is needed, in words as well. */
export interface Statement {
  readonly summary: string;
  readonly sql: string;
}

/** Tables that all captures of a schema share: which there are, and who reads them. */
export function sharedTables(names: ReturnType<typeof captureNames>): Statement[] {
  return [
    {
      summary: `table ${names.captures}: which tables are captured`,
      sql: `CREATE TABLE IF NOT EXISTS ${names.captures} (
  table_name text PRIMARY KEY, id text NOT NULL DEFAULT gen_random_uuid()::text, key_columns text NOT NULL,
  definition text NOT NULL, columns text NOT NULL, made_at timestamptz NOT NULL DEFAULT now())`,
    },
    {
      summary: `table ${names.consumers}: how far each sync has read their logs`,
      sql: `CREATE TABLE IF NOT EXISTS ${names.consumers} (
  id text PRIMARY KEY, capture text NOT NULL, unit text NOT NULL, snapshot pg_snapshot NOT NULL,
  in_use boolean NOT NULL DEFAULT false, made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  seen_at timestamptz NOT NULL DEFAULT now())`,
    },
  ];
}

/** The log of one table. Rows leave it as fast as they come: vacuum must not wait for a share of them. */
export function logTable(names: ReturnType<typeof captureNames>): Statement {
  return {
    summary: `table ${names.log}: the change log, written by triggers and emptied as it is read`,
    sql: `CREATE TABLE ${names.log} (
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(), seq bigint GENERATED ALWAYS AS IDENTITY (CACHE 32),
  op "char" NOT NULL, key text[], changed text[], writer text, at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (xid, seq)) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)`,
  };
}

interface Trigger {
  readonly name: string;
  readonly sql: string;
}

/**
 * One trigger for each kind of statement, run once however many rows it touches. A partitioned table takes triggers for each row:
 * those of statements would not see what is written to a partition by its own name.
 */
export function triggersOf(table: CapturedTable): Trigger[] {
  const names = captureNames(table);
  const events = ['INSERT', 'UPDATE', 'DELETE'] as const;
  const seen = {
    INSERT: 'REFERENCING NEW TABLE AS _tidemark_new ',
    UPDATE: 'REFERENCING OLD TABLE AS _tidemark_old NEW TABLE AS _tidemark_new ',
    DELETE: 'REFERENCING OLD TABLE AS _tidemark_old ',
  };
  const each = events.map((event) => ({
    event,
    rows: table.isPartitioned ? 'FOR EACH ROW' : `${seen[event]}FOR EACH STATEMENT`,
  }));
  return [...each, { event: 'TRUNCATE' as const, rows: 'FOR EACH STATEMENT' }].map(({ event, rows }) => {
    const name = `_tidemark_capture_${event.toLowerCase()}`;
    return { name, sql: `CREATE TRIGGER ${name} AFTER ${event} ON ${names.table} ${rows} EXECUTE FUNCTION ${names.routine}()` };
  });
}

/** Columns whose changes count: ours only say when a sync has written. */
function compared(table: CapturedTable): readonly CapturedColumn[] {
  return table.columns.filter(({ name, isVirtual }) => !isVirtual && !isOurs(name));
}

function isOurs(name: string): boolean {
  return name === STAMP || name === DELETED_AT;
}

/** What the routine was made for. When the table is another one by now, it goes on by way of JSON, more slowly. */
function shapeOf(columns: readonly CapturedColumn[]): string {
  return columns.map(({ name, typeId }) => `${name} ${typeId}`).join();
}

const SHAPE_NOW = (condition: string) =>
  `(SELECT string_agg(a.attname || ' ' || a.atttypid, ',' ORDER BY a.attnum) FROM pg_attribute a
     WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND NOT a.attisdropped AND ${condition})`;

/** Types that compare by `=`, byte by byte for whatever a user can see of them. Others compare as text. */
const comparable = new Set([
  'smallint',
  'integer',
  'bigint',
  'numeric',
  'real',
  'double precision',
  'boolean',
  'date',
  'timestamp without time zone',
  'timestamp with time zone',
  'time without time zone',
  'uuid',
  'bytea',
  'jsonb',
]);

/** A collation may take `A` and `a` for one, json has no equality at all, and the operators of an extension are not looked for. */
function forComparing({ name, baseType }: CapturedColumn, row: string): string {
  const column = `${row}.${quoteName(name)}`;
  return comparable.has(baseType) ? column : `${column}::text COLLATE "C"`;
}

function differs(column: CapturedColumn): string {
  return `${forComparing(column, 'o')} IS DISTINCT FROM ${forComparing(column, 'n')}`;
}

function same(column: CapturedColumn): string {
  return `${forComparing(column, 'o')} = ${forComparing(column, 'n')}`;
}

/** Text forms that a session's settings change: the log has to be read in another session. */
const spelledBySettings = /^(timestamp|time|date|interval|bytea|real|double)/;

/**
 * The routine behind all triggers of a table.
 *
 * It must never fail, because the statement of the application would fail with it: names of columns stand only in statements that
 * are run while the table has just these columns. It runs with the rights of its owner, so that who may write the table need not
 * see the log, and looks names up in the catalog's schema alone.
 */
export function routineOf(table: CapturedTable): Statement {
  const names = captureNames(table);
  const keyText = (row: string) => `ARRAY[${table.key.map((name) => `${row}.${quoteName(name)}::text`).join(', ')}]`;
  const keyOfJson = (json: string) => `ARRAY[${table.key.map((name) => `${json} ->> ${quoteText(name)}`).join(', ')}]`;
  const keyColumns = table.columns.filter(({ name }) => table.key.includes(name));
  const sameKey = keyColumns.map((column) => same(column)).join(' AND ');
  const first = quoteName(table.key[0]!);
  const changed = compared(table)
    .map((column) => `CASE WHEN ${differs(column)} THEN ${quoteText(column.name)} END`)
    .join(', ');
  const settings = keyColumns.some(({ baseType }) => spelledBySettings.test(baseType))
    ? ` SET DateStyle = 'ISO, YMD' SET TimeZone = 'UTC' SET IntervalStyle = 'iso_8601' SET bytea_output = 'hex' SET extra_float_digits = 1`
    : '';
  const shape = quoteText(shapeOf(table.columns.filter(({ name }) => !isOurs(name))));
  const notOurs = `a.attname NOT IN (${quoteText(STAMP)}, ${quoteText(DELETED_AT)})`;
  const isKey = `a.attname IN (${keyColumns.map(({ name }) => quoteText(name)).join(', ')})`;
  // `OFFSET 0`: otherwise a row is made into JSON again wherever it is looked at.
  const asJson = (rows: string) =>
    `(SELECT s.j, ${keyOfJson('s.j')} AS k FROM (SELECT to_jsonb(r) - ${quoteText(STAMP)} - ${quoteText(DELETED_AT)} AS j FROM ${rows} r OFFSET 0) s OFFSET 0)`;
  const changedInJson = (before: string, after: string) =>
    `ARRAY(SELECT e.key FROM jsonb_each(${after}) e WHERE e.value IS DISTINCT FROM ${before} -> e.key)`;

  const body = `#variable_conflict use_variable
DECLARE
  -- What a trigger of others does in the course of our statement is not ours.
  v_writer text := CASE WHEN pg_trigger_depth() = 1 THEN nullif(current_setting(${quoteText(WRITER_SETTING)}, true), '') END;
  v_before jsonb;
  v_after jsonb;
  v_key_before text[];
  v_key_after text[];
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO ${names.log} (op, writer) VALUES ('T', v_writer);
  ELSIF TG_LEVEL = 'STATEMENT' AND ${SHAPE_NOW(notOurs)} = ${shape} THEN
    IF TG_OP = 'INSERT' THEN
      INSERT INTO ${names.log} (op, key, writer) SELECT 'I', ${keyText('n')}, v_writer FROM _tidemark_new n;
    ELSIF TG_OP = 'DELETE' THEN
      INSERT INTO ${names.log} (op, key, writer) SELECT 'D', ${keyText('o')}, v_writer FROM _tidemark_old o;
    ELSE
      INSERT INTO ${names.log} (op, key, changed, writer)
        SELECT CASE WHEN c.is_new THEN 'I' WHEN c.is_gone THEN 'D' ELSE 'U' END, c.k, CASE WHEN NOT (c.is_new OR c.is_gone) THEN c.changed END, v_writer
        FROM (SELECT o.${first} IS NULL AS is_new, n.${first} IS NULL AS is_gone,
                CASE WHEN n.${first} IS NULL THEN ${keyText('o')} ELSE ${keyText('n')} END AS k,
                array_remove(ARRAY[${changed}]::text[], NULL) AS changed
              FROM _tidemark_old o FULL JOIN _tidemark_new n ON ${sameKey}) c
        WHERE c.is_new OR c.is_gone OR c.changed <> '{}';
    END IF;
  ELSIF ${SHAPE_NOW(isKey)} IS DISTINCT FROM ${quoteText(shapeOf(keyColumns))} AND TG_LEVEL = 'STATEMENT' THEN
    INSERT INTO ${names.log} (op, writer) VALUES ('T', v_writer);
  ELSIF TG_LEVEL = 'ROW' THEN
    IF TG_OP <> 'INSERT' THEN
      v_before := to_jsonb(OLD) - ${quoteText(STAMP)} - ${quoteText(DELETED_AT)};
      v_key_before := ${keyOfJson('v_before')};
    END IF;
    IF TG_OP <> 'DELETE' THEN
      v_after := to_jsonb(NEW) - ${quoteText(STAMP)} - ${quoteText(DELETED_AT)};
      v_key_after := ${keyOfJson('v_after')};
    END IF;
    IF array_position(v_key_before, NULL) IS NOT NULL OR array_position(v_key_after, NULL) IS NOT NULL THEN
      INSERT INTO ${names.log} (op, writer) VALUES ('T', v_writer);
    ELSIF v_key_before = v_key_after THEN
      INSERT INTO ${names.log} (op, key, changed, writer)
        SELECT 'U', v_key_after, ${changedInJson('v_before', 'v_after')}, v_writer WHERE v_before <> v_after;
    ELSE
      INSERT INTO ${names.log} (op, key, writer)
        SELECT t.op, t.k, v_writer FROM (VALUES ('D', v_key_before), ('I', v_key_after)) AS t (op, k) WHERE t.k IS NOT NULL;
    END IF;
  ELSIF TG_OP = 'INSERT' THEN
    INSERT INTO ${names.log} (op, key, writer) SELECT 'I', n.k, v_writer FROM ${asJson('_tidemark_new')} n;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO ${names.log} (op, key, writer) SELECT 'D', o.k, v_writer FROM ${asJson('_tidemark_old')} o;
  ELSE
    INSERT INTO ${names.log} (op, key, changed, writer)
      SELECT CASE WHEN o.k IS NULL THEN 'I' WHEN n.k IS NULL THEN 'D' ELSE 'U' END, coalesce(n.k, o.k),
             CASE WHEN o.k IS NOT NULL AND n.k IS NOT NULL THEN ${changedInJson('o.j', 'n.j')} END, v_writer
      FROM ${asJson('_tidemark_old')} o FULL JOIN ${asJson('_tidemark_new')} n ON o.k = n.k WHERE o.j IS DISTINCT FROM n.j;
  END IF;
  RETURN NULL;
END`;
  return {
    summary: `function ${names.routine}: notes the key and the changed columns of every row that is written`,
    sql: `CREATE OR REPLACE FUNCTION ${names.routine}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp${settings} AS ${dollarQuoted(body)}`,
  };
}

/** Everything that a capture consists of, for telling whether what is there is what this version makes. */
export function definitionOf(table: CapturedTable): string {
  const parts = [routineOf(table).sql, ...triggersOf(table).map(({ sql }) => sql)];
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 32);
}
