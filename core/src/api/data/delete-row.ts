import { answerWrite, readWait } from './answer-write.ts';
import type { DataEndpoint, RowParams } from './data-endpoints.ts';
import { conditionOf } from './etag.ts';
import { askedTable } from './find-table.ts';
import { readKey } from './read-key.ts';
import { noRow, refuseReadOnly, writeRow } from './write-row.ts';

/** `DELETE /data/<connection>/<table>/<key>`. */
export const deleteRow: DataEndpoint = (api, parts) => {
  api.delete('/:connection/:table/:key', { config: { role: 'operate' } }, async (request, reply) => {
    const asked = await askedTable(parts, request);
    refuseReadOnly(asked);
    const wait = readWait(asked, request);
    const { key } = readKey((request.params as RowParams).key, asked.rows);
    const check = conditionOf(request.headers, asked.rows);
    await writeRow(asked, key, (current) => {
      check(current);
      if (current === null) throw noRow(asked.path);
      return { op: 'delete', key };
    });
    return answerWrite(asked, { key, did: 'deleted' }, wait, parts, reply);
  });
};
