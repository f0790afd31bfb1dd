import { newRow } from '../../model/value.ts';
import { badRequest } from './bad-request.ts';
import type { DataEndpoint, RowParams } from './data-endpoints.ts';
import { etagOf, hasSeen } from './etag.ts';
import { askedTable } from './find-table.ts';
import { readSelect } from './read-query.ts';
import { rowWithKey } from './read-row.ts';
import { noRow } from './write-row.ts';

/** `GET /data/<connection>/<table>/<key>`: a row, with the tag of its state. */
export const getRow: DataEndpoint = (api, parts) => {
  api.get('/:connection/:table/:key', { config: { role: 'read' } }, async (request, reply) => {
    const { rows, path } = await askedTable(parts, request);
    const { select, ...others } = request.query as Record<string, string>;
    const [other] = Object.keys(others);
    if (other !== undefined) throw badRequest(other.slice(0, 80), 'is no parameter of this', 'it takes select, and no other');
    const fields = readSelect(select, rows);
    const row = await rowWithKey(rows, (request.params as RowParams).key);
    if (row === null) throw noRow(path);
    const etag = etagOf(row, rows);
    reply.header('etag', etag);
    if (hasSeen(etag, request.headers)) return reply.code(304).send();
    return Object.assign(newRow(), Object.fromEntries(fields.map((name) => [name, row[name]!])));
  });
};
