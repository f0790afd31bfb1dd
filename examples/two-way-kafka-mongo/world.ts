import { createClock, type Emulator, startEmulator } from '@tidemark/emulator';
import { type Db, MongoClient } from 'mongodb';
import { testService } from '../../testkit/src/services/test-service.ts';
import { customField } from '../custom-field.ts';
import { seen, type World } from '../world.ts';

/** Servers that are not the example's own. */
export const services = ['kafka', 'mongodb'] as const;

export const token = 'a-token-of-the-shop-long-enough';

export interface ShopWorld extends World {
  readonly org: Emulator;
  /** The application's database. */
  readonly app: Db;
  /** An account as the org has it. */
  inOrg(name: string): Record<string, unknown> | undefined;
}

/** An org with the shop's event, a Kafka broker, and a server that speaks MongoDB's protocol. */
export async function openWorld(): Promise<ShopWorld> {
  const link = '<type>Text</type><length>40</length><externalId>true</externalId><unique>true</unique>';
  const source = customField('Account', 'App_Id__c', link);
  const event = {
    name: 'Order_Update__e',
    fields: [
      { name: 'OrderId__c', type: 'text', length: 40 },
      { name: 'Status__c', type: 'text', length: 20 },
    ],
  } as const;
  const clock = createClock();
  const org = await startEmulator({ source: source.path, records: 0, clock, changeEvents: ['Account'], platformEvents: [event] });
  source[Symbol.dispose]();
  const [brokers, server] = [await testService('kafka'), await testService('mongodb')];
  const url = new URL(server);
  url.pathname = `/shop_${process.pid}_${Date.now()}`;
  const client = await new MongoClient(url.href).connect();
  const app = client.db();
  // As the README says.
  await app.collection('accounts').createIndex({ crm_id: 1 }, { unique: true, sparse: true });
  const inOrg = (name: string) => {
    const found = org.org.query(`SELECT Id, Name, Phone, Industry, App_Id__c FROM Account WHERE Name = '${name}'`);
    return (found.page(0, found.totalSize, 'v62.0') as Record<string, unknown>[])[0];
  };
  const { loginUrl, clientId, clientSecret, pubsubEndpoint } = org.credentials;
  return {
    ...{ org, app, inOrg },
    env: (folder) => ({
      SF_LOGIN_URL: loginUrl,
      SF_PUBSUB_ENDPOINT: `http://${pubsubEndpoint}`,
      SF_CLIENT_ID: clientId,
      SF_CLIENT_SECRET: clientSecret,
      KAFKA_BROKERS: brokers,
      MONGODB_URL: url.href,
      // The server that tests bring knows no decimals.
      MONGODB_DECIMALS: process.env.TIDEMARK_TEST_MONGODB_URL ? 'decimal128' : 'double',
      ORDER_TOKEN: token,
      TIDEMARK_STORE: `${folder}/store.db`,
    }),
    stream: 'live:crm:/event/Order_Update__e:order-updates',
    scenes: [
      {
        says: 'The shop posts an order update; it goes through Salesforce and Kafka.',
        async play({ url }) {
          const answer = await fetch(`${url}/publish-order-update?wait=30`, {
            method: 'POST',
            headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
            body: JSON.stringify({ OrderId: '4711', Status: 'shipped' }),
          });
          const document = await seen('the order in MongoDB', () => app.collection('orders').findOne({ OrderId: '4711' }));
          return `answered ${answer.status}, and MongoDB has ${JSON.stringify(document)}`;
        },
      },
      {
        says: 'Somebody makes an account in the application, and somebody else gives it a phone number in Salesforce.',
        async play() {
          await app.collection('accounts').insertOne({ name: 'Globex', industry: 'Energy', updatedAt: new Date() });
          const { Id } = await seen('the account in the org', () => inOrg('Globex'));
          org.org.write((tx) => tx.update('Account', String(Id), { Phone: '555-0100' }));
          const document = await seen('the phone number', () => app.collection('accounts').findOne({ phone: '555-0100' }));
          return `MongoDB has ${JSON.stringify(document)}`;
        },
      },
    ],
    async [Symbol.asyncDispose]() {
      await app.dropDatabase();
      await client.close();
      await org.close();
    },
  };
}
