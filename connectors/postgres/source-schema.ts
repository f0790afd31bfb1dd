import { type FieldSchema, type FieldType, RequestRefusedError, type SourceSpec } from '@tidemark/core';
import { readTable } from './catalog.ts';
import type { PostgresConfig, PostgresFrom } from './config.ts';
import { type Client, query } from './driver.ts';
import { quoteName, quoteText } from './identifiers.ts';
import { DELETED_AT, qualified, STAMP } from './layout.ts';

export interface SourceColumn {
  readonly field: FieldSchema;
  /** Quoted. */
  readonly name: string;
  /** As the catalog writes it. */
  readonly type: string;
  /** A point in time that does not say in which zone. */
  readonly zoneless: boolean;
}

export interface Described {
  readonly name: string;
  readonly relation: string;
  readonly columns: readonly SourceColumn[];
  readonly key: readonly SourceColumn[];
  readonly watermark: SourceColumn | undefined;
  readonly estimateSql: string | null;
}

interface Found {
  readonly name: string;
  readonly type: string;
  readonly baseType: string;
  readonly typmod: number;
  readonly notNull: boolean;
}

/** What a table or a query yields. */
export async function describeRelation(
  client: Client,
  config: PostgresConfig,
  spec: SourceSpec<PostgresFrom>,
): Promise<Described> {
  const { from } = spec;
  const described =
    from.table === undefined ? await describeQuery(client, from.query!) : await describeTable(client, config, from.table);
  const { name } = described;
  const named = (column: string, what: string): Found => {
    const found = described.found.find((one) => one.name === column);
    if (found !== undefined) return found;
    throw new RequestRefusedError(`${name} has no column ${JSON.stringify(column)}, which is named as ${what}`, {
      hint: `It has ${described.found.map((one) => one.name).join(', ')}.`,
    });
  };
  const key = from.key === undefined ? described.primaryKey : [from.key].flat();
  if (key === null || key.length === 0) {
    throw new RequestRefusedError(`${name} has no primary key`, { hint: 'Say with `key` which columns identify a row.' });
  }
  const keys = key.map((column) => named(column, 'key'));
  const watermark = from.watermark === undefined ? undefined : named(from.watermark, 'watermark');
  const asked =
    spec.fields?.map((column) => named(column, 'field')) ??
    described.found.filter((one) => ![STAMP, DELETED_AT].includes(one.name));
  const excluded = new Set(spec.exclude);
  const chosen = new Set([
    ...keys,
    ...asked.filter((one) => !excluded.has(one.name)),
    ...(watermark === undefined ? [] : [watermark]),
  ]);
  const columns = new Map([...chosen].map((one) => [one.name, sourceColumn(one)]));
  return {
    name,
    relation: described.relation,
    columns: [...columns.values()],
    key: keys.map((one) => columns.get(one.name)!),
    watermark: watermark && columns.get(watermark.name),
    estimateSql: described.estimateSql,
  };
}

async function describeTable(client: Client, config: PostgresConfig, table: string) {
  const existing = await readTable(client, config.schema, table);
  if (existing === null) {
    throw new RequestRefusedError(`There is no table ${config.schema}.${table}`, {
      hint: 'Names are taken as they are written, with capitals. `schema` of the connection says where to look.',
    });
  }
  const relation = qualified(config.schema, table);
  return {
    name: `${config.schema}.${table}`,
    relation: `${relation} s`,
    found: [...existing.columns.values()] as readonly Found[],
    primaryKey: existing.primaryKey,
    estimateSql:
      existing.kind === 'r' ? `SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(${quoteText(relation)})` : null,
  };
}

async function describeQuery(client: Client, sql: string) {
  const relation = `(${sql.replace(/;\s*$/, '')}\n) s`;
  const { fields } = await query(client, `SELECT * FROM ${relation} LIMIT 0`);
  const types = await query(
    client,
    `SELECT format_type(f.oid, NULLIF(f.typmod, -1)), format_type(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END, NULL)
     FROM unnest($1::oid[], $2::int[]) WITH ORDINALITY AS f (oid, typmod, place) JOIN pg_type t ON t.oid = f.oid ORDER BY f.place`,
    [fields.map((field) => field.dataTypeID), fields.map((field) => field.dataTypeModifier)],
  );
  return {
    name: 'query',
    relation,
    found: fields.map((field, i): Found => {
      const [type, baseType] = types.rows[i] as [string, string];
      return { name: field.name, type, baseType, typmod: field.dataTypeModifier, notNull: false };
    }),
    primaryKey: null,
    estimateSql: null,
  };
}

const fieldTypes: Readonly<Record<string, FieldType>> = {
  boolean: 'boolean',
  smallint: 'integer',
  integer: 'integer',
  bigint: 'integer',
  oid: 'integer',
  numeric: 'decimal',
  real: 'double',
  'double precision': 'double',
  date: 'date',
  'timestamp without time zone': 'datetime',
  'timestamp with time zone': 'datetime',
  'time without time zone': 'time',
  json: 'json',
  jsonb: 'json',
  bytea: 'bytes',
};

function sourceColumn({ name, type, baseType, typmod, notNull }: Found): SourceColumn {
  const isArray = baseType.endsWith('[]');
  const field: FieldSchema = {
    name,
    type: isArray ? 'json' : (fieldTypes[baseType] ?? 'text'),
    nullable: !notNull,
    ...(typmod > 4 && ['character varying', 'character'].includes(baseType) ? { length: typmod - 4 } : {}),
    ...(typmod > 4 && baseType === 'numeric'
      ? { precision: ((typmod - 4) >> 16) & 0xffff, scale: (((typmod - 4) & 0x7ff) ^ 1024) - 1024 }
      : {}),
    ...(baseType === 'smallint' ? { precision: 5 } : {}),
  };
  return { field, name: quoteName(name), type, zoneless: baseType === 'timestamp without time zone' };
}
