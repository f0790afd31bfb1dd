import { type FieldType, type FieldValue, textOf } from './value.ts';

/** JSON whose integers keep all their digits: as text, where a number cannot hold them. Null when it is none. */
export function parseExact(body: string): { readonly value: FieldValue } | null {
  const exact = (_: string, value: unknown, { source }: { source?: string }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source ?? '') ? source : value;
  try {
    return { value: JSON.parse(body, exact as (key: string, value: unknown) => unknown) as FieldValue };
  } catch {
    return null;
  }
}

/** `address.city` of a record: a field of just that name, or one within another. Null when there is none. */
export function fieldAt(record: FieldValue, name: string): FieldValue {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return null;
  const fields = record as { readonly [field: string]: FieldValue };
  if (Object.hasOwn(fields, name)) return fields[name]!;
  const dot = name.indexOf('.');
  if (dot < 1 || !Object.hasOwn(fields, name.slice(0, dot))) return null;
  return fieldAt(fields[name.slice(0, dot)]!, name.slice(dot + 1));
}

/** A value of JSON in the canonical form of its type; undefined when it is none of that type. */
export function fieldAs(type: FieldType, value: FieldValue): FieldValue | undefined {
  if (value === null || type === 'json') return value;
  const text = textOf(value)!;
  switch (type) {
    case 'text':
      return text;
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined;
    case 'integer':
      return /^-?\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined;
    case 'double':
      return isNumber(value, text) ? Number(text) : undefined;
    case 'decimal':
      if (!isNumber(value, text)) return undefined;
      return typeof value === 'number' || String(Number(text)) !== text ? value : Number(text);
    case 'datetime': {
      const at = /^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:?\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
      return Number.isNaN(at) ? undefined : new Date(at).toISOString();
    }
    case 'date':
      return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)) ? text : undefined;
    case 'time':
      return /^([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}$/.test(text) ? text : undefined;
    case 'bytes':
      return typeof value === 'string' && Buffer.from(value, 'base64').toString('base64') === value ? value : undefined;
  }
}

function isNumber(value: FieldValue, text: string): boolean {
  return typeof value === 'number' || (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(text));
}
