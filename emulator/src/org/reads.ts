import { isPlatformEvent } from '../schema/platform-event.ts';
import { compileProjection } from '../soql/projection.ts';
import { runQuery, runTable } from '../soql/run.ts';
import { normaliseId } from './ids.ts';
import { readDeleted, readUpdated } from './replication.ts';
import type { Store } from './store.ts';
import type { Org } from './types.ts';

/** How an org is read: the org itself, and as each user sees it. */
export function orgReads(store: Store, userId: string): Pick<Org, 'query' | 'table' | 'retrieve' | 'updated' | 'deleted'> {
  const reads: ReturnType<typeof orgReads> = {
    query(soql, { transaction, ...options } = {}) {
      const run = () => runQuery(store, soql, { userId, ...options });
      if (!transaction) return run();
      const result = transaction.see(run);
      return { ...result, page: (...which) => transaction.see(() => result.page(...which)) };
    },
    table: (soql, options) => runTable(store, soql, { userId, ...options }),
    retrieve(object, id, version, fields, { transaction } = {}) {
      if (transaction) return transaction.see(() => reads.retrieve(object, id, version, fields));
      const table = store.requireTable(object);
      if (isPlatformEvent(table.name)) return undefined;
      const projection = compileProjection(store, table, fields);
      const full = normaliseId(id);
      const alive = table.softDeletes ? ' AND "IsDeleted" = 0' : '';
      const found = store.statement(`SELECT "_rid" FROM ${table.quotedName} WHERE "Id" = ?${alive}`).get(full ?? '');
      if (!found) return undefined;
      return projection.read(Number(found._rid), version);
    },
    updated: (object, startMs, endMs) => readUpdated(store, object, startMs, endMs),
    deleted: (object, startMs, endMs) => readDeleted(store, object, startMs, endMs),
  };
  return reads;
}
