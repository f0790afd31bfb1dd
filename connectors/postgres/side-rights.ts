import { ConfigError, type Problem } from '@tidemark/core';
import { type Client, query } from './driver.ts';
import { quoteName } from './identifiers.ts';
import { qualified } from './layout.ts';

export interface WrittenColumns {
  readonly schema: string;
  readonly table: string;
  /** Those that a two-way sync sets, its link among them. */
  readonly columns: readonly string[];
  readonly link: string | null;
  /** The sync. */
  readonly unit: string;
}

/**
 * A column that cannot be written would stop the sync at its first change: it is named before.
 * @throws {ConfigError} each column that the database computes, or that the user may not set, with its remedy.
 */
export async function refuseUnwritable(client: Client, { schema, table, columns, link, unit }: WrittenColumns): Promise<void> {
  const { rows } = await query(
    client,
    `SELECT a.attname, current_user, a.attgenerated <> '' OR a.attidentity = 'a',
            has_column_privilege(c.oid, a.attnum, 'INSERT') AND has_column_privilege(c.oid, a.attnum, 'UPDATE')
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = ANY($3::text[]) AND NOT a.attisdropped ORDER BY a.attnum`,
    [schema, table, columns],
  );
  const relation = qualified(schema, table);
  const problems = rows.flatMap(([name, user, generated, allowed]): Problem[] => {
    const column = quoteName(name!);
    const place = name === link ? `syncs.${unit}.between` : `syncs.${unit}.fields.${name}`;
    const otherwise = name === link ? 'name another link:' : 'let it flow the other way only (to:)';
    const severity = 'error';
    if (generated === 't') {
      return [{ place, severity, message: `PostgreSQL computes ${relation}.${column} itself`, hint: otherwise }];
    }
    if (allowed === 't') return [];
    const grant = `GRANT INSERT (${column}), UPDATE (${column}) ON ${relation} TO ${quoteName(user!)}`;
    const message = `${quoteName(user!)} may not set ${relation}.${column}`;
    return [{ place, severity, message, hint: `${grant}; or ${otherwise}` }];
  });
  if (problems.length > 0) throw new ConfigError(problems);
}
