import type { StatementSync } from 'node:sqlite';
import type { Store } from './store.ts';
import { type Column, createIndexes, dropIndexes, type Stored, type Table } from './table.ts';
import { SalesforceError, type Value, type Values } from './types.ts';
import { stampOf, storeUnchecked } from './values.ts';
import { composeName } from './write-checks.ts';

/** Rows with the same keys share a statement: what to bind is decided once per shape and not per row. */
interface Shape {
  readonly keys: readonly string[];
  readonly columns: readonly Column[];
  /** Columns that the rows lack and the org fills. */
  readonly made: readonly string[];
  readonly statement: StatementSync;
}

/** Fills an object without checks, in one database transaction. Returns how many rows. */
export function loadRows(store: Store, object: string, rows: Iterable<Values>, userId: string): number {
  const table = store.requireTable(object);
  const now = stampOf(store.clock.now());
  const fresh = store.statement(`SELECT 1 FROM ${table.quotedName} LIMIT 1`).get() === undefined;
  const shapes = new Map<string, Shape>();
  let shape: Shape | undefined;
  let count = 0;

  const load = () => {
    if (fresh) dropIndexes(store.database, table);
    const logDeletion = store.statement('INSERT OR REPLACE INTO "_Deletion" VALUES (?, ?, ?)');
    for (const row of rows) {
      const keys = Object.keys(row);
      if (!shape || !sameKeys(shape.keys, keys)) {
        const signature = keys.join();
        shape = shapes.get(signature) ?? makeShape(store, table, keys);
        shapes.set(signature, shape);
      }
      const counter = store.nextCounter(table);
      const { columns, made, statement } = shape;
      const values: Stored[] = new Array(1 + columns.length + made.length);
      let at = 0;
      values[at++] = counter;
      for (let i = 0; i < columns.length; i++) values[at++] = storeUnchecked(columns[i]!.kind, row[shape.keys[i]!]);
      for (const name of made) values[at++] = make(name, row, counter);
      statement.run(...values);
      if (row.IsDeleted === true) {
        const id = values[1 + columns.findIndex((column) => column.name === 'Id')] ?? store.makeId(table, counter);
        const stamp = row.SystemModstamp ?? row.LastModifiedDate;
        logDeletion.run(id, table.name, storeUnchecked('datetime', stamp) ?? now);
      }
      count++;
    }
    if (fresh) createIndexes(store.database, table);
  };

  const make = (name: string, row: Values, counter: number): Stored => {
    switch (name) {
      case 'Id':
        return store.makeId(table, counter);
      case 'Name':
        return nameOf(table, row);
      case 'SystemModstamp':
        return storeUnchecked('datetime', row.LastModifiedDate ?? row.CreatedDate) ?? now;
      case 'LastModifiedDate':
        return storeUnchecked('datetime', row.CreatedDate) ?? now;
      case 'CreatedDate':
        return now;
      default:
        return userId;
    }
  };

  store.atomically(load);
  return count;
}

function nameOf(table: Table, row: Values): Stored {
  const parts: Record<string, Stored> = {};
  for (const column of table.nameParts) parts[column.name] = storeUnchecked('text', row[column.name] as Value | undefined);
  composeName(table, parts);
  return parts.Name ?? null;
}

const filled = ['Id', 'CreatedDate', 'CreatedById', 'LastModifiedDate', 'LastModifiedById', 'SystemModstamp', 'OwnerId'];

function makeShape(store: Store, table: Table, keys: readonly string[]): Shape {
  const columns = keys.map((key) => {
    const column = table.column(key);
    if (!column) throw new SalesforceError('INVALID_FIELD', `No such column '${key}' on sobject of type ${table.name}`);
    return column;
  });
  const given = new Set(columns.map((column) => column.name));
  const wanted = table.nameParts.length > 0 ? [...filled, 'Name'] : filled;
  const made = wanted.filter((name) => !given.has(name) && table.column(name));
  const names = ['"_rid"', ...columns.map((column) => column.quotedName), ...made.map((name) => `"${name}"`)];
  const sql = `INSERT INTO ${table.quotedName} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`;
  return { keys, columns, made, statement: store.database.prepare(sql) };
}

function sameKeys(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
