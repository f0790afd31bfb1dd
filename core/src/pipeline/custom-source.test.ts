import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryConnector, Memory } from '@tidemark/connector-memory';
import { afterAll, expect, test } from 'vitest';
import { systemClock } from '../base/clock.ts';
import type { AnyConnector } from '../config/config.ts';
import { parseConfig } from '../config/load-config.ts';
import { Engine } from '../control/engine.ts';
import { openStore } from '../store/open-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'tidemark-custom-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let written = 0;
/** A sync from a source module and through steps of the given code, into memory. */
async function world(source: string, sync = '', steps: Readonly<Record<string, string>> = {}) {
  const name = `source-${++written}.ts`;
  writeFileSync(join(folder, name), source);
  for (const [file, code] of Object.entries(steps)) writeFileSync(join(folder, file), code);
  const target = new Memory();
  const store = await openStore(':memory:');
  const yaml = `
connections: { dst: { type: memory } }
syncs: { s: { from: { run: ./${name}, key: id, options: { plan: ${JSON.stringify(globalPlan)} } }, to: { connection: dst, dataset: copy }, retry: { attempts: 1 } ${sync} } }`;
  const connectors = [createMemoryConnector({ memory: target })] as unknown as AnyConnector[];
  const config = parseConfig(yaml, { file: join(folder, 'tidemark.yaml'), env: {}, connectors });
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const run = async (full = false) => {
    await using engine = new Engine({ config, store, clock: systemClock, random: Math.random, log, fetch });
    return engine.run('s', { full, signal: new AbortController().signal });
  };
  const held = () => Object.fromEntries([...target.dataset('copy').rows()].map(([key, { row }]) => [key, { ...row }]));
  return { run, held, store };
}

/** Under this name a source module finds what it shall do, and leaves what it was given. */
const globalPlan = 'tidemark test plan';
interface Plan {
  cursors: (string | null)[];
  lastSuccess: (Date | null)[];
  failAfter: number | null;
  from: number;
}
function plan(): Plan {
  const made: Plan = { cursors: [], lastSuccess: [], failAfter: null, from: 0 };
  (globalThis as Record<string, unknown>)[globalPlan] = made;
  return made;
}

const paged = `
export const fields = { id: 'text', n: 'integer' };
export default async function* ({ cursor, lastSuccess, options }) {
  const plan = globalThis[options.plan];
  plan.cursors.push(cursor);
  plan.lastSuccess.push(lastSuccess);
  for (let page = 1; page <= 2; page++) {
    plan.from += 100;
    yield { records: [{ id: 'r' + plan.from, n: plan.from }], cursor: String(plan.from) };
    if (plan.failAfter === page) throw new Error('the API went away');
  }
}`;

// A sets its cursor to 200 and succeeds, B gets to 300 and fails, C starts at 200.                                   (P1)
test('a failed run’s cursor is not taken over, and a run is told when the last one succeeded (004-6, 004-7)', async () => {
  const told = plan();
  const { run, held } = await world(paged);
  expect(await run()).toMatchObject({ kind: 'full', state: 'succeeded' });
  told.failAfter = 1;
  expect(await run()).toMatchObject({
    kind: 'delta',
    state: 'failed',
    error: { message: expect.stringMatching(/threw: the API went away$/) },
  });
  told.failAfter = null;
  expect(await run()).toMatchObject({ kind: 'delta', state: 'succeeded' });
  expect(told.cursors).toEqual([null, '200', '200']);
  expect(told.lastSuccess[0]).toBeNull();
  expect(told.lastSuccess[2]).toBeInstanceOf(Date);
  expect(Object.keys(held())).toEqual(expect.arrayContaining(['r100', 'r200', 'r300']));
  expect(await run(true)).toMatchObject({ kind: 'full' });
  expect(told.cursors.at(-1)).toBeNull();
});

// What an interrupted read had staged may be gone by the time of the next one.                                     (P4, P12)
test('a full read that broke off is begun again, not gone on with', async () => {
  const told = plan();
  const { run, held } = await world(paged);
  told.failAfter = 1;
  expect(await run()).toMatchObject({ kind: 'full', state: 'failed' });
  told.failAfter = null;
  expect(await run()).toMatchObject({ kind: 'full', state: 'succeeded' });
  expect(Object.keys(held())).toEqual(['r200', 'r300']);
});

test('fields are told by the first batch when nobody declares them, and records outside of it fit or become null', async () => {
  plan();
  const { run, held } = await world(`
export default function* () {
  yield { records: [{ id: 1, when: new Date(0), deep: { a: [1] }, big: 12345678901234567890n }, { id: 2, when: null }] };
}`);
  expect(await run()).toMatchObject({ state: 'succeeded', counts: { created: 2 } });
  expect(held()).toEqual({
    '1': { id: 1, when: '1970-01-01T00:00:00.000Z', deep: { a: [1] }, big: '12345678901234567890' },
    '2': { id: 2, when: null, deep: null, big: null },
  });
});

test('records that are gone are deleted, from a delta by key and from a full read by absence (P4)', async () => {
  plan();
  const { run, held } = await world(`
export const fields = { id: 'text' };
export default function* ({ full, cursor }) {
  if (cursor === null) yield { records: [{ id: 'a' }, { id: 'b' }, { id: 'c' }], cursor: 'x' };
  else yield { records: [], deleted: ['b'], cursor: 'y' };
}`);
  await run();
  await run();
  expect(Object.keys(held())).toEqual(['a', 'c']);
});

test.each([
  ['no default export', 'export const x = 1;', /no default export that is a generator/],
  [
    'a batch without records',
    'export const fields = { id: "text" }; export default function* () { yield {}; }',
    /without `records`/,
  ],
  [
    'no record to tell the fields from',
    'export default function* () { yield { records: [] }; }',
    /from which its fields could be told/,
  ],
  [
    'a key that it does not yield',
    'export default function* () { yield { records: [{ x: 1 }] }; }',
    /yields no field id, which is the key/,
  ],
])('a source module with %s says so', async (_, source, message) => {
  plan();
  const { run } = await world(source);
  expect(await run()).toMatchObject({
    state: 'failed',
    error: { message: expect.stringMatching(message), hint: expect.any(String) },
  });
});

const three = `
export const fields = { id: 'text', n: 'integer' };
export default function* () { yield { records: [{ id: 'a', n: 1 }, { id: 'b', n: 2 }, { id: 'c', n: 3 }] }; }`;

test('a function of the user’s may add fields, drop records, and fail on one of them without stopping the others (P2)', async () => {
  plan();
  const { run, held, store } = await world(three, ', steps: [{ run: ./double.ts }]', {
    'double.ts': `
export const fields = { twice: 'integer' };
export default (records) => {
  if (records.some((record) => record.id === 'b')) throw new Error('b is not for me');
  return records.filter((record) => record.id !== 'c').map((record) => ({ ...record, twice: record.n * 2 }));
};`,
  });
  expect(await run()).toMatchObject({ state: 'succeeded', counts: { created: 1, failed: 1, dropped: 1 }, openFailures: 1 });
  expect(held()).toEqual({ a: { id: 'a', n: 1, twice: 2 } });
  expect(await store.failures({ sync: 's' })).toMatchObject([{ key: 'b', message: 'b is not for me', row: { id: 'b', n: 2 } }]);
});
