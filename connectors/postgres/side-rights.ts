import { ConfigError, type Problem } from '@tidemark/core';
import type { Client } from './driver.ts';
import { quoteName } from './identifiers.ts';
import { qualified } from './layout.ts';
import { currentRole, type LackingRight, lackingSequences, lacks, readColumnRights, readRelationRights } from './rights.ts';

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
 * What cannot be read or written would stop the sync at its first change: it is named before.
 * @throws {ConfigError} each column that the database computes, or that the user may not use, with its remedy.
 */
export async function refuseUnusableColumns(
  client: Client,
  { schema, table, read, written, link, unit }: SideColumns,
): Promise<void> {
  const role = await currentRole(client);
  const relation = qualified(schema, table);
  const columns = await readColumnRights(client, schema, table, [...read, ...written]);
  const problems = columns.flatMap(({ name, generated, may }): Problem[] => {
    const column = quoteName(name);
    const place = name === link ? `syncs.${unit}.between` : `syncs.${unit}.fields.${name}`;
    const otherwise = name === link ? 'name another link:' : 'let it flow the other way only (to:)';
    const severity = 'error';
    const isWritten = written.includes(name);
    if (isWritten && generated) {
      return [{ place, severity, message: `PostgreSQL computes ${relation}.${column} itself`, hint: otherwise }];
    }
    const lacking = [
      ...(may.has('SELECT') ? [] : ['SELECT']),
      ...(may.has('INSERT') || !isWritten ? [] : ['INSERT']),
      ...(may.has('UPDATE') || !isWritten ? [] : ['UPDATE']),
    ];
    if (lacking.length === 0) return [];
    const rights = lacking.map((right) => `${right} (${column})`).join(', ');
    const grant = `GRANT ${rights} ON ${relation} TO ${role}`;
    const message = `${role} may not ${may.has('SELECT') ? 'set' : 'read'} ${relation}.${column}`;
    return [{ place, severity, message, hint: may.has('SELECT') ? `${grant}; or ${otherwise}` : grant }];
  });
  if (problems.length > 0) throw new ConfigError(problems);
}

/**
 * What a user lacks beside the columns, to delete rows and to make new ones: a sync whose other side does neither goes on without.
 *
 * @param deletes  whether rows are deleted here because the other side's are gone
 */
export async function lackingForRows(
  client: Client,
  { schema, table, written }: Pick<SideColumns, 'schema' | 'table' | 'written'>,
  deletes: boolean,
): Promise<LackingRight[]> {
  const role = await currentRole(client);
  const lacking: LackingRight[] = [];
  const rights = await readRelationRights(client, schema, table, ['DELETE']);
  if (deletes && rights?.may.has('DELETE') === false) {
    const { message, hint } = lacks(role, 'DELETE', qualified(schema, table), 'which rows need whose other side is deleted');
    lacking.push({ message, hint: `${hint} or deletes: ignore` });
  }
  return [...lacking, ...(await lackingSequences(client, schema, table, written, role))];
}
