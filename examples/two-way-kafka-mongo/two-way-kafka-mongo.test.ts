import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunReport } from '@tidemark/core';
import { createClock, type Emulator, startEmulator } from '@tidemark/emulator';
import { serviceOrSkip } from '@tidemark/testkit';
import { type Db, MongoClient } from 'mongodb';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Example, type Running } from '../command-line.ts';

// System 002, line by line (002-1 … 002-3, 002-5 … 002-8): the example as it stands, in a process of its own, between an org, a Kafka
// broker and a server that speaks MongoDB's protocol.                                                            (P1, P2, P7, P10)

const config = fileURLToPath(new URL('tidemark.yaml', import.meta.url));
const token = 'a-token-of-the-shop-long-enough';
const [kafka, mongodb] = [await serviceOrSkip('kafka'), await serviceOrSkip('mongodb')];
const missing = kafka.missing ?? mongodb.missing;

const eventually = (check: () => Promise<void> | void) => vi.waitFor(check, { timeout: 90_000, interval: 200 });

describe.skipIf(missing !== null)(`two-way over Kafka and MongoDB${missing === null ? '' : `: ${missing}`}`, () => {
  let folder: string;
  let org: Emulator;
  let client: MongoClient;
  let app: Db;
  let example: Example;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-two-way-kafka-mongo-'));
    const fields = join(folder, 'main/default/objects/Account/fields');
    mkdirSync(fields, { recursive: true });
    writeFileSync(
      join(fields, 'App_Id__c.field-meta.xml'),
      '<?xml version="1.0" encoding="UTF-8"?>\n<CustomField xmlns="http://soap.sforce.com/2006/04/metadata"><fullName>App_Id__c</fullName><label>App Id</label><type>Text</type><length>40</length><externalId>true</externalId><unique>true</unique></CustomField>\n',
    );
    const event = {
      name: 'Order_Update__e',
      fields: [
        { name: 'OrderId__c', type: 'text', length: 40 },
        { name: 'Status__c', type: 'text', length: 20 },
      ],
    } as const;
    const platformEvents = [event];
    org = await startEmulator({ source: folder, records: 0, clock: createClock(), changeEvents: ['Account'], platformEvents });
    const { loginUrl, clientId, clientSecret, pubsubEndpoint } = org.credentials;
    const url = new URL(mongodb.url!);
    url.pathname = `/shop_${process.pid}_${Date.now()}`;
    client = await new MongoClient(url.href).connect();
    app = client.db();
    await app.collection('accounts').createIndex({ crm_id: 1 }, { unique: true, sparse: true });
    example = new Example(readable(), (kept) => ({
      SF_LOGIN_URL: loginUrl,
      SF_PUBSUB_ENDPOINT: `http://${pubsubEndpoint}`,
      SF_CLIENT_ID: clientId,
      SF_CLIENT_SECRET: clientSecret,
      KAFKA_BROKERS: kafka.url!,
      MONGODB_URL: url.href,
      MONGODB_DECIMALS: process.env.TIDEMARK_TEST_MONGODB_URL ? 'decimal128' : 'double',
      ORDER_TOKEN: token,
      TIDEMARK_STORE: join(kept, 'store.db'),
    }));
    const made = await example.run(['schema', 'apply']);
    expect(made.exitCode === 0 ? '' : made.err + made.out).toBe('');
  });
  afterEach(async () => {
    example[Symbol.dispose]();
    await app.dropDatabase();
    await client.close();
    await org.close();
    rmSync(folder, { recursive: true });
  });

  /** The example's own configuration, with a topic of this test's own in a broker that others use too. */
  function readable(): string {
    const own = join(folder, 'tidemark.yaml');
    const text = readFileSync(config, 'utf8').replaceAll(
      'topic: order-updates',
      `topic: order-updates-${process.pid}-${Date.now()}`,
    );
    writeFileSync(own, text);
    return own;
  }
  async function start(): Promise<Running & { readonly url: string }> {
    const running = example.start(['start', '--port', '0']);
    const { url } = JSON.parse(await running.line('err', (line) => line.includes('"answering HTTP"'))) as { url: string };
    const listens = 'tidemark_stream_state{stream="live:crm:/event/Order_Update__e:order-updates",state="live"} 1';
    await eventually(async () => expect(await (await fetch(`${url}/metrics`)).text()).toContain(listens));
    return { ...running, url };
  }
  async function stop(running: Running): Promise<void> {
    running.interrupt();
    expect((await running.ended).exitCode).toBe(0);
  }
  const post = (url: string, body: object, bearer = token) =>
    fetch(`${url}/publish-order-update?wait=30`, {
      method: 'POST',
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const orders = async () =>
    (await app.collection('orders').find().sort({ _id: 1 }).toArray()).map(({ OrderId, Status }) => `${OrderId} ${Status}`);
  const accounts = () => app.collection('accounts');
  const inOrg = (name: string) => {
    const found = org.org.query(`SELECT Id, Name, Phone, Industry, App_Id__c FROM Account WHERE Name = '${name}'`);
    return (found.page(0, found.totalSize, 'v62.0') as Record<string, unknown>[])[0];
  };

  test('002-1, 002-2: an update that is posted is a platform event, a message of the topic, and a document', async () => {
    const running = await start();
    const answer = await post(running.url, { OrderId: '4711', Status: 'packed' });
    expect([answer.status, await answer.json()]).toMatchObject([200, { status: 'done', records: [{ key: '4711' }] }]);
    await eventually(async () => expect(await orders()).toEqual(['4711 packed']));
    // The latest one counts, whoever has published it.
    await post(running.url, { OrderId: '4711', Status: 'shipped' });
    await eventually(async () => expect(await orders()).toEqual(['4711 shipped']));
    const theirs = { fields: { OrderId__c: '4712', Status__c: 'returned' } };
    org.events.publish('/event/Order_Update__e', [theirs], org.org.adminUserId);
    await eventually(async () => expect(await orders()).toEqual(['4711 shipped', '4712 returned']));
    // What the org refuses is told to who has sent it, and no stranger gets in.
    expect((await post(running.url, { OrderId: '4713', Status: 'x'.repeat(21) })).status).toBe(422);
    expect((await post(running.url, { OrderId: '4713', Status: 'packed' }, 'nobody')).status).toBe(401);
    await stop(running);
  });

  test('002-2: what was published while nothing ran, or was cut short, is there after the next start (P1)', async () => {
    const first = await start();
    await post(first.url, { OrderId: '1', Status: 'packed' });
    await eventually(async () => expect(await orders()).toEqual(['1 packed']));
    await stop(first);
    const missed = Array.from({ length: 30 }, (_, i) => ({ fields: { OrderId__c: `m${i}`, Status__c: 'packed' } }));
    org.events.publish('/event/Order_Update__e', missed, org.org.adminUserId);
    const second = await start();
    await eventually(async () => expect(await orders()).toHaveLength(31));
    await stop(second);
  });

  test('002-3: accounts go both ways in near real time, and an edit on each side at once keeps both', async () => {
    const known = org.org.write((tx) => tx.insert('Account', { Name: 'Acme', Phone: '1' })).id!;
    await accounts().insertOne({ name: 'Globex', industry: 'Energy', updatedAt: new Date() });
    const running = await start();
    await eventually(async () => {
      expect(await accounts().findOne({ name: 'Acme' })).toMatchObject({ phone: '1', crm_id: known });
      expect(inOrg('Globex')).toMatchObject({ Industry: 'Energy', App_Id__c: expect.stringMatching(/^[0-9a-f]{24}$/) });
    });
    // The org: told by its stream. The mobile app: found by its updatedAt. Different fields of one record, both at once.
    org.org.write((tx) => tx.update('Account', known, { Phone: '2' }));
    await accounts().updateOne({ crm_id: known }, { $set: { industry: 'Retail', updatedAt: new Date() } });
    await eventually(async () => {
      expect(await accounts().findOne({ crm_id: known })).toMatchObject({ phone: '2', industry: 'Retail' });
      expect(inOrg('Acme')).toMatchObject({ Phone: '2', Industry: 'Retail' });
    });
    expect([await accounts().countDocuments(), org.org.query('SELECT Id FROM Account').totalSize]).toEqual([2, 2]);
    await stop(running);
    const { state, counts } = await example.json<RunReport>('run', 'accounts', '--full');
    expect({ state, ...counts }).toMatchObject({ state: 'succeeded', created: 0, updated: 0, deleted: 0, failed: 0 });
  });

  test('002-5: each sync is about four lines; 002-7: no secret is in the file, and one that lacks is named', async () => {
    const text = readFileSync(config, 'utf8');
    const syncs = text.split('\nsyncs:\n')[1]!.split(/\n\n(?= {2}[a-z-]+:\n)/);
    // Its name, what it is for, and what it does.
    expect(syncs.map((sync) => sync.trimEnd().split('\n').length - 2)).toEqual([3, 3, 3, 7]);
    expect(text).not.toMatch(/(secret|token|password):\s*"?[^"$\s{]/i);
    const { exitCode, err } = await example.run(['check'], { env: { ORDER_TOKEN: undefined } });
    expect(exitCode).toBe(2);
    expect(err).toContain('ORDER_TOKEN');
  });

  test('002-6: another source and a step of one’s own are modules beside the file', async () => {
    const own = join(folder, 'more.yaml');
    writeFileSync(
      join(folder, 'prices.ts'),
      `export const fields = { sku: 'text', cents: 'integer' };
export default async function* () { yield { records: [{ sku: 'a', cents: 150 }, { sku: 'b', cents: 99 }], cursor: '1' }; }\n`,
    );
    writeFileSync(join(folder, 'dear.ts'), 'export default (batch) => batch.filter(({ cents }) => cents > 100);\n');
    writeFileSync(
      own,
      `${readFileSync(config, 'utf8').split('syncs:')[0]}syncs:
  prices: { from: { run: ./prices.ts, key: sku }, steps: [{ run: ./dear.ts }], to: { connection: app, collection: prices }, every: 1h }
`,
    );
    const { exitCode, out, err } = await example.run(['run', 'prices'], { config: own });
    expect(exitCode === 0 ? '' : out + err).toBe('');
    expect(await app.collection('prices').find().sort({ _id: 1 }).toArray()).toMatchObject([{ sku: 'a', cents: 150 }]);
  });

  test('002-8: reports run off the copy, and cost the org no call', async () => {
    for (const [Name, Industry] of Object.entries({ a: 'Energy', b: 'Energy', c: 'Retail' })) {
      org.org.write((tx) => tx.insert('Account', { Name, Industry }));
    }
    expect((await example.run(['run', 'accounts'])).exitCode).toBe(0);
    const before = org.requests.entries().length;
    const report = await accounts()
      .aggregate([{ $group: { _id: '$industry', accounts: { $sum: 1 } } }, { $sort: { _id: 1 } }])
      .toArray();
    expect(report).toEqual([
      { _id: 'Energy', accounts: 2 },
      { _id: 'Retail', accounts: 1 },
    ]);
    expect(org.requests.entries()).toHaveLength(before);
  });
});
