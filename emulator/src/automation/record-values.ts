import type { StoredRow } from '../org/table.ts';
import { kindOf } from '../org/table.ts';
import type { Calculations, Org, ReadableField, RowLookup, Values } from '../org/types.ts';
import { toRest } from '../org/values.ts';

/**
 * A record as rules read it: `record.Amount`, `record['Account.Name']`, formulas included. Values are as REST writes them.
 * A name that is not there is an error: misspelt, it would read as blank.
 */
export type RecordValues = Readonly<Values>;

/** What is asked of any object that somebody awaits, prints or compares. */
const notFields: ReadonlySet<string> = new Set(['then', 'toJSON', 'constructor', 'asymmetricMatch', 'nodeType', 'tagName']);

/** Reads `row` when it is asked, not before. */
export function recordValues(org: Org, object: string, row: Readonly<StoredRow>, look: RowLookup): RecordValues {
  const names = () =>
    org.schema
      .object(object)!
      .fields.filter((field) => kindOf(field) !== 'compound')
      .map(({ name }) => name);
  const read = (name: string) => {
    const field = requireField(org.calculations, object, name);
    return toRest(field.column.kind, field.read(row, look));
  };
  return new Proxy<RecordValues>(
    {},
    {
      get: (_, name) => (typeof name === 'symbol' || notFields.has(name) ? undefined : read(name)),
      has: (_, name) => typeof name === 'string' && org.calculations.field(object, name) !== undefined,
      ownKeys: names,
      getOwnPropertyDescriptor: (_, name) =>
        typeof name === 'string' && org.calculations.field(object, name)
          ? { enumerable: true, configurable: true, value: read(name) }
          : undefined,
      set() {
        throw new TypeError('a record is not changed by assignment');
      },
    },
  );
}

/** @throws {TypeError} */
export function requireField(calculations: Calculations, object: string, path: string): ReadableField {
  const field = calculations.field(object, path);
  if (!field) throw new TypeError(`${object} has no field '${path}'`);
  return field;
}
