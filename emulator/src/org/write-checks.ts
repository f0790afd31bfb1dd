import { cachedBy } from './cached-by.ts';
import type { Column, StoredRow, Table } from './table.ts';
import { SalesforceError, type Values } from './types.ts';
import { checkValue } from './values.ts';

/** Checks of a write that need nothing but the record and its object. */

/**
 * The values of one write in stored form, by column name.
 * @param resolve  Gives the id for a key such as `Account.Ext__c`: a parent named by its external id, as in a Bulk CSV.
 * @throws {SalesforceError}
 */
export function readValues(
  table: Table,
  values: Values,
  access: 'createable' | 'updateable',
  resolve: (table: Table, key: string, value: string) => { column: Column; id: string | null },
): StoredRow {
  const row: StoredRow = {};
  const refused: string[] = [];
  for (const key of Object.keys(values)) {
    if (key === 'attributes') continue;
    const value = values[key]!;
    const column = table.column(key);
    if (!column && key.includes('.')) {
      const { column, id } = resolve(table, key, value === null ? '' : String(value));
      row[column.name] = id;
    } else if (!column) {
      const compound = table.compound(key);
      if (!compound) throw unknownField(table, key);
      refused.push(compound.name);
    } else if (!column.field[access]) refused.push(column.name);
    else row[column.name] = checkValue(column, value);
  }
  if (refused.length > 0) throw readOnly(refused);
  return row;
}

export function unknownField(table: Table, name: string): SalesforceError {
  return new SalesforceError('INVALID_FIELD', `No such column '${name}' on sobject of type ${table.name}`);
}

export function readOnly(fields: readonly string[]): SalesforceError {
  const message = `Unable to create/update fields: ${fields.join(', ')}. Please check the security settings of this field and verify that it is read/write for your profile or permission set.`;
  return new SalesforceError('INVALID_FIELD_FOR_INSERT_UPDATE', message, { fields });
}

/** A copy of a record with other values. Copied whole and then set: records of one table keep one shape, which makes them quick. */
export function changed(row: Readonly<StoredRow>, values: Readonly<StoredRow>): StoredRow {
  const copy = { ...row };
  for (const name in values) copy[name] = values[name]!;
  return copy;
}

/** The record with what Salesforce fills in when an insert leaves it out, before anything else looks at it. */
export function withDefaults(table: Table, given: StoredRow, userId: string): StoredRow {
  const { row: filledIn, evenForNull, owned } = defaultsOf(table);
  const row = changed(filledIn, given);
  // An explicit null stays null elsewhere: defaults are for what was not mentioned.
  for (const name of evenForNull) row[name] ??= filledIn[name]!;
  if (owned) row.OwnerId ??= userId;
  return row;
}

interface Defaults {
  readonly row: Readonly<StoredRow>;
  /** Checkboxes, which are never empty. */
  readonly evenForNull: readonly string[];
  /** Has an owner: the user who inserts. */
  readonly owned: boolean;
}

const defaultsOf = cachedBy(
  (table: Table): Defaults => ({
    // Built at once: V8 copies such an object many times faster than one that was given its fields one by one.
    row: Object.fromEntries([['_rid', null], ...table.columns.map((column) => [column.name, defaultOf(column)] as const)]),
    evenForNull: table.columns.filter(({ kind }) => kind === 'boolean').map(({ name }) => name),
    owned: table.column('OwnerId')?.field.createable === true,
  }),
);

/** Values that no describe tells of (recorded: new records of Account, Contact and Lead). */
const serverDefaults: Readonly<Record<string, string>> = { CleanStatus: 'Pending' };

function defaultOf(column: Column): string | number | null {
  const { field, kind } = column;
  if (kind === 'boolean') return field.defaultValue === true || field.defaultValue === 'true' ? 1 : 0;
  if (field.autoNumber) return null;
  const picked = field.picklistValues.find((entry) => entry.defaultValue && entry.active)?.value;
  const value = field.defaultValue ?? picked ?? serverDefaults[column.name] ?? null;
  return typeof value === 'string' || typeof value === 'number' ? checkValue(column, value) : null;
}

/** Numbers are given last, so that a refused record takes none. */
export function applyAutoNumbers(table: Table, row: StoredRow, counter: number): void {
  for (const { name } of numbered(table)) row[name] ??= String(counter).padStart(8, '0');
}

const numbered = cachedBy((table: Table) => table.columns.filter(({ field }) => field.autoNumber));

/** @throws {SalesforceError} `REQUIRED_FIELD_MISSING`, naming all of them. */
export function requireFields(table: Table, row: StoredRow, only?: StoredRow): void {
  const missing: string[] = [];
  for (const { name, field } of table.required) {
    const isAsked = only ? only[name] !== undefined : !field.defaultedOnCreate;
    if (isAsked && (row[name] ?? null) === null) missing.push(name);
  }
  if (missing.length === 0) return;
  const message = `Required fields are missing: [${missing.join(', ')}]`;
  throw new SalesforceError('REQUIRED_FIELD_MISSING', message, { fields: missing });
}

/** `Name` of a person follows from its parts. */
export function composeName(table: Table, row: StoredRow): void {
  if (table.nameParts.length === 0 || !table.column('Name')) return;
  let name: string | null = null;
  for (const column of table.nameParts) {
    const part = row[column.name] ?? null;
    if (part !== null) name = name === null ? String(part) : `${name} ${part}`;
  }
  row.Name = name;
}
