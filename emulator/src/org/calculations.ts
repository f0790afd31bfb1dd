import { type FieldPath, followPath } from './field-path.ts';
import type { Store } from './store.ts';
import type { Stored, StoredRow } from './table.ts';
import type { CalculatedField, Calculations, RowLookup } from './types.ts';

/** A field that is calculated when it is read, and the SQL function that does so. */
export interface DefinedField extends CalculatedField {
  readonly sqlFunction: string;
}

/** Calculated fields as queries see them, beside what the org shows of them. */
export interface CalculationStore extends Calculations {
  of(object: string, field: string): DefinedField | undefined;
  /** Rows of this object were loaded. */
  loaded(object: string): void;
}

export function createCalculations(store: Omit<Store, 'calculations'>): CalculationStore {
  const defined = new Map<string, DefinedField>();
  const loadListeners = new Set<(object: string) => void>();
  let paths = new Map<string, FieldPath | undefined>();
  let functions = 0;
  store.schema.onChange((object) => {
    paths = new Map();
    // A field that is removed takes its calculation along.
    for (const key of defined.keys()) {
      const [name, field] = key.split('.') as [string, string];
      if (name === object.name.toLowerCase() && !store.schema.field(name, field)) defined.delete(key);
    }
  });

  const keyOf = (object: string, field: string) => `${object}.${field}`.toLowerCase();
  const of = (object: string, field: string) => (defined.size === 0 ? undefined : defined.get(keyOf(object, field)));

  function pathOf(object: string, path: string): FieldPath | undefined {
    const key = keyOf(object, path);
    if (!paths.has(key)) paths.set(key, followPath(store.table, object, path));
    return paths.get(key);
  }

  /** @throws {TypeError} when a field follows from itself, over however many others. */
  function refuseCircles(object: string, field: string, inputs: readonly string[], above: readonly string[] = []): void {
    const chain = [...above, keyOf(object, field)];
    for (const input of inputs) {
      const found = pathOf(object, input);
      if (!found) continue;
      const key = keyOf(found.table.name, found.column.name);
      if (chain.includes(key)) throw new TypeError(`${object}.${field} follows from itself: ${[...chain, key].join(' from ')}`);
      refuseCircles(found.table.name, found.column.name, defined.get(key)?.inputs ?? [], chain);
    }
  }

  function read({ steps, table, column }: FieldPath, row: Readonly<StoredRow>, look: RowLookup): Stored {
    let at: Readonly<StoredRow> | undefined = row;
    for (const step of steps) {
      const id: Stored | undefined = at[step.column.name];
      at = typeof id === 'string' ? look(step.parent.name, id) : undefined;
      if (!at) return null;
    }
    const owner = at;
    const calculated = of(table.name, column.name);
    if (!calculated) return owner[column.name] ?? null;
    return calculated.compute(
      calculated.inputs.map((input) => {
        const found = pathOf(table.name, input);
        return found ? read(found, owner, look) : null;
      }),
    );
  }

  return {
    of,
    define(object, field, calculated) {
      const found = pathOf(object, field);
      if (!found || found.steps.length > 0) throw new TypeError(`${object} has no field '${field}'`);
      for (const input of calculated.inputs) {
        if (!pathOf(object, input)) throw new TypeError(`${object} has no field '${input}'`);
      }
      refuseCircles(found.table.name, found.column.name, calculated.inputs);
      // Never the same name twice: what was compiled with the former one goes on with it.
      const sqlFunction = `calculated_${++functions}`;
      store.database.function(sqlFunction, { varargs: true }, (...inputs) => calculated.compute(inputs as Stored[]));
      const entry: DefinedField = { ...calculated, sqlFunction };
      const key = keyOf(found.table.name, found.column.name);
      defined.set(key, entry);
      return () => {
        if (defined.get(key) === entry) defined.delete(key);
      };
    },
    field(object, path) {
      const found = pathOf(object, path);
      if (!found) return undefined;
      const { table, column } = found;
      return {
        column,
        object: table.name,
        inputs: of(table.name, column.name)?.inputs,
        read: (row, look) => read(found, row, look),
      };
    },
    rows: (object) =>
      store.database.prepare(`SELECT * FROM ${store.requireTable(object).quotedName}`).iterate() as Iterable<StoredRow>,
    fill(object, field, values) {
      const table = store.requireTable(object);
      const column = table.column(field);
      if (!column) throw new TypeError(`${object} has no field '${field}'`);
      const update = store.database.prepare(`UPDATE ${table.quotedName} SET ${column.quotedName} = ? WHERE "Id" = ?`);
      store.atomically(() => {
        for (const [id, value] of values) update.run(value, id);
      });
    },
    onLoad(listener) {
      loadListeners.add(listener);
      return () => loadListeners.delete(listener);
    },
    loaded(object) {
      for (const listener of loadListeners) listener(object);
    },
  };
}
