import type { Schema } from '../schema/types.ts';
import { fold, foldedSql } from './database.ts';
import type { Store } from './store.ts';
import type { Stored, StoredRow, Table } from './table.ts';
import { isDeleted, type TransactionView } from './transaction-view.ts';
import { type DuplicateRule, type DuplicateRules, SalesforceError } from './types.ts';
import type { Workings } from './workings.ts';

export interface DuplicateRuleSet extends DuplicateRules {
  /** By object, in the order of their definition. */
  of(object: string): readonly Required<DuplicateRule>[];
}

/** What a new rule says, as the standard ones do. */
const messageDefault = 'Use one of these records?';

export function createDuplicateRules(schema: Schema): DuplicateRuleSet {
  const rules = new Map<string, Required<DuplicateRule>>();
  const byObject = new Map<string, Required<DuplicateRule>[]>();
  const none: readonly Required<DuplicateRule>[] = [];

  function index(): void {
    byObject.clear();
    for (const rule of rules.values()) byObject.set(rule.object, [...(byObject.get(rule.object) ?? []), rule]);
  }

  return {
    of: (object) => byObject.get(object) ?? none,
    define(rule) {
      const object = schema.object(rule.object);
      if (!object) throw new TypeError(`there is no object '${rule.object}'`);
      if (rule.fields.length === 0) throw new TypeError('a duplicate rule compares at least one field');
      if (rule.action !== 'block' && rule.action !== 'allow')
        throw new TypeError(`action is 'block' or 'allow', not '${rule.action}'`);
      const fields = rule.fields.map((name) => {
        const field = schema.field(object.name, name);
        if (!field) throw new TypeError(`there is no field '${name}' on '${object.name}'`);
        if (field.type === 'address' || field.type === 'location')
          throw new TypeError(`'${name}' is made of other fields: name those`);
        return field.name;
      });
      const name = rule.name ?? `Standard_${object.name}_Duplicate_Rule`;
      rules.set(name, { name, object: object.name, fields, action: rule.action, message: rule.message ?? messageDefault });
      index();
      return name;
    },
    remove(name) {
      const removed = rules.delete(name);
      index();
      return removed;
    },
    list: () => [...rules.values()],
  };
}

/**
 * Duplicate rules run when a record is created, and when one of the compared fields is edited ("Things to Know About
 * Duplicate Rules", Salesforce Help).
 * @param id  The record's own; absent for a new one.
 * @throws {SalesforceError} `DUPLICATES_DETECTED`
 */
export function checkDuplicates(
  { store, view, allowDuplicates }: Workings,
  table: Table,
  id: string | undefined,
  row: StoredRow,
  before: StoredRow | undefined,
): void {
  for (const rule of store.duplicateRules.of(table.name)) {
    if (rule.action === 'allow' && allowDuplicates) continue;
    // A field of the rule may have been removed since.
    if (!rule.fields.every((name) => table.column(name))) continue;
    const values = rule.fields.map((name) => row[name] ?? null);
    if (values.includes(null)) continue;
    if (before && rule.fields.every((name) => (row[name] ?? null) === (before[name] ?? null))) continue;
    const ids = equals(store, view, table, rule.fields, values).filter((other) => other !== id);
    if (ids.length === 0) continue;
    const duplicates = { rule: rule.name, object: table.name, message: rule.message, allowSave: rule.action === 'allow', ids };
    throw new SalesforceError('DUPLICATES_DETECTED', rule.message, { duplicates });
  }
}

/** Records alive with these values: an exact match, which knows no case. */
function equals(
  store: Store,
  view: TransactionView,
  table: Table,
  fields: readonly string[],
  values: readonly Stored[],
): string[] {
  const columns = fields.map((name) => table.column(name)!);
  const same = (a: Stored | undefined, b: Stored) =>
    typeof a === 'string' && typeof b === 'string' ? fold(a) === fold(b) : a === b;
  const tests = columns.map(({ kind, quotedName }) =>
    kind === 'text' ? `${foldedSql(quotedName)} = fold(?)` : `${quotedName} = ?`,
  );
  const alive = table.softDeletes ? ' AND "IsDeleted" = 0' : '';
  const sql = `SELECT "Id" FROM ${table.quotedName} WHERE ${tests.join(' AND ')}${alive}`;
  for (const column of columns) store.index(table, column);
  const stored = store.statement(sql).all(...values) as { Id: string }[];
  const found = stored.map((row) => row.Id).filter((id) => !view.pending.has(id));
  for (const [id, entry] of view.pending) {
    if (entry.table.name !== table.name || entry.purged || isDeleted(entry.row)) continue;
    if (columns.every((column, i) => same(entry.row[column.name], values[i]!))) found.push(id);
  }
  return found;
}
