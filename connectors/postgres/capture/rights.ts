import { AccessDeniedError } from '@tidemark/core';
import type { Client } from '../driver.ts';
import { quoteName } from '../identifiers.ts';
import { currentRole, type LackingRight, lacks, readRelationRights, readSchemaRights } from '../rights.ts';
import { type CapturedTable, captureNames, rawCaptureNames, type Statement } from './definition.ts';

type Named = Pick<CapturedTable, 'schema' | 'table'>;

/** What a reader does with each table of a capture. */
export const READER_RIGHTS = {
  log: ['SELECT', 'DELETE'],
  captures: ['SELECT', 'UPDATE'],
  consumers: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
} as const;

const TABLES = ['log', 'captures', 'consumers'] as const;

/** Before a log is read. @throws {AccessDeniedError} each right that reading it takes and that the user lacks, with the grant. */
export async function refuseWithoutReading(client: Client, table: Named): Promise<void> {
  const role = await currentRole(client);
  const lacking: LackingRight[] = [];
  for (const what of TABLES) {
    const needed = READER_RIGHTS[what];
    const rights = await readRelationRights(client, table.schema, rawCaptureNames(table.table)[what], needed);
    const withheld = needed.filter((right) => rights?.may.has(right) === false);
    if (withheld.length > 0)
      lacking.push(lacks(role, withheld.join(', '), captureNames(table)[what], 'which reading the change log needs'));
  }
  if (lacking.length > 0) throw deniedFor(lacking);
}

/** @throws {AccessDeniedError} nobody could tell which tables are captured. */
export async function refuseWithoutCaptures(client: Client, table: Named): Promise<void> {
  const rights = await readRelationRights(client, table.schema, rawCaptureNames(table.table).captures, ['SELECT']);
  if (rights === null || rights.may.has('SELECT')) return;
  throw deniedFor([lacks(await currentRole(client), 'SELECT', captureNames(table).captures, 'where captures are noted')]);
}

/** What a user lacks to run these statements: rights on what is there already. What they make belongs to whoever runs them. */
export async function lackingForCapture(client: Client, table: Named, statements: readonly Statement[]): Promise<LackingRight[]> {
  const role = await currentRole(client);
  const names = captureNames(table);
  const runs = (text: string) => statements.some(({ sql }) => sql.includes(text));
  const lacking: LackingRight[] = [];
  if ((await readSchemaRights(client, table.schema))?.has('CREATE') === false) {
    lacking.push(lacks(role, 'CREATE', `SCHEMA ${quoteName(table.schema)}`, 'which making the change log needs'));
  }
  const onTable = await readRelationRights(client, table.schema, table.table, ['TRIGGER']);
  if (runs('CREATE TRIGGER') && onTable?.may.has('TRIGGER') === false) {
    lacking.push(lacks(role, 'TRIGGER', names.table, 'which writing the change log needs'));
  }
  // To pass rights on there takes none to do so: PostgreSQL warns whoever has some of them, and goes on.
  const used = {
    captures: ['INSERT', 'UPDATE'],
    consumers: runs(`DELETE FROM ${names.consumers}`) ? ['SELECT', 'DELETE'] : [],
  };
  for (const what of ['captures', 'consumers'] as const) {
    const rights = await readRelationRights(client, table.schema, rawCaptureNames(table.table)[what], used[what]);
    const withheld = used[what].filter((right) => rights?.may.has(right) === false);
    if (withheld.length > 0) lacking.push(lacks(role, withheld.join(', '), names[what], 'where captures are noted'));
  }
  return lacking;
}

/** @param otherwise  what helps instead of the grants */
export function deniedFor(lacking: readonly LackingRight[], otherwise = ''): AccessDeniedError {
  const grants = lacking.map(({ hint }) => hint).join(' ');
  return new AccessDeniedError(lacking.map(({ message }) => message).join('; '), { hint: `${grants}${otherwise}` });
}
