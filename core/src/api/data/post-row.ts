import { keyOf } from '../../model/value.ts';
import { StatedError } from '../v1/refuse.ts';
import { answerWrite, readWait } from './answer-write.ts';
import type { DataEndpoint } from './data-endpoints.ts';
import { askedTable } from './find-table.ts';
import { readBody, refuseEmpty, refuseMissing } from './read-body.ts';
import { stamped } from './stamped.ts';
import { refuseReadOnly, writeRow } from './write-row.ts';

/** `POST /data/<connection>/<table>`: a new row; its key is sent, or the database gives it one. */
export const postRow: DataEndpoint = (api, parts) => {
  api.post('/:connection/:table', { config: { role: 'operate' } }, async (request, reply) => {
    const asked = await askedTable(parts, request);
    refuseReadOnly(asked);
    const wait = readWait(asked, request);
    const { rows } = asked;
    const row = readBody(request.body, rows);
    refuseEmpty(row);
    refuseMissing(row, rows);
    const key = keyOf(row, rows.schema.key);
    const made = await writeRow(asked, key, (current) => {
      if (current === null) return { op: 'create', row: stamped(row, asked, parts.now()) };
      throw new StatedError(409, 'exists', `there is a row with the key ${key} already`, 'change it with PATCH or PUT');
    });
    return answerWrite(asked, { key: made, did: 'created' }, wait, parts, reply);
  });
};
