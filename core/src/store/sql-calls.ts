import type { CallStore } from './call-store.ts';
import { fromStored, toStored } from './stored-text.ts';
import type { Database } from './tables.ts';

export function sqlCalls({ db }: Database): CallStore {
  return {
    async add(connection, counted, keepFromMs) {
      const name = toStored(connection);
      // In one order, whoever adds: row locks are taken so.
      const rows = [...counted].sort((a, b) => a.fromMs - b.fromMs || (a.priority < b.priority ? -1 : 1));
      await db.transaction().execute(async (transaction) => {
        for (const { priority, fromMs, calls } of rows) {
          await transaction
            .insertInto('api_calls')
            .values({ connection: name, priority, from_ms: fromMs, calls })
            .onConflict((conflict) =>
              conflict
                .columns(['connection', 'from_ms', 'priority'])
                .doUpdateSet((eb) => ({ calls: eb('api_calls.calls', '+', eb.ref('excluded.calls')) })),
            )
            .execute();
        }
        await transaction.deleteFrom('api_calls').where('connection', '=', name).where('from_ms', '<', keepFromMs).execute();
      });
    },
    async read(connection) {
      const found = await db
        .selectFrom('api_calls')
        .select(['priority', 'from_ms', 'calls'])
        .where('connection', '=', toStored(connection))
        .execute();
      return found.map(({ priority, from_ms, calls }) => ({ priority: fromStored(priority), fromMs: from_ms, calls }));
    },
  };
}
