import type { SideWrite } from '../../model/side.ts';
import { newRow, type Row } from '../../model/value.ts';
import { NotFoundError, StatedError } from '../v1/refuse.ts';
import { asking } from './bad-request.ts';
import { type AskedTable, UNTIL_DONE } from './find-table.ts';

/** Where nothing is locked, a row that moves meanwhile is looked at again so often. */
const TRIES_MAX = 3;

/** @throws {StatedError} 405: nobody has said that this table may be written */
export function refuseReadOnly({ table, rows }: AskedTable): void {
  if (table.access !== 'read' && rows.merge !== undefined) return;
  const hint = table.isCopy
    ? 'its sync writes it: change the source'
    : 'http: { data: … } of the configuration says what may be written';
  throw new StatedError(405, 'read_only', `${table.spec.name} is only read here`, hint);
}

/**
 * Writes a row as `decide` wants it, with the row as it is at that moment; null: nothing is to be written.
 * @param key  null for one that is made, and whose key the database gives
 * @returns the key of the row
 */
export async function writeRow(
  { rows, table, path }: AskedTable,
  key: string | null,
  decide: (current: Row | null) => SideWrite | null,
): Promise<string> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const [result] = await asking(() =>
      rows.merge!(
        key === null ? [] : [key],
        async (found) => {
          const write = decide(key === null ? null : (found.get(key)?.row ?? null));
          return write === null ? [] : [write];
        },
        UNTIL_DONE,
      ),
    );
    if (result === undefined) return key!;
    if (result.status === 'written') return result.key;
    if (result.status === 'gone') throw noRow(path);
    if (result.status === 'rejected') {
      const { code, message } = result.reason;
      throw new StatedError(422, code, message, `${table.connection} refuses the row: send one that it takes`);
    }
  }
  throw new StatedError(409, 'row_moves', 'others change this row all the time', 'read it again, and try again');
}

/** What of a row is not there already. */
export function differing(row: Row, current: Row): Row {
  const rest = newRow();
  for (const [name, value] of Object.entries(row)) {
    if (JSON.stringify(value) !== JSON.stringify(current[name] ?? null)) rest[name] = value;
  }
  return rest;
}

export function noRow(path: string): NotFoundError {
  return new NotFoundError('there is no such row', { hint: `GET ${path} lists those that there are` });
}
