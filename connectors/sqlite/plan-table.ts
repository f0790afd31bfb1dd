import { createHash } from 'node:crypto';
import {
  columnNames,
  type DatasetSchema,
  type FieldSchema,
  RequestRefusedError,
  type SchemaChange,
  shortened,
  type TargetScope,
} from '@tidemark/core';
import { DELETED_AT, quoted, STAMP } from './identifiers.ts';
import { affinityOf, type ColumnLayout, declaredType, holds, type TableFacts, type TableLayout } from './layout.ts';
import { createTable, keyColumns, systemColumns } from './table.ts';

export interface TablePlan {
  readonly layout: TableLayout;
  readonly changes: readonly SchemaChange[];
  /** Nothing has to be written. */
  readonly isDone: boolean;
}

/** SQLite sets no limit; other databases to which somebody may move do. */
const nameBytesMax = 120;

/** Where a dataset's fields go, and what has to be done to the table for that. */
export function planTable(table: string, schema: DatasetSchema, facts: TableFacts, scope?: TargetScope): TablePlan {
  if (table.includes('\0') || /^(sqlite_|_tidemark_)/i.test(table)) {
    throw new RequestRefusedError(`No table can be called ${JSON.stringify(table)}`, {
      hint: 'Choose another name for `to.table`.',
    });
  }
  if (facts.kind === 'view') throw new RequestRefusedError(`${table} is a view`, { hint: 'Name a table in `to.table`.' });
  const existing = facts.columns.filter(({ name }) => name !== STAMP && name !== DELETED_AT).map(({ name }) => name);
  const names = columnNames(schema.fields, {
    fold: 'keep',
    bytesMax: nameBytesMax,
    existing,
    known: new Map(facts.known.map(({ field, column }) => [field, column])),
  });
  const strict = facts.kind === null || facts.strict;
  const columns = schema.fields.map((field): ColumnLayout => {
    const column = names.get(field.name)!;
    const declared = facts.columns.find(({ name }) => name === column)?.type ?? declaredType(field.type, strict);
    return { field: field.name, column, type: field.type, affinity: affinityOf(declared, strict) };
  });
  const key = schema.key.map((name) => schema.fields.findIndex((field) => field.name === name));
  const layout: TableLayout = { table, columns, key, scope };
  const keys = keyColumns(layout);
  if (scope !== undefined) checkScope(layout, scope, facts);
  const changes = [
    ...(facts.kind === null ? [creation(layout, keys)] : [...widening(layout, schema, facts), ...keyIndex(layout, keys, facts)]),
    ...referenceIndexes(layout, keys, schema.fields, facts),
    // What one of those who share the table has no more, others may still have.
    ...(scope === undefined ? disappeared(layout, facts) : []),
  ];
  const isKnown = columns.every(({ field, column, type }) =>
    facts.known.some((each) => each.field === field && each.column === column && each.type === type),
  );
  return { layout, changes, isDone: isKnown && changes.every(({ statement }) => statement === undefined) };
}

function checkScope({ table, columns }: TableLayout, { column }: TargetScope, facts: TableFacts): void {
  const taken = columns.find((each) => each.column.toLowerCase() === column.toLowerCase());
  if (taken !== undefined) {
    throw new RequestRefusedError(
      `Column ${column} of table ${table} holds the name of the org, and the field ${taken.field} as well`,
      {
        hint: 'Name another column in `to.orgColumn`, or map the field to another one.',
      },
    );
  }
  if (facts.kind === null || facts.columns.some(({ name }) => name === column)) return;
  throw new RequestRefusedError(`Table ${table} has no column ${column}, so that nobody can say whose its rows are`, {
    hint: 'Name another table, or add the column, fill it for the rows that are there, and make it part of the key.',
  });
}

function creation({ table, columns, scope }: TableLayout, keys: readonly string[]): SchemaChange {
  const types = columns.map(({ column, type }) => ({ name: column, type: declaredType(type, true) }));
  const shared = scope === undefined ? [] : [{ name: scope.column, type: 'TEXT' }];
  return {
    summary: `create table ${table} with ${columns.length} columns`,
    statement: createTable(table, [...shared, ...types, ...systemColumns], keys),
    isNew: true,
  };
}

