import { newRow, type Row } from '../../model/value.ts';
import { answerWrite } from './answer-write.ts';
import { askedRow } from './asked-row.ts';
import type { DataEndpoint } from './data-endpoints.ts';
import type { AskedTable } from './find-table.ts';
import { readBody, refuseMissing, withoutKey } from './read-body.ts';
import { stamped } from './stamped.ts';
import { differing, noRow, writeRow } from './write-row.ts';

/** `PUT /data/<connection>/<table>/<key>`: the row as it is sent in the place of what is there; with If-None-Match: * a new one. */
export const putRow: DataEndpoint = (api, parts) => {
  api.put('/:connection/:table/:key', { config: { role: 'operate' } }, async (request, reply) => {
    const { asked, wait, key, named, check } = await askedRow(parts, request);
    const { rows, path } = asked;
    const sent = withoutKey(readBody(request.body, rows), named, rows);
    refuseMissing({ ...named, ...sent }, rows);
    let isNew = false;
    await writeRow(asked, key, (current) => {
      check(current);
      isNew = current === null;
      if (current === null && request.headers['if-match'] !== undefined) throw noRow(path);
      if (current === null) return { op: 'create', row: stamped({ ...sent, ...named }, asked, parts.now()) };
      const row = differing(whole(sent, asked), current);
      return Object.keys(row).length === 0 ? null : { op: 'update', key, row: stamped(row, asked, parts.now()) };
    });
    return answerWrite(asked, { key, did: isNew ? 'created' : 'changed' }, wait, parts, reply);
  });
};

/** What is not sent is nothing, where it may be: what has to be there stays, as does the time of the change. */
function whole(sent: Row, { rows, table }: AskedTable): Row {
  const { key, fields } = rows.schema;
  const row = newRow();
  for (const { name, nullable, writable } of fields) {
    if (nullable && writable && !key.includes(name) && name !== table.spec.watermark) row[name] = null;
  }
  return Object.assign(row, sent);
}
