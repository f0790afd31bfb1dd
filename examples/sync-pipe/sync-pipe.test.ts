import { createHmac } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunReport } from '@tidemark/core';
import { type Emulator, startEmulator } from '@tidemark/emulator';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Example, type Running } from '../command-line.ts';

// System 001, line by line (001-1 … 001-6, 001-9): the example as it stands, in a process of its own, between an org that publishes
// over CometD and the vendor's API. Whatever dies, what was asked for arrives, and what is the same is not written.   (P1, P2, P8)

const config = fileURLToPath(new URL('tidemark.yaml', import.meta.url));
const secret = 'the secret of the vendor';

// Each is a process that starts, and some are three.
vi.setConfig({ testTimeout: 150_000, hookTimeout: 60_000 });

let folder: string;
let org: Emulator;
let vendor: Vendor;
let example: Example;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-sync-pipe-'));
  writeObject();
  const event = { name: 'Sync_Request__e', fields: [{ name: 'Record_Ids__c', type: 'longtext' }] } as const;
  org = await startEmulator({ source: folder, records: 0, platformEvents: [event] });
  vendor = new Vendor();
  const url = await vendor.listen();
  const { loginUrl, clientId, clientSecret } = org.credentials;
  example = new Example(config, (kept) => ({
    SF_LOGIN_URL: loginUrl,
    SF_CLIENT_ID: clientId,
    SF_CLIENT_SECRET: clientSecret,
    VENDOR_URL: url,
    VENDOR_TOKEN: 'vendor-token',
    VENDOR_IS_PRIVATE: 'true',
    PUSH_SECRET: secret,
    PIPE: join(kept, 'queue.db'),
    TIDEMARK_STORE: join(kept, 'store.db'),
  }));
  // As the README says: what reads a queue wants it to be there.
  const made = await example.run(['schema', 'apply']);
  expect(made.exitCode === 0 ? '' : made.err + made.out).toBe('');
});
afterEach(async () => {
  example[Symbol.dispose]();
  vendor.close();
  await org.close();
  rmSync(folder, { recursive: true });
});

/** The custom object in which the vendor's data lie. */
function writeObject(): void {
  const object = join(folder, 'main/default/objects/Enrichment__c');
  mkdirSync(join(object, 'fields'), { recursive: true });
  const xml = (root: string, inner: string) =>
    `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://soap.sforce.com/2006/04/metadata">${inner}</${root}>\n`;
  const nameField = '<nameField><type>AutoNumber</type><label>Name</label><displayFormat>E-{0000}</displayFormat></nameField>';
  const about = `<label>Enrichment</label><pluralLabel>Enrichments</pluralLabel>${nameField}<deploymentStatus>Deployed</deploymentStatus><sharingModel>ReadWrite</sharingModel>`;
  writeFileSync(join(object, 'Enrichment__c.object-meta.xml'), xml('CustomObject', about));
  const fields = {
    External_Id__c: '<type>Text</type><length>40</length><externalId>true</externalId><unique>true</unique>',
    Record_Id__c: '<type>Text</type><length>18</length>',
    Rating__c: '<type>Text</type><length>10</length>',
    Employees__c: '<type>Number</type><precision>8</precision><scale>0</scale>',
  };
  for (const [name, type] of Object.entries(fields)) {
    const field = `<fullName>${name}</fullName><label>${name}</label>${type}`;
    writeFileSync(join(object, 'fields', `${name}.field-meta.xml`), xml('CustomField', field));
  }
}

