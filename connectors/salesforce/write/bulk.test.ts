import type { TargetMemory } from '@tidemark/core';
import { evidence } from '@tidemark/emulator';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { reasons, remove, statuses, upsert, type WriteOrg, write, writeOrg } from './write-fixture.ts';

// A bulk job says of every record what became of it, in an order of its own; what it does not get to is not taken for done, and one
// that was left behind has ended before anything is written anew.                                                  (P1, P2, P3)

let org: WriteOrg;
beforeEach(async () => {
  org = await writeOrg();
});
afterEach(() => org[Symbol.asyncDispose]());

const bulk = { bulkAbove: 10 };
const rows = (count: number, text = 'text') =>
  Array.from({ length: count }, (_, i) => upsert({ Key__c: `k${String(i).padStart(5, '0')}`, Text__c: `${text} ${i}` }));
const jobs = () => org.emulator.ingest.list();
const texts = () => org.records(['Key__c', 'Text__c']).map(({ Text__c }) => Text__c);

function memory(value: string | null = null): TargetMemory & { value: string | null; history: (string | null)[] } {
  const kept = {
    value,
    history: [] as (string | null)[],
    get: async () => kept.value,
    async set(next: string | null) {
      kept.value = next;
      kept.history.push(next);
    },
  };
  return kept;
}

test(`many records go by one job, few by Collections ${evidence('documented', 'Bulk API 2.0 Developer Guide, Ingest')}`, async () => {
  const target = await org.target({ names: ['Key__c', 'Text__c'], to: bulk });
  expect(new Set(statuses(await write(target, rows(10))))).toEqual(new Set(['created']));
  expect(jobs()).toHaveLength(0);
  expect(statuses(await write(target, rows(300, 'new')))).toEqual([...Array(10).fill('updated'), ...Array(290).fill('created')]);
  expect(jobs()).toMatchObject([{ state: 'JobComplete', recordsProcessed: 300, operation: 'upsert' }]);
  expect(texts()).toEqual(rows(300, 'new').map(({ row }) => row!.Text__c));
});

test('changes by Id and deletes go by jobs too', async () => {
  const byKey = await org.target({ names: ['Key__c', 'Text__c'], to: bulk });
  await write(byKey, rows(30));
  const ids = org.records(['Id', 'Key__c']).map(({ Id }) => String(Id));
  const byId = await org.target({ names: ['Id', 'Text__c'], to: bulk });
  const changes = ids.map((Id, i) => upsert({ Id, Text__c: `by id ${i}` }, 'Id'));
  const results = await write(byId, [...changes, upsert({ Id: 'a00000000000000AAA', Text__c: 'nobody' }, 'Id')]);
  expect(statuses(results)).toEqual([...Array(30).fill('updated'), 'rejected']);
  expect(texts()).toEqual(ids.map((_, i) => `by id ${i}`));
  expect(statuses(await write(byKey, [...rows(20).map(({ key }) => remove(key)), remove('nobody')]))).toEqual([
    ...Array(20).fill('deleted'),
    'unchanged',
  ]);
  expect(org.records(['Key__c'])).toHaveLength(10);
  expect(jobs().map(({ operation }) => operation)).toEqual(expect.arrayContaining(['upsert', 'update', 'delete']));
});

test('what a record is refused for is told with it, whatever the order and whatever the values hold (P2)', async () => {
  const target = await org.target({ names: ['Key__c', 'Text__c', 'Stage__c', 'Long__c'], to: { bulkAbove: 0 } });
  const awkward = 'a,"b"\r\nc\n\rd';
  const results = await write(target, [
    upsert({ Key__c: awkward, Text__c: 'one', Stage__c: 'new', Long__c: awkward }),
    upsert({ Key__c: ' bad,\n"key"', Text__c: 'two', Stage__c: 'none such', Long__c: awkward }),
    upsert({ Key__c: '#N/A', Text__c: '#N/A', Stage__c: 'old', Long__c: null }),
    upsert({ Key__c: 'long', Text__c: 'x'.repeat(256), Stage__c: 'old', Long__c: null }),
    upsert({ Key__c: '=cmd()', Text__c: 'five', Stage__c: null, Long__c: 'y'.repeat(131_072) }),
  ]);
  expect(reasons(results)).toEqual([
    'created',
    'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST',
    'created',
    'STRING_TOO_LONG',
    'created',
  ]);
  expect(results[3]).toMatchObject({ reason: { message: expect.stringContaining('Text__c') } });
  expect(org.records(['Key__c', 'Text__c'])).toEqual(
    expect.arrayContaining([
      { Key__c: awkward, Text__c: 'one' },
      { Key__c: '#N/A', Text__c: '#N/A' },
      { Key__c: '=cmd()', Text__c: 'five' },
    ]),
  );
});

