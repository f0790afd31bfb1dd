import { createClock, type Emulator, startEmulator } from '@tidemark/emulator';
import pg from 'pg';
import { createTestDatabase } from '../../testkit/src/postgres.ts';
import { customField } from '../custom-field.ts';
import { seen, type World } from '../world.ts';

/** Servers that are not the example's own. */
export const services = ['postgres'] as const;

export interface EnrichedWorld extends World {
  readonly org: Emulator;
  readonly database: pg.Client;
  readonly databaseUrl: string;
  /** An account more; answers its id. */
  insert(values: Record<string, string>): string;
  /** Signup codes in the org, by the account's id. */
  codes(): ReadonlyMap<string | undefined, string | undefined>;
}

/** An org that tells of its accounts' changes, with one account, and a database. */
export async function openWorld(): Promise<EnrichedWorld> {
  const source = customField('Account', 'Signup_Code__c', '<type>Text</type><length>20</length>');
  const org = await startEmulator({ source: source.path, records: 0, clock: createClock(), changeEvents: ['Account'] });
  source[Symbol.dispose]();
  const postgres = await createTestDatabase();
  const database = new pg.Client({ connectionString: postgres.url });
  await database.connect();
  const insert = (values: Record<string, string>) => org.org.write((tx) => tx.insert('Account', values)).id!;
  insert({ Name: 'Old', AccountNumber: '1' });
  const codes = () => {
    const found = org.org.query('SELECT Id, Signup_Code__c FROM Account');
    return new Map(
      (found.page(0, found.totalSize, 'v62.0') as Record<string, string>[]).map((row) => [row.Id, row.Signup_Code__c]),
    );
  };
  const { loginUrl, clientId, clientSecret, pubsubEndpoint } = org.credentials;
  return {
    ...{ org, database, databaseUrl: postgres.url, insert, codes },
    env: () => ({
      SF_LOGIN_URL: loginUrl,
      SF_CLIENT_ID: clientId,
      SF_CLIENT_SECRET: clientSecret,
      SF_PUBSUB_ENDPOINT: `http://${pubsubEndpoint}`,
      DATABASE_URL: postgres.url,
    }),
    scenes: [
      {
        says: 'Somebody makes the account Acme in the org.',
        async play() {
          const id = insert({ Name: 'Acme', AccountNumber: '2' });
          const code = await seen('a signup code in the org', () => codes().get(id));
          const { rows } = await database.query('SELECT account_number, name, signup_code FROM accounts WHERE id = $1', [id]);
          return `its row is ${JSON.stringify(rows[0])}, and the org has the same code: ${code}`;
        },
      },
      {
        says: 'Acme is deleted.',
        async play() {
          const { rows } = await database.query("SELECT id FROM accounts WHERE name = 'Acme'");
          org.org.write((tx) => tx.delete('Account', rows[0].id));
          const left = await seen('the row’s end', async () => {
            const found = await database.query('SELECT name FROM accounts');
            return found.rows.length === 1 ? found.rows : null;
          });
          return `the table holds ${JSON.stringify(left)}`;
        },
      },
    ],
    async [Symbol.asyncDispose]() {
      await database.end();
      await postgres.drop();
      await org.close();
    },
  };
}
