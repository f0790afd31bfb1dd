import type { FastifyRequest } from 'fastify';
import type { ServedTable } from '../../control/served-tables.ts';
import type { Rows } from '../../model/rows.ts';
import type { ApiParts } from '../v1/endpoint.ts';
import { NotFoundError } from '../v1/refuse.ts';

/** What is asked for is short: nobody is sent away in the middle of it. */
export const UNTIL_DONE = new AbortController().signal;

/** A table that is asked for, opened. */
export interface AskedTable {
  readonly table: ServedTable;
  readonly rows: Rows;
  /** `/data/app/accounts`. */
  readonly path: string;
}

/** @throws {NotFoundError} nobody serves it: it may be there or not */
export async function askedTable({ engine: { tables } }: Pick<ApiParts, 'engine'>, request: FastifyRequest): Promise<AskedTable> {
  const { connection, table: name } = request.params as { readonly connection: string; readonly table: string };
  const table = tables.get(connection, name);
  if (table === null) {
    throw new NotFoundError(`no table ${connection}/${name} is served`, {
      hint: 'GET /data lists what is; http: { data: … } of the configuration says it',
    });
  }
  return { table, rows: await tables.open(table), path: pathOf(table) };
}

export function pathOf({ connection, spec }: Pick<ServedTable, 'connection' | 'spec'>): string {
  return `/data/${encodeURIComponent(connection)}/${encodeURIComponent(spec.name)}`;
}
