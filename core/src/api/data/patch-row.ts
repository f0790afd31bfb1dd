import { answerWrite } from './answer-write.ts';
import { askedRow } from './asked-row.ts';
import type { DataEndpoint } from './data-endpoints.ts';
import { readBody, withoutKey } from './read-body.ts';
import { stamped } from './stamped.ts';
import { differing, noRow, writeRow } from './write-row.ts';

/** `PATCH /data/<connection>/<table>/<key>`: the fields that are sent, and no other. */
export const patchRow: DataEndpoint = (api, parts) => {
  api.patch('/:connection/:table/:key', { config: { role: 'operate' } }, async (request, reply) => {
    const { asked, wait, key, named, check } = await askedRow(parts, request);
    const { rows, path } = asked;
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
