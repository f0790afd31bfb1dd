import { type FieldValue, type Row, textOf } from '../../model/value.ts';

/**
 * Whether a record holds these values.
 * @param caseless  fields in whose values capitals tell nothing apart
 */
export function isLike(row: Row, wanted: Row, caseless: ReadonlySet<string> = new Set()): boolean {
  return Object.entries(wanted).every(([name, value]) => {
    const text = (of: FieldValue | undefined) => (caseless.has(name) ? textOf(of)?.toLowerCase() : textOf(of));
    return text(row[name]) === text(value);
  });
}
