import { type FieldSchema, type FieldValue, textOf } from '@tidemark/core';

/**
 * Salesforce's values in the engine's canonical forms. What differs, by field type:
 *
 * | type     | REST (JSON)                    | Bulk (CSV text)              | canonical                  |
 * |----------|--------------------------------|------------------------------|----------------------------|
 * | datetime | `2024-05-22T13:05:09.000+0000` | `2024-05-22T13:05:09.000Z`   | the form with `Z`          |
 * | time     | `13:05:09.000Z`                | `13:05:09.000Z`              | without `Z`                |
 * | integer  | `12`                           | `12` or `12.0`               | `12`                       |
 * | decimal  | `10.0`, `1234.56`              | `10.0`, `1.23456789E8`       | `10`, `1234.56`            |
 * | empty    | `null`                         | `""`                         | null                       |
 */
export function fromRest(value: unknown, field: Pick<FieldSchema, 'type'>): FieldValue {
  if (value === null || value === undefined || value === '') return null;
  switch (field.type) {
    case 'datetime':
      return datetimeText(String(value));
    case 'time':
      return timeText(String(value));
    case 'boolean':
      return typeof value === 'boolean' ? value : value === 'true';
    case 'integer':
    case 'double':
      return typeof value === 'number' ? value : Number(value);
    case 'decimal':
      return typeof value === 'number' ? value : decimalText(String(value));
    default:
      return textOf(value as FieldValue);
  }
}

export function datetimeText(text: string): string {
  if (text.length === 24 && text.endsWith('Z')) return text;
  if (text.length === 28 && text.endsWith('+0000')) return `${text.slice(0, 23)}Z`;
  const ms = Date.parse(text.replace(/([+-]\d\d)(\d\d)$/, '$1:$2'));
  return Number.isNaN(ms) ? text : new Date(ms).toISOString();
}

export function timeText(text: string): string {
  return text.endsWith('Z') ? text.slice(0, -1) : text;
}

/** Digits without exponent, superfluous zeros and plus sign: `1.50E3` is `1500`. No digit is lost. */
export function decimalText(text: string): string {
  const match = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text);
  if (match === null) return text;
  const [, sign, whole, fraction, exponent] = match;
  const digits = whole! + fraction!;
  const point = whole!.length + Number(exponent ?? 0);
  const padded = digits.padStart(digits.length + Math.max(0, -point), '0').padEnd(Math.max(point, 0), '0');
  const split = Math.max(point, 0);
  const left = padded.slice(0, split).replace(/^0+(?=\d)/, '') || '0';
  const right = padded.slice(split).replace(/0+$/, '');
  const plain = right === '' ? left : `${left}.${right}`;
  return sign === '-' && plain !== '0' ? `-${plain}` : plain;
}
