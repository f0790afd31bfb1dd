import type { Row } from '../../model/value.ts';
import type { AskedTable } from './find-table.ts';

/** The row with the time of its change, where programs are to set that and whoever sends it has not. */
export function stamped(row: Row, { table, rows }: AskedTable, nowMs: number): Row {
  const field = rows.schema.fields.find(({ name }) => name === table.spec.watermark);
  if (field === undefined || !field.writable || field.type !== 'datetime' || Object.hasOwn(row, field.name)) return row;
  return { ...row, [field.name]: new Date(nowMs).toISOString() };
}
