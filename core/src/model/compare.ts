import type { FieldSchema } from './schema.ts';
import type { FieldValue, Row } from './value.ts';

/** Whether two values of a field mean the same, however two systems write them down: `1` and `1.0`, an instant in two zones. */
export function sameValue(a: FieldValue | undefined, b: FieldValue | undefined, field: Pick<FieldSchema, 'type'>): boolean {
  const left = a ?? null;
  const right = b ?? null;
  if (left === right) return true;
  if (left === null || right === null) return false;
  switch (field.type) {
    case 'integer':
    case 'double':
      return Number(left) === Number(right);
    case 'decimal':
      return (
        Number(left) === Number(right) &&
        (typeof left !== 'string' || typeof right !== 'string' || trimZeros(left) === trimZeros(right))
      );
    case 'datetime':
      return Date.parse(String(left)) === Date.parse(String(right));
    case 'time':
      return trimZeros(String(left).replace(/Z$/, '')) === trimZeros(String(right).replace(/Z$/, ''));
    case 'boolean':
      return String(left) === String(right);
    case 'json':
      return sortedJson(left) === sortedJson(right);
    default:
      return String(left) === String(right);
  }
}

/** Names of the fields in which two rows differ. */
export function differingFields(a: Row, b: Row, fields: readonly FieldSchema[]): readonly string[] {
  return fields.filter((field) => !sameValue(a[field.name], b[field.name], field)).map((field) => field.name);
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/0+$/, '').replace(/\.$/, '') : text;
}

function sortedJson(value: FieldValue): string {
  return JSON.stringify(value, (_, member) =>
    member !== null && typeof member === 'object' && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([x], [y]) => (x < y ? -1 : 1)))
      : member,
  );
}
