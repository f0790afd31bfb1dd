import { ConfigError, type Problem } from '@tidemark/core';
import { type Client, query } from './driver.ts';
import { quoteName } from './identifiers.ts';
import { qualified } from './layout.ts';

export interface SideColumns {
  readonly schema: string;
  readonly table: string;
  readonly read: readonly string[];
  /** Those that a two-way sync sets, its link among them. */
  readonly written: readonly string[];
  readonly link: string | null;
  /** The sync. */
  readonly unit: string;
}

/**
 * A column that cannot be read or written would stop the sync at its first change: it is named before.
 * @throws {ConfigError} each column that the database computes, or that the user may not read or set, with its remedy.
 */
export async function refuseLackingRights(
  client: Client,
  { schema, table, read, written, link, unit }: SideColumns,
): Promise<void> {
  const { rows } = await query(
    client,
    `SELECT a.attname, current_user, a.attgenerated <> '' OR a.attidentity = 'a',
            has_column_privilege(c.oid, a.attnum, 'SELECT'), has_column_privilege(c.oid, a.attnum, 'INSERT'),
            has_column_privilege(c.oid, a.attnum, 'UPDATE')
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = ANY($3::text[]) AND NOT a.attisdropped ORDER BY a.attnum`,
    [schema, table, [...read, ...written]],
  );
  const relation = qualified(schema, table);
  const problems = rows.flatMap(([name, user, generated, mayRead, mayInsert, mayUpdate]): Problem[] => {
    const column = quoteName(name!);
    const place = name === link ? `syncs.${unit}.between` : `syncs.${unit}.fields.${name}`;
    const otherwise = name === link ? 'name another link:' : 'let it flow the other way only (to:)';
    const severity = 'error';
    const isWritten = written.includes(name!);
    if (isWritten && generated === 't') {
      return [{ place, severity, message: `PostgreSQL computes ${relation}.${column} itself`, hint: otherwise }];
    }
    const lacking = [
      ...(mayRead === 't' ? [] : ['SELECT']),
      ...(mayInsert === 't' || !isWritten ? [] : ['INSERT']),
      ...(mayUpdate === 't' || !isWritten ? [] : ['UPDATE']),
    ];
    if (lacking.length === 0) return [];
    const rights = lacking.map((right) => `${right} (${column})`).join(', ');
    const grant = `GRANT ${rights} ON ${relation} TO ${quoteName(user!)}`;
    const message = `${quoteName(user!)} may not ${mayRead === 't' ? 'set' : 'read'} ${relation}.${column}`;
    return [{ place, severity, message, hint: mayRead === 't' ? `${grant}; or ${otherwise}` : grant }];
  });
  if (problems.length > 0) throw new ConfigError(problems);
}
