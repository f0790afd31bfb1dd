import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  type Clock,
  createFetch,
  Engine,
  noCalls,
  openStore,
  type PlannedWrite,
  parseConfig,
  type Store,
  seededRandom,
} from '@tidemark/core';
import { createClock, type Emulator, startEmulator } from '@tidemark/emulator';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConnectors } from '../src/connectors.ts';

// What changes in the org reaches an HTTP API, one bad record stops nothing (P2), and an API that goes away in the middle loses
// nothing: what comes again is known by its Idempotency-Key (P1).

const signal = new AbortController().signal;
const START = Date.UTC(2026, 2, 4, 5, 6, 7);
/** Whatever waits longer than this is a deadline, which never comes here. */
const DEADLINE_MS = 30_000;

interface Request {
  readonly call: string;
  readonly key: string;
  readonly body: string;
}

let org: Emulator;
let api: Server;
let store: Store;
let folder: string;
let requests: Request[];
let answer: (request: Request) => { status: number; body?: unknown } | 'hang up';

beforeEach(async () => {
  const clock = createClock();
  clock.freeze(START);
  org = await startEmulator({ listen: false, publicUrl: 'http://localhost', clock, seed: 1, records: 0 });
  store = await openStore(':memory:');
  folder = mkdtempSync(join(tmpdir(), 'tidemark-http-'));
  requests = [];
  answer = () => ({ status: 200 });
  api = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const seen = { call: `${request.method} ${request.url}`, key: String(request.headers['idempotency-key']), body };
    requests.push(seen);
    const reply = answer(seen);
    if (reply === 'hang up') return request.socket.destroy();
    response.writeHead(reply.status, { 'content-type': 'application/json' }).end(JSON.stringify(reply.body ?? {}));
  });
  await new Promise<void>((done) => api.listen(0, '127.0.0.1', done));
});

afterEach(async () => {
  api.closeAllConnections();
  api.close();
  await store[Symbol.asyncDispose]();
  await org.close();
  rmSync(folder, { recursive: true, force: true });
});

const clock: Clock = {
  now: () => org.org.clock.now(),
  async sleep(ms, stop) {
    stop?.throwIfAborted();
    if (ms >= DEADLINE_MS)
      return new Promise((_, reject) => stop?.addEventListener('abort', () => reject(stop.reason), { once: true }));
    org.org.clock.advance(ms);
    await new Promise(setImmediate);
  },
};

/** A new life of the process, with this one sync. */
async function start(sync: object): Promise<Engine> {
  const { connectors } = await loadConnectors();
  const { loginUrl, clientId, clientSecret } = org.credentials;
  const apiUrl = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
  const yaml = JSON.stringify({
    connections: {
      org: { type: 'salesforce', loginUrl, auth: { flow: 'client-credentials', clientId, clientSecret } },
      api: { type: 'http', url: apiUrl, allowPrivate: true, timeout: '10m', retries: 1, concurrency: 1 },
      db: { type: 'sqlite', path: join(folder, 'copy.db') },
    },
    syncs: { s: { from: { connection: 'org', object: 'Contact' }, retry: { attempts: 1 }, ...sync } },
  });
  const config = parseConfig(yaml, { file: join(folder, 'tidemark.yaml'), env: {}, connectors });
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const outside = createFetch({});
  const fetch = ((input: string, init?: object) =>
    (String(input).startsWith(apiUrl) ? outside : org.fetch)(input, init)) as typeof globalThis.fetch;
  return new Engine({ config, store, clock, random: seededRandom(1), log, fetch });
}

const insert = (LastName: string, more: object = {}) =>
  org.org.write((transaction) => transaction.insert('Contact', { LastName, ...more })).id;
const contacts = { to: { connection: 'api', path: '/contacts/{id}', method: 'PUT' }, fields: { id: 'Id', name: 'LastName' } };

test('records, their changes and their deletes arrive; one that is refused is kept with its reason, and its retry brings it (P2)', async () => {
  const [ada, bad, eve] = ['Ada', 'Bad', 'Eve'].map((name) => insert(name));
  answer = ({ body }) => (body.includes('"Bad"') ? { status: 422, body: { message: 'no such name' } } : { status: 200 });
  await using engine = await start(contacts);
  expect(await engine.run('s', { signal })).toMatchObject({
    state: 'succeeded',
    openFailures: 1,
    counts: { updated: 2, failed: 1 },
  });
  expect(requests.map(({ call, body }) => `${call} ${body}`).sort()).toEqual(
    [ada, bad, eve].map((id, i) => `PUT /contacts/${id} {"id":"${id}","name":"${['Ada', 'Bad', 'Eve'][i]}"}`).sort(),
  );
  expect(await engine.failures({})).toMatchObject([{ key: bad, code: 'HTTP_422', message: 'answered 422: no such name' }]);

  requests = [];
  org.org.clock.advance(120_000);
  org.org.write((transaction) => transaction.update('Contact', bad!, { LastName: 'Good' }));
  org.org.write((transaction) => transaction.delete('Contact', eve!));
  await engine.run('s', { signal });
  expect(requests.map(({ call }) => call).sort()).toEqual([`PUT /contacts/${bad}`, `DELETE /contacts/${eve}`].sort());
  expect(await engine.failures({})).toEqual([]);

  // Nothing has changed: nothing is sent.                                                                             (P8)
  requests = [];
  await engine.run('s', { signal });
  expect(requests).toEqual([]);
});

