import type { FieldType, FieldValue } from '@tidemark/core';

/**
 * A value from a file in the canonical form of its field's type. What does not fit the type goes on as it stands: a target with
 * types refuses that one record and names it (P2), where refusing it here would stop the whole file.
 */
export function canonical(value: FieldValue, type: FieldType): FieldValue {
  if (value === null) return null;
  if (typeof value === 'string') return fromText(value, type);
  if (type === 'json') return value;
  if (typeof value === 'object') return JSON.stringify(value);
  const fits = typeof value === 'boolean' ? type === 'boolean' : type === 'integer' || type === 'decimal' || type === 'double';
  return fits ? value : fromText(String(value), type);
}

function fromText(text: string, type: FieldType): FieldValue {
  const trimmed = text.trim();
  switch (type) {
    case 'boolean': {
      if (/^(true|1)$/i.test(trimmed)) return true;
      return /^(false|0)$/i.test(trimmed) ? false : text;
    }
    case 'integer': {
      const number = /^[+-]?\d+$/.test(trimmed) ? Number(trimmed) : Number.NaN;
      return Number.isSafeInteger(number) ? number : text;
    }
    case 'decimal':
      return decimalOf(trimmed) ?? text;
    case 'double': {
      const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed) ? Number(trimmed) : Number.NaN;
      return Number.isFinite(number) ? number : text;
    }
    case 'datetime': {
      // Without a zone the moment is anybody's guess: `2024-05-22 13:05` stays what it is.
      const time = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*(Z|[+-]\d\d:?\d\d)$/i.test(trimmed) ? Date.parse(trimmed) : Number.NaN;
      return Number.isNaN(time) ? text : new Date(time).toISOString();
    }
    case 'date':
      return /^\d{4}-\d\d-\d\d$/.test(trimmed) ? trimmed : text;
    case 'time': {
      const found = /^(\d\d:\d\d)(:\d\d)?(\.\d{1,3})?$/.exec(trimmed);
      return found === null ? text : `${found[1]}${found[2] ?? ':00'}${(found[3] ?? '.').padEnd(4, '0')}`;
    }
    case 'json':
      return jsonOf(text);
    default:
      return text;
  }
}

/** A number where a double holds all digits, else their text. */
function decimalOf(text: string): FieldValue | undefined {
  const found = /^([+-]?)0*(\d+)(?:\.(\d*?)0*)?$/.exec(text);
  if (found === null) return undefined;
  const [, sign, whole, part = ''] = found;
  const plain = `${sign === '-' ? '-' : ''}${whole}${part === '' ? '' : `.${part}`}`;
  const number = Number(plain);
  return String(number) === plain ? number : Number(plain) === 0 ? 0 : plain;
}

function jsonOf(text: string): FieldValue {
  try {
    return JSON.parse(text) as FieldValue;
  } catch {
    return text;
  }
}
