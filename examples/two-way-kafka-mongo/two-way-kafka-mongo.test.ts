import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunReport } from '@tidemark/core';
import { serviceOrSkip } from '@tidemark/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Example, type Running } from '../command-line.ts';
import { listening } from '../world.ts';
import { openWorld, type ShopWorld, services, token } from './world.ts';

// System 002, line by line (002-1 … 002-8): the example as it stands, in a process of its own, between an org, a Kafka
// broker and a server that speaks MongoDB's protocol.                                                            (P1, P2, P7, P10)

const config = fileURLToPath(new URL('tidemark.yaml', import.meta.url));
const missing = (await Promise.all(services.map(serviceOrSkip))).map(({ missing }) => missing).find(Boolean) ?? null;

/** What the data API answers, as far as it is looked at. */
interface Reply {
  readonly record: { readonly id: string; readonly key: string };
  readonly error: { readonly code: string };
  readonly paths: { readonly [path: string]: object };
  readonly components: { readonly schemas: { readonly [name: string]: { readonly properties: object } } };
}

const eventually = (check: () => Promise<void> | void) => vi.waitFor(check, { timeout: 90_000, interval: 200 });

describe.skipIf(missing !== null)(`two-way over Kafka and MongoDB${missing === null ? '' : `: ${missing}`}`, () => {
  let world: ShopWorld;
  let { org, app, inOrg } = {} as ShopWorld;
  let folder: string;
  let example: Example;

  beforeEach(async () => {
    world = await openWorld();
    ({ org, app, inOrg } = world);
    folder = mkdtempSync(join(tmpdir(), 'tidemark-two-way-kafka-mongo-'));
    example = new Example(readable(), world.env);
    const made = await example.run(['schema', 'apply']);
    expect(made.exitCode === 0 ? '' : made.err + made.out).toBe('');
  });
  afterEach(async () => {
    example[Symbol.dispose]();
    await world[Symbol.asyncDispose]();
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
    return { ...running, url: await listening(running, world.stream) };
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

  test('002-4: both collections are an API with a page, and what is written there is in Salesforce, or told why not', async () => {
    const { token: operator } = await example.json<{ token: string }>('token', 'add', 'shop', '--role', 'operate');
    const running = await start();
    const ask = async (method: string, path: string, body?: object, headers = {}) => {
      const answer = await fetch(`${running.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${operator}`, 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: answer.status, etag: answer.headers.get('etag') ?? '', body: (await answer.json()) as Reply };
    };
    const made = await ask('POST', '/data/app/accounts?wait=60', { name: 'Initech', phone: '1' });
    expect([made.status, made.body]).toMatchObject([201, { status: 'done', record: { status: 'created' } }]);
    expect(inOrg('Initech')).toMatchObject({ Id: made.body.record.id, Phone: '1', App_Id__c: made.body.record.key });
    const account = `/data/app/accounts/${made.body.record.key}`;
    const seen = { 'if-match': (await ask('GET', account)).etag };
    const changed = await ask('PATCH', `${account}?wait=60`, { phone: '2' }, seen);
    expect([changed.status, inOrg('Initech')!.Phone]).toEqual([200, '2']);
    expect((await ask('PATCH', `${account}?wait=60`, { phone: '3' }, seen)).status).toBe(412);
    const refused = await ask('PATCH', `${account}?wait=60`, { phone: '4'.repeat(41) }, { 'if-match': changed.etag });
    expect([refused.status, refused.body.error.code]).toEqual([422, 'STRING_TOO_LONG']);
    // Types are those of the documents, looked at anew every few seconds; what a sync writes is only read.
    await eventually(async () => {
      const { paths, components } = (await ask('GET', '/api/v1/openapi.json')).body;
      expect(Object.keys(paths['/data/app/orders']!)).toEqual(['get']);
      expect(components.schemas['app.accounts']!.properties).toMatchObject({
        name: { type: ['string', 'null'] },
        updatedAt: { type: ['string', 'null'], format: 'date-time' },
      });
    });
    expect((await fetch(`${running.url}/api-docs/`)).status).toBe(200);
    await post(running.url, { OrderId: '4711', Status: 'packed' });
    await eventually(async () => {
      const { body } = await ask('GET', '/data/app/orders?filter[Status]=packed&select=OrderId');
      expect(body).toEqual({ data: [{ OrderId: '4711' }], next: null });
    });
    await stop(running);
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
    // Without the tables that are served: they are those of its other syncs.
    const connections = readFileSync(config, 'utf8')
      .split('syncs:')[0]!
      .replace(/^http:.*$/m, '');
    writeFileSync(
      own,
      `${connections}syncs:
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
