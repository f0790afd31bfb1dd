import type { FieldValue } from '@tidemark/core';
import { exactNumber, isExactNumber } from '../exact-json.ts';
import { datetimeText, decimalText } from '../values.ts';
import type { WriteColumn } from './write-plan.ts';

/**
 * The engine's canonical values as Salesforce takes them:
 *
 * | type             | REST (JSON)                  | Bulk (CSV)                     |
 * |------------------|------------------------------|--------------------------------|
 * | absent           | absent: left alone           | empty cell: left alone         |
 * | null             | `null`                       | `#N/A`                         |
 * | empty text       | `null`: no empty text is stored | `#N/A`                      |
 * | the text `#N/A`  | itself                       | cannot be said: goes by REST   |
 * | decimal          | a number of all its digits   | its digits                     |
 * | boolean null     | `false`                      | `false`: a checkbox is never empty |
 * | date, datetime   | `2024-05-22`, `…T13:05:09.000Z` | the same                    |
 * | time             | `13:05:09.000Z`              | the same                       |
 * | list             | `a;b`                        | the same                       |
 */
export type Written = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly message: string };

/** What has been written, as text; null for null. */
export function writtenText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return isExactNumber(value) ? JSON.stringify(value) : String(value);
}

const ok = (value: unknown): Written => ({ ok: true, value });

/** What goes into a JSON body. A value that no field of this type can hold is refused here: Salesforce would refuse the whole call. */
export function toWrite(value: FieldValue, { type, field }: Pick<WriteColumn, 'type' | 'field'>): Written {
  if (value === null || value === '') return ok(type === 'boolean' ? false : null);
  const wrong = (what: string): Written => ({ ok: false, message: `${field.name} takes ${what}, not ${quoted(value)}` });
  switch (type) {
    case 'boolean': {
      const flag = flags.get(String(value).toLowerCase());
      return flag === undefined ? wrong('true or false') : ok(flag);
    }
    case 'integer':
    case 'decimal':
    case 'double': {
      if (typeof value === 'number') return Number.isFinite(value) ? ok(value) : wrong('a number');
      const text = typeof value === 'string' ? value.trim() : '';
      if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?$/i.test(text)) return wrong('a number');
      // All the digits go out: a double might not hold them.
      return ok(exactNumber(decimalText(text)));
    }
    case 'date':
      return dateOf(value) ?? wrong('a date such as 2024-05-22');
    case 'datetime': {
      const text = typeof value === 'string' ? value : '';
      if (/^\d{4}-\d\d-\d\d$/.test(text)) return isReal(text) ? ok(`${text}T00:00:00.000Z`) : wrong('a datetime');
      const ms = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(datetimeText(text)) : Number.NaN;
      return Number.isNaN(ms) || !isReal(text.slice(0, 10))
        ? wrong('a datetime such as 2024-05-22T13:05:09Z')
        : ok(new Date(ms).toISOString());
    }
    case 'time': {
      const match = typeof value === 'string' ? /^([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,9}))?)?Z?$/.exec(value) : null;
      if (match === null) return wrong('a time such as 13:05:09.000');
      const [, hours, minutes, seconds = '00', fraction = ''] = match;
      return ok(`${hours}:${minutes}:${seconds}.${fraction.slice(0, 3).padEnd(3, '0')}Z`);
    }
    default:
      return textValue(value, field.type, wrong);
  }
}

function textValue(value: FieldValue, type: string, wrong: (what: string) => Written): Written {
  const list = Array.isArray(value) && type === 'multipicklist' ? value.map(String).join(';') : value;
  const text = typeof list === 'object' ? JSON.stringify(list) : String(list);
  if (text === '') return ok(null);
  if (!text.isWellFormed() || text.includes('\u0000')) return wrong('text that UTF-8 can hold, without the character NUL');
  return ok(text);
}

const flags = new Map([
  ['true', true],
  ['false', false],
  ['1', true],
  ['0', false],
]);

/** A datetime at midnight is a date as databases give it; any other would lose its time. */
function dateOf(value: FieldValue): Written | null {
  const match = typeof value === 'string' ? /^(\d{4}-\d\d-\d\d)(?:T00:00(?::00(?:\.0+)?)?Z?)?$/.exec(value) : null;
  return match === null || !isReal(match[1]!) ? null : ok(match[1]);
}

function isReal(day: string): boolean {
  const ms = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}

/** The beginning of a value, for a message that somebody reads: the record itself is kept with the failure. */
function quoted(value: FieldValue): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
