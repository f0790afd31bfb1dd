import { recordId } from '../record-id.ts';
import { datetimeText, decimalText } from '../values.ts';
import type { WriteColumn } from './write-plan.ts';
import { writtenText } from './write-values.ts';

/**
 * Whether writing a value would change nothing, Salesforce's own ways of storing considered: it keeps no empty text and no blanks
 * around one, rounds numbers to the field's scale, cuts datetimes to the second, spells ids with 18 characters and email addresses in small letters, and puts the values
 * of a multi-select picklist into the picklist's order.
 *
 * @param written  as `toWrite` makes it
 * @param stored   as REST tells it
 */
export function sameAsStored(written: unknown, stored: unknown, { type, field }: Pick<WriteColumn, 'type' | 'field'>): boolean {
  const left = writtenText(written);
  const right = stored === undefined || stored === null ? null : String(stored);
  if (type === 'boolean') return left === (right ?? 'false');
  if (left === null || right === null) return isBlank(left) && isBlank(right);
  switch (type) {
    case 'integer':
    case 'decimal':
    case 'double':
      return sameNumber(left, right, field.scale, type === 'decimal' && field.precision > 0);
    case 'datetime':
      return Math.floor(Date.parse(left) / 1000) === Math.floor(Date.parse(datetimeText(right)) / 1000);
    case 'date':
    case 'time':
      return left === right;
    default:
      if (field.type === 'reference' || field.type === 'id') return (recordId(left) ?? left) === (recordId(right) ?? right);
      if (field.type === 'multipicklist') return chosen(left) === chosen(right);
      if (field.type === 'email') return plain(left).toLowerCase() === plain(right).toLowerCase();
      return plain(left) === plain(right);
  }
}

const isBlank = (text: string | null) => text === null || text.trim() === '';
const plain = (text: string) => text.replaceAll(/\r\n?/g, '\n').trim();
const chosen = (text: string) =>
  [
    ...new Set(
      text
        .split(';')
        .map((value) => value.trim().toLowerCase())
        .filter((value) => value !== ''),
    ),
  ]
    .sort()
    .join(';');

function sameNumber(left: string, right: string, scale: number, rounds: boolean): boolean {
  const [a, b] = rounds ? [roundedTo(left, scale), roundedTo(right, scale)] : [decimalText(left), decimalText(right)];
  if (a === b) return true;
  // Beyond what a double holds the org's own digits are not ours to judge.
  return Math.max(a.length, b.length) > 15 && Number(a) === Number(b);
}

/** Half goes away from zero. On the digits, so that 1.005 is not 1.00. */
export function roundedTo(text: string, scale: number): string {
  const plain = decimalText(text);
  const [whole, fraction = ''] = plain.split('.') as [string, string?];
  if (fraction.length <= scale) return plain;
  const negative = whole.startsWith('-');
  const digits = BigInt(whole.replace('-', '') + fraction.slice(0, scale));
  const up = fraction[scale]! >= '5' ? digits + 1n : digits;
  const padded = up.toString().padStart(scale + 1, '0');
  const split = padded.length - scale;
  const rounded = scale === 0 ? padded : `${padded.slice(0, split)}.${padded.slice(split)}`;
  return decimalText(negative ? `-${rounded}` : rounded);
}
