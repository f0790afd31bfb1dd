import { afterEach, beforeEach, expect, test } from 'vitest';
import { ApiWorld } from './fixture.ts';

// Somebody who asks what became of one record is told what both sides hold, and every refusal with its remedy.       (P2)

let api: ApiWorld;
beforeEach(async () => {
  api = await ApiWorld.open();
  api.world.put('1', 'Ann', 1);
});
afterEach(() => api[Symbol.asyncDispose]());

async function run(): Promise<void> {
  const { body } = await api.ask('POST', '/api/v1/syncs/s/runs', { body: {} });
  await api.ended(body.id);
}

const record = async (key: string) => (await api.ask('GET', `/api/v1/syncs/s/records/${encodeURIComponent(key)}`)).body;

test('a record that both sides hold, and what of the source was written last', async () => {
  const stampMs = api.world.clock.at;
  await run();
  const { sides, story } = await record('1');
  expect(sides).toMatchObject([
    { name: 'src people', row: { id: '1', name: 'Ann' }, error: null },
    { name: 'dst copy', row: { id: '1', name: 'Ann' }, error: null },
  ]);
  const written = { kind: 'written', title: 'last written to dst copy: as src people had it at this time' };
  expect(story).toMatchObject([{ ...written, atMs: stampMs }]);
  api.world.put('1', 'Bea', 2);
  const laterMs = api.world.clock.at;
  expect((await record('1')).story).toMatchObject([{ ...written, atMs: stampMs }]);
  await run();
  expect((await record('1')).story).toMatchObject([{ ...written, atMs: laterMs }]);
});

test('a record that the target refuses: what it holds still, how often it was tried, and what to do', async () => {
  await run();
  api.world.poison.add('1');
  api.world.put('1', 'Anna', 2);
  await run();
  await api.engine.retry('s', { signal: new AbortController().signal, ids: [(await api.engine.failures({}))[0]!.id] });
  const { sides, story } = await record('1');
  expect(sides).toMatchObject([{ row: { name: 'Anna' } }, { row: { name: 'Ann' } }]);
  expect(story).toMatchObject([
    { kind: 'refused', title: expect.stringMatching(/2 tries/), detail: expect.stringContaining('poison: refused.') },
    { kind: 'refused', title: expect.stringMatching(/first time/) },
    // What it holds still.
    { kind: 'written', atMs: api.world.clock.at - 1 },
  ]);
});

test('a record that nobody knows is on neither side, whatever its key is made of', async () => {
  await run();
  for (const key of ['2', "'; DROP", 'a/b?c#d', '%2F', 'ü']) {
    const { sides, key: asked } = await record(key);
    expect([asked, sides[0].row, sides[1].row]).toEqual([key, null, null]);
  }
});

test('who looks at a record makes nothing: a target that no run has made yet is said to be none', async () => {
  const { sides } = await record('1');
  expect(sides).toMatchObject([{ row: { name: 'Ann' } }, { row: null, error: expect.stringContaining('the next run') }]);
  expect(api.world.target.datasets.get('copy')?.schema ?? null).toBeNull();
});
