import type { ExistingColumn } from './column-types.ts';
import { type Client, query } from './driver.ts';

/** A table as it stands. */
export interface ExistingTable {
  /** `r` table, `p` partitioned, `v` view … (pg_class.relkind) */
  readonly kind: string;
  readonly columns: ReadonlyMap<string, ExistingColumn>;
  /** Columns of each unique index that can tell rows apart: valid, whole, plain columns, checked at once. */
  readonly uniques: readonly (readonly string[])[];
  readonly primaryKey: readonly string[] | null;
  /** First columns of all indexes. */
  readonly indexed: ReadonlySet<string>;
}

/** Null when there is no such table. Also tells the name under which an unknown schema was asked for. */
export async function readTable(client: Client, schema: string, table: string): Promise<ExistingTable | null> {
  const found = await query(
    client,
    `SELECT c.oid, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r','p','v','m','f')`,
    [schema, table],
  );
  if (found.rows.length === 0) return null;
  const [oid, kind] = found.rows[0] as [string, string];
  return { kind, columns: await readColumns(client, oid), ...(await readIndexes(client, oid)) };
}

async function readColumns(client: Client, oid: string): Promise<Map<string, ExistingColumn>> {
  const { rows } = await query(
    client,
    `SELECT a.attname, format_type(a.atttypid, a.atttypmod),
            format_type(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END, NULL),
            t.typtype, a.atttypmod, a.attnotnull, a.atthasdef OR a.attidentity <> '',
            a.attgenerated <> '' OR a.attidentity = 'a'
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
     WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    [oid],
  );
  return new Map(
    rows.map((row) => {
      const [name, type, baseType, kind, typmod, notNull, hasDefault, generated] = row as string[];
      const column: ExistingColumn = {
        name: name!,
        type: type!,
        baseType: baseType!,
        kind: kind!,
        typmod: Number(typmod),
        notNull: notNull === 't',
        hasDefault: hasDefault === 't',
        generated: generated === 't',
      };
      return [column.name, column];
    }),
  );
}

async function readIndexes(client: Client, oid: string): Promise<Pick<ExistingTable, 'uniques' | 'primaryKey' | 'indexed'>> {
  const { rows } = await query(
    client,
    `SELECT i.indisprimary, i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL,
            (SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.place <= i.indnkeyatts)
     FROM pg_index i WHERE i.indrelid = $1`,
    [oid],
  );
  const indexes = rows.map(([primary, unique, columns]) => ({
    primary: primary === 't',
    unique: unique === 't',
    columns: (columns === null ? [] : JSON.parse(columns!)) as string[],
  }));
  return {
    uniques: indexes.filter((index) => index.unique).map((index) => index.columns),
    primaryKey: indexes.find((index) => index.primary)?.columns ?? null,
    indexed: new Set(indexes.flatMap((index) => index.columns.slice(0, 1))),
  };
}
