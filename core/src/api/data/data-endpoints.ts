import type { FastifyInstance } from 'fastify';
import type { ApiParts } from '../v1/endpoint.ts';
import { guard } from '../v1/guard.ts';
import { deleteRow } from './delete-row.ts';
import { getRow } from './get-row.ts';
import { getRows } from './get-rows.ts';
import { getTables } from './get-tables.ts';
import { patchRow } from './patch-row.ts';
import { postRow } from './post-row.ts';
import { putRow } from './put-row.ts';

/** One path of `/data`. One file each. */
export type DataEndpoint = (api: FastifyInstance, parts: ApiParts) => void;

export interface RowParams {
  readonly connection: string;
  readonly table: string;
  readonly key: string;
}

const endpoints: readonly DataEndpoint[] = [getTables, getRows, getRow, postRow, putRow, patchRow, deleteRow];

/** A row is the longest that is sent. */
const BODY_BYTES_MAX = 1024 * 1024;

/**
 * `/data/<connection>/<table>` and the rows within, of the tables that the configuration has served. Tables come and change while the
 * process runs, so that paths are found as they are asked for; `describeTables` says what they are at a time.
 */
export async function dataEndpoints(api: FastifyInstance, parts: ApiParts): Promise<void> {
  await guard(api, parts);
  // Numbers keep all their digits.
  api.removeAllContentTypeParsers();
  api.addContentTypeParser(/^application\/(?:[\w.+-]+\+)?json\b/i, { parseAs: 'buffer' }, (_, body, done) => done(null, body));
  api.addHook('onRoute', (route) => {
    route.schema = { ...route.schema, hide: true };
    route.bodyLimit ??= BODY_BYTES_MAX;
  });
  for (const add of endpoints) add(api, parts);
}
