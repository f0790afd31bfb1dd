import { custom, double, field, readOnly } from './fields.ts';
import type { FieldDescribe } from './types.ts';

/** A roll-up field as describe shows it: a number, or like the field that it summarises. */
export function rollUpField(name: string, label: string, summarized: FieldDescribe | undefined): FieldDescribe {
  const changes = [custom, readOnly, { calculated: true }];
  if (!summarized) return double(name, label, 18, 0, ...changes).describe;
  const { type, scale } = summarized;
  if (type === 'int') return double(name, label, 18, 0, ...changes).describe;
  const isNumber = type === 'double' || type === 'currency' || type === 'percent';
  return field(name, label, type, ...changes, isNumber ? { precision: 18, scale } : {}).describe;
}