describe('what may befall a job', () => {
  test('rows that were locked are sent again', async () => {
    org.emulator.faults.add({ kind: 'row-errors', match: { times: 1 }, params: { share: 0.4, seed: 7 } });
    const target = await org.target({ names: ['Key__c', 'Text__c'], to: bulk });
    expect(new Set(statuses(await write(target, rows(120))))).toEqual(new Set(['created']));
    expect(jobs()[0]?.recordsFailed).toBeGreaterThan(10);
    expect(texts()).toHaveLength(120);
  });

  test('a job that fails or is aborted half way: the rest goes by Collections', async () => {
    for (const kind of ['job-failed', 'job-aborted'] as const) {
      org.emulator.faults.add({ kind, match: { method: 'PATCH', times: 1 }, params: { afterRecords: 400 } });
      const target = await org.target({ names: ['Key__c', 'Text__c'], to: bulk });
      expect(statuses(await write(target, rows(1000, kind)))).not.toContain('rejected');
      expect(texts()).toEqual(rows(1000, kind).map(({ row }) => row!.Text__c));
    }
  });

  test.each([
    ['POST', /\/jobs\/ingest$/],
    ['PUT', /\/batches/],
    ['PATCH', /\/jobs\/ingest\//],
    ['GET', /\/jobs\/ingest\/\w+$/],
    ['GET', /Results/],
  ])('the reply to %s %s is lost, comes late or is cut: every record is there once (P1)', async (method, path) => {
    for (const kind of ['lost-response', 'drop', 'truncate', 'unavailable'] as const) {
      org.emulator.faults.add({ kind, match: { method, path, times: 1 } });
      const kept = memory();
      const target = await org.target({ names: ['Key__c', 'Text__c'], to: bulk, memory: kept });
      const results = statuses(await write(target, rows(50, `${kind} ${path}`)));
      expect(results, kind).not.toContain('rejected');
      expect(texts(), kind).toEqual(rows(50, `${kind} ${path}`).map(({ row }) => row!.Text__c));
      expect(kept.value).toBeNull();
    }
  });

  test('the session ends while the file is on its way: it is sent again, from its first record on', async () => {
    org.emulator.faults.add({ kind: 'unauthorized', match: { method: 'PUT', times: 1 }, params: { revoke: true } });
    const target = await org.target({ names: ['Key__c', 'Text__c'], to: bulk });
    expect(new Set(statuses(await write(target, rows(20_000))))).toEqual(new Set(['created']));
    expect(jobs()).toMatchObject([{ state: 'JobComplete', recordsProcessed: 20_000 }]);
  });

  test('the id of a job is durable before its first row is uploaded', async () => {
    org.emulator.ingest.pace = 'manual';
    const kept = memory();
    const target = await org.target({ names: ['Key__c', 'Text__c'], to: bulk, memory: kept });
    const stop = new AbortController();
    org.emulator.faults.add({ kind: 'drop', match: { method: 'PUT' } });
    kept.set = async (value) => {
      kept.value = value;
      if (value !== null) expect(jobs().find(({ id }) => value.includes(id))?.state).toBe('Open');
      stop.abort(new Error('the process ends here'));
    };
    await expect(write(target, rows(50), stop.signal)).rejects.toThrow('the process ends here');
    expect(kept.value).toContain('750');
  });

  test('a job left behind has ended before its records are written anew: no older value comes later (P3)', async () => {
    org.emulator.ingest.pace = 'manual';
    const kept = memory();
    const first = await org.target({ names: ['Key__c', 'Text__c'], to: bulk, memory: kept });
    const stop = new AbortController();
    const dying = write(first, rows(50, 'old'), stop.signal);
    await expect.poll(() => jobs()[0]?.state).toBe('UploadComplete');
    stop.abort(new Error('killed'));
    await expect(dying).rejects.toThrow('killed');
    const [job] = jobs();
    const second = await org.target({ names: ['Key__c', 'Text__c'], to: { bulkAbove: 1000 }, memory: kept });
    const asked = () => org.emulator.requests.entries().filter(({ url }) => url.endsWith(job!.id)).length;
    const before = asked();
    let done = false;
    const writing = write(second, rows(50, 'new')).finally(() => {
      done = true;
    });
    await expect.poll(asked).toBeGreaterThan(before + 3);
    expect(done).toBe(false);
    while (org.emulator.ingest.step(job!.id).state !== 'JobComplete');
    expect(statuses(await writing)).not.toContain('rejected');
    expect(texts()).toEqual(rows(50, 'new').map(({ row }) => row!.Text__c));
    expect(kept.value).toBeNull();
  });

  test('an open job left behind is aborted, one that is gone forgotten', async () => {
    org.emulator.ingest.pace = 'manual';
    const client = org.connect();
    const kept = memory();
    const target = await org.target({ names: ['Key__c', 'Text__c'], to: bulk, memory: kept });
    org.emulator.faults.add({ kind: 'unavailable', match: { method: 'PUT' } });
    org.emulator.faults.add({ kind: 'unavailable', match: { method: 'PATCH' } });
    await expect(write(target, rows(50))).rejects.toThrow();
    expect(jobs().at(-1)?.state).toBe('Open');
    expect(kept.value).not.toBeNull();
    for (const { id } of org.emulator.faults.list()) org.emulator.faults.remove(id);
    org.emulator.ingest.pace = 'immediate';
    expect(statuses(await write(target, rows(3)))).toEqual(Array(3).fill('created'));
    expect(jobs().map(({ state }) => state)).toContain('Aborted');
    kept.value = JSON.stringify({ job: '750000000000000AAA' });
    const other = await org.target({ names: ['Key__c', 'Text__c'], memory: kept });
    expect(statuses(await write(other, rows(3)))).toEqual(Array(3).fill('updated'));
    expect(kept.value).toBeNull();
    await client[Symbol.asyncDispose]();
  });
});

test('lookups by external id that are emptied go by a job of their own, and those of a few by Collections', async () => {
  org.emulator.org.write((transaction) => transaction.insert('Account', { Name: 'a', Code__c: 'A1' }));
  const target = await org.target({ names: ['Key__c', 'Account__r.Code__c'], to: bulk });
  const change = (i: number, code: string | null) =>
    upsert({ Key__c: `p${String(i).padStart(3, '0')}`, 'Account__r.Code__c': code });
  await write(
    target,
    Array.from({ length: 60 }, (_, i) => change(i, 'A1')),
  );
  expect(jobs()).toHaveLength(1);
  const results = await write(
    target,
    Array.from({ length: 60 }, (_, i) => change(i, i % 2 === 0 ? null : 'A1')),
  );
  expect(new Set(statuses(results))).toEqual(new Set(['updated']));
  expect(jobs().map(({ recordsProcessed }) => recordsProcessed)).toEqual([60, 30, 30]);
  const codes = () => org.records(['Account__r.Code__c'], "Key__c LIKE 'p%'").map(({ Account__r }) => Account__r !== null);
  expect(codes()).toEqual(Array.from({ length: 60 }, (_, i) => i % 2 === 1));
  await write(
    target,
    Array.from({ length: 60 }, (_, i) => change(i, i === 7 ? null : 'A1')),
  );
  expect(jobs()).toHaveLength(4);
  expect(codes().filter((there) => !there)).toHaveLength(1);
});

test('characters that no XML holds arrive all the same', async () => {
  const target = await org.target({ names: ['Key__c', 'Long__c'], to: { bulkAbove: 0 } });
  const texts = ['\u0001', 'a\u0008b', '\uffff', 'plain'];
  await write(
    target,
    texts.map((Long__c, i) => upsert({ Key__c: `x${i}`, Long__c })),
  );
  expect(org.records(['Long__c']).map(({ Long__c }) => Long__c)).toEqual(texts);
  expect(jobs()).toMatchObject([{ recordsProcessed: 1 }]);
});
