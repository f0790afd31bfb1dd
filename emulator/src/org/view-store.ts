import type { ObjectDescribe, Schema } from '../schema/types.ts';
import type { Store } from './store.ts';
import { describeTable, type Table } from './table.ts';
import { SalesforceError } from './types.ts';

/**
 * The same database, but its tables have only the columns that `schema` shows. For reading: what is compiled against it
 * cannot mention what the schema leaves out.
 */
export function viewStore(store: Store, schema: Schema): Store {
  const tables = new WeakMap<ObjectDescribe, Table>();

  function table(name: string): Table | undefined {
    const whole = store.table(name);
    const object = schema.object(name);
    if (!whole || !object) return undefined;
    if (object === whole.object) return whole;
    let view = tables.get(object);
    if (!view) {
      // Whoever may not see `IsDeleted` does not see the recycle bin's records instead.
      view = { ...describeTable(object), softDeletes: whole.softDeletes };
      tables.set(object, view);
    }
    return view;
  }

  const view: Pick<Store, 'schema' | 'table' | 'requireTable' | 'tableOfId'> = {
    schema,
    table,
    requireTable(name) {
      const found = table(name);
      if (!found) throw new SalesforceError('NOT_FOUND', 'The requested resource does not exist', { httpStatus: 404 });
      return found;
    },
    tableOfId(id) {
      const object = schema.byKeyPrefix(id.slice(0, 3));
      return object && table(object.name);
    },
  };
  // Inherited and not copied: counters move on.
  return Object.assign(Object.create(store) as Store, view);
}
