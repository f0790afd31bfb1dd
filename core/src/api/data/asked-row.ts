import type { FastifyRequest } from 'fastify';
import type { ApiParts } from '../v1/endpoint.ts';
import { readWait } from './answer-write.ts';
import type { RowParams } from './data-endpoints.ts';
import { conditionOf } from './etag.ts';
import { askedTable } from './find-table.ts';
import { readKey } from './read-key.ts';
import { refuseReadOnly } from './write-row.ts';

/** The row of an address that is to be written: its table, its key, and what has to be so before it is. */
export async function askedRow(parts: ApiParts, request: FastifyRequest) {
  const asked = await askedTable(parts, request);
  refuseReadOnly(asked);
  const wait = readWait(asked, request);
  const { key, row: named } = readKey((request.params as RowParams).key, asked.rows);
  return { asked, wait, key, named, check: conditionOf(request.headers, asked.rows) };
}
