import type { Problem } from '@tidemark/core';
import { type Client, query } from './driver.ts';
import { quoteName } from './identifiers.ts';
import { qualified } from './layout.ts';

/** What a user may not do, and the statement that changes that. */
export type LackingRight = Required<Pick<Problem, 'message' | 'hint'>>;

/** A column of a table that is there, and what may be done with it. */
export interface ColumnRights {
  readonly name: string;
  /** The database computes it: nobody may set it. */
  readonly generated: boolean;
  readonly may: ReadonlySet<ColumnRight>;
}

export const COLUMN_RIGHTS = ['SELECT', 'INSERT', 'UPDATE'] as const;
export type ColumnRight = (typeof COLUMN_RIGHTS)[number];

/** Of those columns that are there, in the order of the table. @param names  null: all of them */
export async function readColumnRights(
  client: Client,
  schema: string,
  table: string,
  names: readonly string[] | null,
): Promise<readonly ColumnRights[]> {
  const { rows } = await query(
    client,
    `SELECT a.attname, a.attgenerated <> '' OR a.attidentity = 'a',
            ${COLUMN_RIGHTS.map((right) => `has_column_privilege(c.oid, a.attnum, '${right}')`).join(', ')}
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2 AND ($3::text[] IS NULL OR a.attname = ANY($3))
       AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    [schema, table, names],
  );
  return rows.map(([name, generated, ...may]) => ({
    name: name!,
    generated: generated === 't',
    may: new Set(COLUMN_RIGHTS.filter((_, i) => may[i] === 't')),
  }));
}

/** The user that statements run as, quoted. */
export async function currentRole(client: Client): Promise<string> {
  const { rows } = await query(client, 'SELECT current_user');
  return quoteName(rows[0]![0]!);
}

/** Whose a relation is, and those of `rights` that the user has on all of it. */
export interface RelationRights {
  /** Quoted. */
  readonly owner: string;
  /** May do what only the owner may. */
  readonly isOwner: boolean;
  readonly may: ReadonlySet<string>;
}

/** Null when there is no such table. */
export async function readRelationRights(
  client: Client,
  schema: string,
  table: string,
  rights: readonly string[],
): Promise<RelationRights | null> {
  const { rows } = await query(
    client,
    `SELECT pg_get_userbyid(c.relowner), pg_has_role(c.relowner, 'USAGE'),
            (SELECT json_agg(wanted) FROM unnest($3::text[]) AS wanted WHERE has_table_privilege(c.oid, wanted))
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')`,
    [schema, table, rights],
  );
  if (rows.length === 0) return null;
  const [owner, isOwner, may] = rows[0]!;
  return { owner: quoteName(owner!), isOwner: isOwner === 't', may: new Set(may == null ? [] : (JSON.parse(may) as string[])) };
}

/** What the user may do in a schema; null when there is none. */
export async function readSchemaRights(client: Client, schema: string): Promise<ReadonlySet<string> | null> {
  const { rows } = await query(
    client,
    `SELECT has_schema_privilege(oid, 'USAGE'), has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = $1`,
    [schema],
  );
  if (rows.length === 0) return null;
  return new Set(['USAGE', 'CREATE'].filter((_, i) => rows[0]![i] === 't'));
}

/**
 * Defaults draw from sequences with the rights of whoever inserts.
 *
 * @param set  columns that an insert sets: of the others it takes the default
 */
export async function lackingSequences(
  client: Client,
  schema: string,
  table: string,
  set: readonly string[],
  role: string,
): Promise<LackingRight[]> {
  const { rows } = await query(
    client,
    `SELECT a.attname, sn.nspname, s.relname
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
     JOIN pg_depend p ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid AND p.refclassid = 'pg_class'::regclass
     JOIN pg_class s ON s.oid = p.refobjid JOIN pg_namespace sn ON sn.oid = s.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2 AND a.attname <> ALL ($3::text[]) AND NOT a.attisdropped
       AND CASE s.relkind WHEN 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE, UPDATE') END ORDER BY a.attnum`,
    [schema, table, set],
  );
  return rows.map(([column, sequenceSchema, sequence]) => {
    const name = qualified(sequenceSchema!, sequence!);
    return {
      message: `${role} lacks USAGE on the sequence ${name}, from which new rows draw ${qualified(schema, table)}.${quoteName(column!)}`,
      hint: `GRANT USAGE ON SEQUENCE ${name} TO ${role};`,
    };
  });
}

/** @param what  as GRANT names it: a table, `SCHEMA "public"`. @param why  `which new records need` */
export function lacks(role: string, right: string, what: string, why: string): LackingRight {
  return { message: `${role} lacks ${right} on ${what}, ${why}`, hint: `GRANT ${right} ON ${what} TO ${role};` };
}

/** Statements that only the owner of a table may run. */
export function ownersOnly(role: string, table: string, owner: string, statements: readonly string[]): LackingRight {
  return {
    message: `${role} may not alter ${table}, which belongs to ${owner} and has to be altered`,
    hint: `Let its owner run: ${statements.map((statement) => `${statement};`).join(' ')} Or: ALTER TABLE ${table} OWNER TO ${role};`,
  };
}