function widening(layout: TableLayout, schema: DatasetSchema, facts: TableFacts): SchemaChange[] {
  const { table } = layout;
  const has = (column: string) => facts.columns.find(({ name }) => name === column);
  const added = layout.columns.flatMap(({ field, column, type, affinity }): SchemaChange[] => {
    const found = has(column);
    if (found === undefined) {
      const statement = `ALTER TABLE ${quoted(table)} ADD COLUMN ${quoted(column)} ${declaredType(type, facts.strict)}`.trimEnd();
      return [{ summary: `add column ${column} to ${table}`, statement, newField: field }];
    }
    if (found.generated || !holds(affinity, type)) throw incompatible(table, column, found, field, type);
    return [];
  });
  const system = systemColumns
    .filter(({ name }) => has(name) === undefined)
    .map(({ name, type }) => ({
      summary: `add column ${name} to ${table}`,
      statement: `ALTER TABLE ${quoted(table)} ADD COLUMN ${name} ${type}`,
    }));
  const missing = schema.key.find((key) => added.some(({ newField }) => newField === key));
  if (missing !== undefined && facts.columns.length > 0) {
    throw new RequestRefusedError(`Table ${table} has no column for the key ${missing}`, {
      hint: 'Map the key to a column that the table has, or name another table.',
    });
  }
  return [...added, ...system];
}

function incompatible(
  table: string,
  column: string,
  found: { readonly type: string; readonly generated: boolean },
  field: string,
  type: string,
): RequestRefusedError {
  const is = found.generated ? 'is generated' : `is ${found.type || 'of no type'}`;
  return new RequestRefusedError(`Column ${column} of table ${table} ${is} and cannot hold ${field} (${type})`, {
    hint: `Give it a type that keeps ${type} as it is, e.g. ${declaredType(field === '' ? 'text' : (type as FieldSchema['type']), true)}, map the field to another column, or exclude it.`,
  });
}

/** An upsert needs one row per key at most, and the table has to see to it. */
function keyIndex({ table }: TableLayout, keys: readonly string[], facts: TableFacts): SchemaChange[] {
  const wanted = [...keys].sort().join('\0');
  if (facts.uniques.some((columns) => [...columns].sort().join('\0') === wanted)) return [];
  const statement = `CREATE UNIQUE INDEX ${quoted(indexName(facts, table, keys.join('_')))} ON ${quoted(table)} (${keys.map(quoted).join(', ')})`;
  return [{ summary: `make ${keys.join(', ')} unique in ${table}`, statement }];
}

function referenceIndexes(
  { table, columns }: TableLayout,
  keys: readonly string[],
  fields: readonly FieldSchema[],
  facts: TableFacts,
): SchemaChange[] {
  return columns
    .filter(({ column }, i) => fields[i]!.reference && !facts.indexed.includes(column) && keys[0] !== column)
    .map(({ column }) => ({
      summary: `index ${column} of ${table}`,
      statement: `CREATE INDEX ${quoted(indexName(facts, table, column))} ON ${quoted(table)} (${quoted(column)})`,
    }));
}

function indexName(facts: TableFacts, table: string, columns: string): string {
  const name = shortened(`${table}_${columns}`, nameBytesMax);
  if (!facts.indexNames.includes(name)) return name;
  return `${name}_${createHash('sha256').update(`${table}\0${columns}`).digest('hex').slice(0, 6)}`;
}

function disappeared({ table, columns }: TableLayout, facts: TableFacts): SchemaChange[] {
  return facts.known
    .filter(
      ({ field, column }) => !columns.some((each) => each.field === field) && facts.columns.some(({ name }) => name === column),
    )
    .map(({ field, column }) => ({
      summary: `field ${field} no longer arrives; column ${column} of ${table} is kept`,
      informational: true,
    }));
}
