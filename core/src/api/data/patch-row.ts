import { answerWrite, readWait } from './answer-write.ts';
import type { DataEndpoint, RowParams } from './data-endpoints.ts';
import { conditionOf } from './etag.ts';
import { askedTable } from './find-table.ts';
import { readBody, withoutKey } from './read-body.ts';
import { readKey } from './read-key.ts';
import { stamped } from './stamped.ts';
import { differing, noRow, refuseReadOnly, writeRow } from './write-row.ts';

/** `PATCH /data/<connection>/<table>/<key>`: the fields that are sent, and no other. */
export const patchRow: DataEndpoint = (api, parts) => {
  api.patch('/:connection/:table/:key', { config: { role: 'operate' } }, async (request, reply) => {
    const asked = await askedTable(parts, request);
    refuseReadOnly(asked);
    const wait = readWait(asked, request);
    const { rows, path } = asked;
    const { key, row: named } = readKey((request.params as RowParams).key, rows);
    const check = conditionOf(request.headers, rows);
    const sent = withoutKey(readBody(request.body, rows), named, rows);
    await writeRow(asked, key, (current) => {
      check(current);
      if (current === null) throw noRow(path);
      const row = differing(sent, current);
      return Object.keys(row).length === 0 ? null : { op: 'update', key, row: stamped(row, asked, parts.now()) };
    });
    return answerWrite(asked, { key, did: 'changed' }, wait, parts, reply);
  });
};
