import { createHmac } from 'node:crypto';
import type { RunReport } from '@tidemark/core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { eventually, openPipe, type Pipe } from './fixture.ts';
import { config, type Package, secret, writePackage } from './world.ts';

// System 001, line by line (001-1 … 001-6, 001-8, 001-9): the example as it stands, in a process of its own, between an org that publishes
// over CometD, with what `tidemark package` brings it and no other right, and the vendor's API. Whatever dies, what was asked for arrives, and what is the same is not written.   (P1, P2, P8)

let project: Package;
beforeAll(async () => {
  project = await writePackage();
});
afterAll(() => project[Symbol.dispose]());

let pipe: Pipe;
let { org, vendor, example, accounts, publish, enrichments, written, start, stop } = {} as Pipe;
beforeEach(async () => {
  pipe = await openPipe(config, project);
  ({ org, vendor, example, accounts, publish, enrichments, written, start, stop } = pipe);
});
afterEach(() => pipe.close());

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

test("the package's Flow asks for a record when it meets its criteria, and what the vendor knows arrives (001-2, 001-8)", async () => {
  const running = await start();
  const save = (work: Parameters<typeof org.org.write>[0]) => org.org.write(work) as { id: string };
  const silent = save((tx) => tx.insert('Account', { Name: 'Without a website' })).id;
  const telling = save((tx) => tx.insert('Account', { Name: 'With one', Website: 'https://one.example' })).id;
  await eventually(() => expect(written()).toEqual([telling]));
  // What touches no criterion asks for nothing; each record that the vendor was asked for came by a Flow.
  org.org.write((tx) => tx.update('Account', telling, { Phone: '1' }));
  org.org.write((tx) => tx.update('Account', silent, { Website: 'https://two.example' }));
  await eventually(() => expect(written()).toEqual([silent, telling].toSorted()));
  expect(vendor.asked.reduce((sum, records) => sum + records, 0)).toBe(2);
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

test('permissions that are missing are named before anything runs, each with what grants it (001-9)', async () => {
  await run('refresh-accounts');
  await run('ingest');
  expect((await example.run(['check'])).exitCode).toBe(0);
  const missing = async () => {
    const { ok, problems } = await example.json<{ ok: boolean; problems: { place: string; hint: string }[] }>('check');
    expect(ok).toBe(false);
    return problems.map(
      ({ place, hint }) => `${place}: ${/permission set grants it by (.*), and `tidemark package`/.exec(hint)?.[1]}`,
    );
  };
  const fields = { 'Enrichment__c.External_Id__c': { read: true, edit: true }, 'Enrichment__c.Record_Id__c': { read: true } };
  const objects = { Enrichment__c: { read: true, create: true, edit: true } };
  org.users.definePermissionSet('Sync_Pipe', { objects: { ...objects, Sync_Request__e: { read: true } }, fields });
  expect(await missing()).toEqual([
    'syncs.ingest: fieldPermissions Enrichment__c.Rating__c, Enrichment__c.Employees__c: readable',
    'syncs.apply.fields.Record_Id__c: fieldPermissions Enrichment__c.Record_Id__c: editable',
    'syncs.apply.fields.Rating__c: fieldPermissions Enrichment__c.Rating__c: editable',
    'syncs.apply.fields.Employees__c: fieldPermissions Enrichment__c.Employees__c: editable',
  ]);
  org.users.definePermissionSet('Sync_Pipe', {});
  org.users.definePermissionSet('Sync_Pipe_Org', { objects: { Account: { read: true }, Lead: { read: true } } });
  expect(await missing()).toEqual([
    'syncs.requests: objectPermissions Sync_Request__e: allowRead',
    'syncs.refresh-accounts: fieldPermissions Account.Website: readable',
    'syncs.ingest: objectPermissions Enrichment__c: allowRead, viewAllRecords',
    'syncs.apply: objectPermissions Enrichment__c: allowRead, viewAllRecords',
  ]);
});
