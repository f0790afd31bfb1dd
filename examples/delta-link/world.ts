import { DatabaseSync } from 'node:sqlite';
import { type Emulator, startEmulator } from '@tidemark/emulator';
import type { Example } from '../command-line.ts';
import { seen, type World } from '../world.ts';
import { OrderApi } from './order-api.ts';

export interface LinkedWorld extends World {
  readonly org: Emulator;
  readonly orders: OrderApi;
  /** An account more; answers its id. */
  insert(name: string): string;
}

/** An org with three accounts, and an order API. */
export async function openWorld(): Promise<LinkedWorld> {
  const org = await startEmulator({ records: 0 });
  const insert = (name: string) => org.org.write((tx) => tx.insert('Account', { Name: name })).id!;
  for (const name of ['Acme', 'Globex', 'Initech']) insert(name);
  const orders = new OrderApi();
  orders.last = 120;
  const url = await orders.listen();
  const { loginUrl, clientId, clientSecret } = org.credentials;
  return {
    org,
    orders,
    insert,
    env: (folder) => ({
      SF_LOGIN_URL: loginUrl,
      SF_CLIENT_ID: clientId,
      SF_CLIENT_SECRET: clientSecret,
      ORDERS_URL: url,
      WAREHOUSE: `${folder}/warehouse.db`,
      TIDEMARK_STORE: `${folder}/store.db`,
    }),
    scenes: [
      {
        says: 'The warehouse refuses an account, and takes another one. The run fails, and keeps its window open:',
        async play({ example }) {
          inWarehouse(example, (db) =>
            db.exec(`CREATE TRIGGER refuse BEFORE INSERT ON accounts WHEN NEW.name = 'Bad'
                     BEGIN SELECT RAISE(ABORT, 'the warehouse takes no Bad'); END`),
          );
          insert('Bad');
          insert('Good');
          await example.run(['run', 'accounts']);
          return `the warehouse holds ${names(example).join(', ')}`;
        },
      },
      {
        says: 'The rule is gone. The next run reads the same window once more:',
        async play({ example }) {
          inWarehouse(example, (db) => db.exec('DROP TRIGGER refuse'));
          await example.run(['run', 'accounts']);
          const held = await seen('the account', () => (names(example).includes('Bad') ? names(example) : null));
          return `the warehouse holds ${held.join(', ')}`;
        },
      },
    ],
    async [Symbol.asyncDispose]() {
      orders.close();
      await org.close();
    },
  };
}

/** What the owner of the warehouse does with it. */
export function inWarehouse<T>(example: Example, work: (database: DatabaseSync) => T): T {
  using database = new DatabaseSync(example.path('warehouse.db'));
  return work(database);
}

/** Of the accounts in the warehouse. */
export function names(example: Example): unknown[] {
  return inWarehouse(example, (db) => db.prepare('SELECT name FROM accounts ORDER BY name').all()).map(({ name }) => name);
}
