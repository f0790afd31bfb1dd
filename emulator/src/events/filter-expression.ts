import type { StoredRow } from '../org/table.ts';
import { readCondition } from '../soql/record-condition.ts';
import type { Operator } from '../soql/syntax.ts';

/** A channel member's filter: which events of its kind the channel carries. */
export interface EventFilter {
  /** Fields that it reads, as written. */
  readonly fields: readonly string[];
  matches(row: StoredRow): boolean;
}

const fieldsMax = 10;
const operators: ReadonlySet<Operator> = new Set<Operator>(['=', '!=', '<', '<=', '>', '>=', 'LIKE']);

/**
 * Reads a filter expression: a SOQL condition over at most ten fields of the event itself, with comparisons, LIKE, AND,
 * OR and NOT (Platform Events guide, "Filter Your Stream of Events").
 * @param fieldOf  The field's name as spelt in the schema.
 * @throws {TypeError}
 */
export function readFilter(expression: string, fieldOf: (name: string) => string | undefined): EventFilter {
  const fields = new Set<string>();
  const matches = readCondition<StoredRow>(expression, {
    operators,
    field(path) {
      const name = path.includes('.') ? undefined : fieldOf(path);
      if (name === undefined) throw new TypeError(`a filter cannot use '${path}': the event has no such field`);
      fields.add(name);
      return { read: (row) => row[name] ?? null };
    },
  });
  if (fields.size > fieldsMax) throw new TypeError(`a filter can use ${fieldsMax} fields; this one uses ${fields.size}`);
  return { fields: [...fields], matches };
}
