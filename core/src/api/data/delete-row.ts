import { answerWrite } from './answer-write.ts';
import { askedRow } from './asked-row.ts';
import type { DataEndpoint } from './data-endpoints.ts';
import { noRow, writeRow } from './write-row.ts';

/** `DELETE /data/<connection>/<table>/<key>`. */
export const deleteRow: DataEndpoint = (api, parts) => {
  api.delete('/:connection/:table/:key', { config: { role: 'operate' } }, async (request, reply) => {
    const { asked, wait, key, check } = await askedRow(parts, request);
    await writeRow(asked, key, (current) => {
      check(current);
      if (current === null) throw noRow(asked.path);
      return { op: 'delete', key };
    });
    return answerWrite(asked, { key, did: 'deleted' }, wait, parts, reply);
  });
};