/** Knows a company of each record, and remembers how many it was asked for at once. */
class Vendor {
  asked: number[] = [];
  rating = 'A';
  down = false;
  readonly #server: Server = createServer((request, reply) => {
    let text = '';
    request.on('data', (part) => {
      text += part;
    });
    request.on('end', () => {
      if (this.down) return void reply.writeHead(503).end();
      if (request.method === 'GET') return void reply.end();
      if (request.headers.authorization !== 'Bearer vendor-token') return void reply.writeHead(401).end();
      const { recordId } = JSON.parse(text) as { recordId: string[] };
      this.asked.push(recordId.length);
      const known = recordId.filter((id) => !id.startsWith('none'));
      const companies = known.map((id) => ({ recordId: id, id: `c-${id}`, rating: this.rating, employees: 12 }));
      reply.setHeader('content-type', 'application/json').end(JSON.stringify(companies));
    });
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

const accounts = (count: number) =>
  Array.from(
    { length: count },
    (_, i) => org.org.write((tx) => tx.insert('Account', { Name: `A${i}`, Website: `https://${i}.example` })).id!,
  );
const publish = (...ids: string[]) =>
  org.events.publish('/event/Sync_Request__e', [{ fields: { Record_Ids__c: ids.join(',') } }], org.org.adminUserId);
function enrichments(): Record<string, unknown>[] {
  const found = org.org.query(
    'SELECT External_Id__c, Record_Id__c, Rating__c, LastModifiedDate FROM Enrichment__c ORDER BY Record_Id__c',
  );
  return found.page(0, found.totalSize, 'v62.0') as Record<string, unknown>[];
}
const written = () => enrichments().map(({ Record_Id__c }) => Record_Id__c);
const eventually = (check: () => Promise<void> | void) => vi.waitFor(check, { timeout: 40_000, interval: 100 });

async function start(): Promise<Running & { readonly url: string }> {
  const running = example.start(['start', '--port', '0']);
  const { url } = JSON.parse(await running.line('err', (line) => line.includes('"answering HTTP"'))) as { url: string };
  const listens = 'tidemark_stream_state{stream="live:crm:/event/Sync_Request__e:requests",state="live"} 1';
  await eventually(async () => expect(await (await fetch(`${url}/metrics`)).text()).toContain(listens));
  return { ...running, url };
}
async function stop(running: Running): Promise<void> {
  running.interrupt();
  expect((await running.ended).exitCode).toBe(0);
}
const run = (sync: string, ...flags: string[]) => example.json<RunReport>('run', sync, ...flags);
const callsTo = (part: string) => org.requests.entries().filter(({ url }) => url.includes(part)).length;

test('a request that the org publishes leads to an update at once; 1 to 100 records in each (001-2, 001-4)', async () => {
  const ids = accounts(3);
  const running = await start();
  publish(ids[0]!);
  await eventually(() => expect(written()).toEqual([ids[0]]));
  expect(enrichments()[0]).toMatchObject({ External_Id__c: `c-${ids[0]}`, Rating__c: 'A' });
  publish(ids[1]!, ids[2]!, 'none-that-the-vendor-knows');
  await eventually(() => expect(written()).toEqual(ids));

  // Asked for again, with nothing new at the vendor: nothing is written. Then something is.
  const before = enrichments();
  const asked = vendor.asked.length;
  publish(...ids);
  await eventually(() => expect(vendor.asked.length).toBeGreaterThan(asked));
  vendor.rating = 'B';
  publish(ids[1]!);
  await eventually(() => expect(enrichments()[1]).toMatchObject({ Rating__c: 'B' }));
  expect([enrichments()[0], enrichments()[2]]).toEqual([before[0], before[2]]);

  publish(...Array.from({ length: 101 }, (_, i) => `id${i}`));
  await eventually(async () => {
    const { failures } = await example.json<{ failures: object[] }>('failures', 'list');
    expect(failures).toMatchObject([{ sync: 'requests', message: 'the request names 101 records; 100 are the most' }]);
  });
  await stop(running);
});

test('the refresh asks for all related records, off hours, and only what differs is written (001-3, 001-6)', async () => {
  const ids = accounts(250);
  org.org.write((tx) => tx.insert('Account', { Name: 'Without a website' }));
  // Beyond what reads look back over for late commits.
  org.org.clock.advance(10 * 60_000);
  expect(await run('refresh-accounts')).toMatchObject({ kind: 'full', counts: { read: 250, updated: 250 } });
  expect(await run('ingest')).toMatchObject({ state: 'succeeded', counts: { updated: 250 } });
  expect(Math.max(...vendor.asked)).toBeLessThanOrEqual(100);
  expect(await run('apply')).toMatchObject({ state: 'succeeded', counts: { created: 250 } });
  expect(written().toSorted()).toEqual(ids.toSorted());
  // The next night: all are asked for once more, none is written.
  expect(await run('refresh-accounts', '--full')).toMatchObject({ counts: { updated: 250 } });
  expect(await run('ingest')).toMatchObject({ counts: { read: 250, dropped: 250, updated: 0 } });
  expect(await run('apply')).toMatchObject({ counts: { read: 0 } });
});

test('fewer than ten records go by REST at once, more by the Bulk API (001-5)', async () => {
  const bulk = () => callsTo('/jobs/ingest');
  const ids = accounts(19);
  const running = await start();
  publish(...ids.slice(0, 9));
  await eventually(() => expect(written()).toHaveLength(9));
  expect(bulk()).toBe(0);
  publish(...ids.slice(9));
  await eventually(() => expect(written()).toHaveLength(19));
  expect(bulk()).toBeGreaterThan(0);
  await stop(running);
});

test('the vendor pushes a company that has changed, and is told that it is kept (001-1)', async () => {
  const [id] = accounts(1);
  const running = await start();
  const body = JSON.stringify({ RecordId: id });
  const timestamp = String(Date.now() / 1000);
  const signature = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
  const headers = {
    'content-type': 'application/json',
    'x-tidemark-timestamp': timestamp,
    'x-tidemark-signature': `sha256=${signature}`,
  };
  const answer = await fetch(`${running.url}/hooks/pushed`, { method: 'POST', headers, body });
  expect([answer.status, answer.headers.get('location')]).toEqual([202, expect.stringMatching(/^\/hooks\/pushed\//)]);
  await eventually(() => expect(written()).toEqual([id]));
  await stop(running);
});

test('what was published while it was down, and what lay in the queues, arrives afterwards (001-2, 001-4)', async () => {
  const ids = accounts(4);
  let running = await start();
  publish(ids[0]!);
  await eventually(() => expect(written()).toHaveLength(1));
  // The vendor is away: requests wait in the queue. Then the process ends as well, and a request comes meanwhile.
  vendor.down = true;
  publish(ids[1]!, ids[2]!);
  await eventually(async () => {
    const { syncs } = await example.json<{ syncs: { sync: string; checkpoint: Record<string, string> }[] }>('status');
    expect(syncs.find(({ sync }) => sync === 'ingest')).toBeDefined();
  });
  await stop(running);
  publish(ids[3]!);
  vendor.down = false;
  running = await start();
  await eventually(() => expect(written()).toEqual(ids));
  await stop(running);
});

test('what the org refuses is kept with its reason, and the others arrive (001-5)', async () => {
  const rule = {
    object: 'Enrichment__c',
    name: 'No_Z',
    message: 'no rating of Z',
    errorFormula: 'Rating__c = "Z"',
    field: 'Rating__c',
  };
  org.automation.validationRules.define(rule);
  const ids = accounts(2);
  vendor.rating = 'Z';
  const running = await start();
  publish(ids[0]!);
  await eventually(async () => {
    const { failures } = await example.json<{ failures: object[] }>('failures', 'list');
    expect(failures).toMatchObject([{ sync: 'apply', key: `c-${ids[0]}`, message: expect.stringContaining('no rating of Z') }]);
  });
  vendor.rating = 'A';
  publish(ids[1]!);
  await eventually(() => expect(written()).toEqual([ids[1]]));
  await stop(running);
});

test('a permission that is missing is named before anything runs (001-9)', async () => {
  await run('refresh-accounts');
  await run('ingest');
  expect((await example.run(['check'])).exitCode).toBe(0);
  org.permissions.hide('Enrichment__c', 'Rating__c');
  const { exitCode, out, err } = await example.run(['check']);
  expect(exitCode).toBe(1);
  expect(out + err).toMatch(/Rating__c/);
});