test.each([
  ['a request each', contacts],
  ['several in a request', { ...contacts, to: { connection: 'api', path: '/contacts', batch: 2 } }],
])('a dry run tells what would be sent, in how many requests, and sends nothing: %s', async (_, sync) => {
  for (const name of ['Ada', 'Bob', 'Eve']) insert(name);
  await using engine = await start(sync);
  const first = await engine.dryRun('s', { signal });
  expect(requests).toEqual([]);
  expect((await engine.run('s', { signal })).counts).toEqual(first.counts);
  expect(first.calls).toEqual({ ...noCalls(), requests: requests.length });

  requests = [];
  org.org.clock.advance(120_000);
  const [ada, bob] = (org.org.query('SELECT Id FROM Contact ORDER BY LastName').page(0, 3, 'v62.0') as { Id: string }[]).map(
    ({ Id }) => Id,
  );
  org.org.write((transaction) => transaction.update('Contact', ada!, { LastName: 'Ada L' }));
  org.org.write((transaction) => transaction.delete('Contact', bob!));
  const planned: PlannedWrite[] = [];
  const second = await engine.dryRun('s', { signal, onWrite: (write) => planned.push(write) });
  expect(requests).toEqual([]);
  expect(planned).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ key: ada, effect: 'send', fields: expect.arrayContaining([{ field: 'name', after: 'Ada L' }]) }),
      expect.objectContaining({ key: bob, effect: 'delete' }),
    ]),
  );
  expect(planned).toHaveLength(2);
  expect((await engine.run('s', { signal })).counts).toEqual(second.counts);
  expect(second.calls).toEqual({ ...noCalls(), requests: requests.length });
});

test('an API that goes away in the middle: the run fails, and the next one brings what is missing, repeats with the same key (P1)', async () => {
  const ids = Array.from({ length: 150 }, (_, i) => insert(`N${i}`));
  let left = 130;
  answer = () => (left-- > 0 ? { status: 200 } : 'hang up');
  {
    await using engine = await start(contacts);
    expect(await engine.run('s', { signal })).toMatchObject({ state: 'failed', error: { code: 'not_connected' } });
  }
  const before = requests.splice(0, 130);
  requests = [];
  answer = () => ({ status: 200 });
  await using engine = await start(contacts);
  expect(await engine.run('s', { signal })).toMatchObject({ state: 'succeeded', openFailures: 0 });
  const all = [...before, ...requests];
  expect(new Set(all.map(({ call }) => call))).toEqual(new Set(ids.map((id) => `PUT /contacts/${id}`)));
  const keys = Map.groupBy(all, ({ call }) => call);
  expect([...keys.values()].every((same) => new Set(same.map(({ key }) => key)).size === 1)).toBe(true);
  expect(new Set(all.map(({ key }) => key)).size).toBe(150);
});

test('a lookup asks once for all values of a batch, and its fields arrive at the target', async () => {
  for (let i = 0; i < 30; i++) insert(`N${i}`, { Email: `n${i}@firm${i % 3}.example` });
  answer = ({ call }) => {
    const domains = new URL(call.split(' ')[1]!, 'http://x').searchParams.getAll('domain');
    return {
      status: 200,
      body: { items: domains.filter((each) => each !== 'firm2.example').map((domain) => ({ domain, size: 7 })) },
    };
  };
  await using engine = await start({
    to: { connection: 'db', table: 'people' },
    fields: { id: 'Id', name: 'LastName', domain: "= $substringAfter(Email, '@')", size: 'size' },
    steps: [
      {
        lookup: {
          connection: 'api',
          path: '/companies',
          records: 'items',
          key: 'domain',
          by: "= $substringAfter(Email, '@')",
          types: { size: 'integer' },
          fields: { size: 'size' },
        },
      },
    ],
  });
  const report = await engine.run('s', { signal });
  expect(report).toMatchObject({ state: 'succeeded', counts: { created: 30 } });
  // The full read, and the delta that closes it.
  const domains = [0, 1, 2].map((i) => `domain=firm${i}.example`).join('&');
  expect(requests.map(({ call }) => call)).toEqual(Array(2).fill(`GET /companies?${domains}`));
  const copy = new DatabaseSync(join(folder, 'copy.db'));
  expect(copy.prepare('SELECT domain, size, count(*) AS n FROM people GROUP BY domain, size ORDER BY domain').all()).toEqual([
    { domain: 'firm0.example', size: 7, n: 10 },
    { domain: 'firm1.example', size: 7, n: 10 },
    { domain: 'firm2.example', size: null, n: 10 },
  ]);
  copy.close();
});
