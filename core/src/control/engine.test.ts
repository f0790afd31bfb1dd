import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InvariantError } from '../base/errors.ts';
import { altered, people, World } from './fixture.ts';

const plain = `
connections: { src: { type: a }, dst: { type: b } }
syncs: { s: { from: { connection: src, dataset: people }, to: { connection: dst, dataset: copy } } }
`;
const id = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('put' as const), id, name: fc.string({ maxLength: 3 }), score: fc.option(fc.nat(5)) }),
  },
  fc.record({ do: fc.constant('remove' as const), id }),
  fc.record({ do: fc.constant('purge' as const), id }),
  fc.record({ do: fc.constant('poison' as const), id }),
  fc.record({ do: fc.constant('heal' as const), id }),
  { weight: 4, arbitrary: fc.record({ do: fc.constant('run' as const), full: fc.boolean(), failAfter: fc.option(fc.nat(12)) }) },
);

// Whatever happens in between, once the faults stop and a full run is in, the target equals the source and verify says so; an
// open failure is the only reason for a difference, and it is on record.                                     (P1, P2, P4, P12)
test('writes, deletes, poison and faults at any point: in the end the target equals the source', () =>
  fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.array(id), async (steps, poisonLeft) => {
      const world = await new World(plain).open();
      world.put('anchor', 'an empty source would ask before it sweeps', 1);
      for (const action of steps) {
        if (action.do === 'put') world.put(action.id, action.name, action.score);
        else if (action.do === 'remove') world.remove(action.id);
        else if (action.do === 'purge') world.people.purge(action.id);
        else if (action.do === 'poison') world.poison.add(action.id);
        else if (action.do === 'heal') world.poison.delete(action.id);
        else {
          world.failAfter = action.failAfter;
          const report = await world.run({ full: action.full });
          expect(report.error).toBeNull();
          expect(report.state).toBe('succeeded');
        }
      }
      world.failAfter = null;
      world.poison.clear();
      for (const key of poisonLeft) world.poison.add(key);
      world.clock.at += 24 * 3_600_000;
      await world.run({ full: true });
      const failing = await world.store.failingKeys('s');
      for (const key of failing) expect(poisonLeft).toContain(key);
      const without = (rows: Record<string, unknown>) =>
        Object.fromEntries(Object.entries(rows).filter(([key]) => !failing.has(key)));
      expect(without(world.held())).toEqual(without(world.truth()));
      expect(await world.verify()).toMatchObject({ differences: 0, failing: failing.size });
      await world.store[Symbol.asyncDispose]();
    }),
    { numRuns: 300 },
  ));

test('a run with nothing to do reads nothing, writes nothing and says so (P8)', async () => {
  const world = await new World(plain).open();
  world.put('a', 'x', 1);
  await world.run();
  const written = world.target.dataset('copy').written;
  expect(await world.run()).toMatchObject({ kind: 'delta', state: 'succeeded', counts: { read: 0, updated: 0, created: 0 } });
  expect(world.target.dataset('copy').written).toBe(written);
});

test('an open failure takes later changes in, shows up, and goes when the record passes (P2)', async () => {
  const world = await new World(plain).open();
  world.put('a', 'x', 1);
  await world.run();
  world.poison.add('b');
  world.put('b', 'bad', 1);
  expect(await world.run()).toMatchObject({ state: 'succeeded', counts: { failed: 1 }, openFailures: 1 });
  world.put('b', 'better', 2);
  expect(await world.run()).toMatchObject({ openFailures: 1 });
  expect(await world.store.failures({ sync: 's' })).toMatchObject([{ key: 'b', row: { name: 'better' }, code: 'poison' }]);
  world.poison.clear();
  world.clock.at += 3_600_000;
  expect(await world.run()).toMatchObject({ openFailures: 0 });
  expect(world.held()).toEqual(world.truth());
});

// The window starts at the last good run and widens while a record is refused: nothing behind it is lost.         (P2, 004-3..5)
test('hold: good records are written, the run fails, and the next good run catches up', async () => {
  const world = await new World(plain.replace('copy }', 'copy }, onFailure: hold')).open();
  world.put('a', 'x', 1);
  expect(await world.run()).toMatchObject({ state: 'succeeded' });
  world.poison.add('b');
  world.put('b', 'bad', 1);
  world.put('c', 'good', 1);
  expect(await world.run()).toMatchObject({ state: 'failed', heldBy: 'b', error: { code: 'held' } });
  expect(Object.keys(world.held())).toEqual(['a', 'c']);
  expect(await world.run()).toMatchObject({ state: 'failed', heldBy: 'b' });
  world.poison.clear();
  expect(await world.run()).toMatchObject({ state: 'succeeded', openFailures: 0 });
  expect(world.held()).toEqual(world.truth());
});

test('hold: a window that stays open is told of after warnAfter, with the record that holds it', async () => {
  const world = await new World(plain.replace('copy }', 'copy }, onFailure: hold, warnAfter: 1h')).open();
  await world.run();
  world.poison.add('b');
  world.put('b', 'bad', 1);
  await world.run();
  expect(await world.status()).toMatchObject({ held: { key: 'b', message: 'refused', overdue: false } });
  expect(world.warnings).toEqual([]);
  world.clock.at += 3_600_000;
  await world.run();
  expect(world.warnings).toEqual([expect.objectContaining({ sync: 's', key: 'b', reason: 'refused' })]);
  expect(await world.status()).toMatchObject({ held: { key: 'b', overdue: true } });
  world.poison.clear();
  await world.run();
  expect(await world.status()).toMatchObject({ held: null });
});

test('a table that somebody dropped is filled anew: a delta into an empty one would leave a hole (P1)', async () => {
  const world = await new World(plain).open();
  world.put('a', 'x', 1);
  await world.run();
  const copy = world.target.dataset('copy');
  for (const [key] of [...copy.rows()]) copy.purge(key);
  copy.schema = null;
  await using engine = world.engine();
  const { signal } = new AbortController();
  expect(await engine.plan('s', signal)).toMatchObject([{ kind: 'full' }]);
  expect(await engine.dryRun('s', { signal })).toMatchObject({ kind: 'full', effects: { create: 1 } });
  expect(await world.run()).toMatchObject({ kind: 'full', state: 'succeeded', counts: { created: 1 } });
  expect(world.held()).toEqual(world.truth());
});

test('absence alone deletes nothing: a large sweep stops, asks, and can be allowed (P4)', async () => {
  const world = await new World(plain).open();
  for (let n = 0; n < 40; n++) world.put(`k${n}`, 'x', n);
  await world.run();
  for (let n = 0; n < 20; n++) world.people.purge(`k${n}`);
  expect(await world.run({ full: true })).toMatchObject({ state: 'failed', error: { code: 'sweep_refused' } });
  expect(Object.keys(world.held())).toHaveLength(40);
  await using engine = world.engine();
  expect(await engine.run('s', { full: true, sweepMax: 0.5, signal: new AbortController().signal })).toMatchObject({
    state: 'succeeded',
    counts: { deleted: 20 },
  });
  expect(world.held()).toEqual(world.truth());
});

test('an empty reply never empties the target (P4)', async () => {
  const world = await new World(plain).open();
  for (let n = 0; n < 5; n++) world.put(`k${n}`, 'x', n);
  await world.run();
  for (let n = 0; n < 5; n++) world.people.purge(`k${n}`);
  expect(await world.run({ full: true })).toMatchObject({ state: 'failed', error: { code: 'sweep_refused' } });
  expect(Object.keys(world.held())).toHaveLength(5);
});

test('a changed mapping or a new field makes the next run full and says why', async () => {
  const world = await new World(plain).open();
  world.put('a', 'x', 1);
  await world.run();
  world.people.schema = { ...people, fields: [...people.fields, { name: 'extra', type: 'text', nullable: true }] };
  expect(await world.run()).toMatchObject({ kind: 'full', reason: expect.stringContaining('extra') });
  expect(await world.run()).toMatchObject({ kind: 'delta', reason: null });
});

test('records leave the target when they stop passing a filter, and mapping, renaming and computing work on both paths', async () => {
  const yaml = plain.replace(
    'copy }',
    `copy }, steps: [{ filter: "score >= 2" }], fields: { id: id, label: "= $uppercase(name) & '!'", score: score }`,
  );
  const world = await new World(yaml).open();
  world.put('a', 'x', 1);
  world.put('b', 'y', 2);
  expect(await world.run()).toMatchObject({ kind: 'full', counts: { read: 2, dropped: 1, created: 1 } });
  expect(world.held()).toEqual({ b: { id: 'b', label: 'Y!', score: 2 } });
  world.put('a', 'x', 3);
  world.put('b', 'y', 0);
  expect(await world.run()).toMatchObject({ kind: 'delta' });
  expect(world.held()).toEqual({ a: { id: 'a', label: 'X!', score: 3 } });
  expect(await world.verify()).toMatchObject({ differences: 0 });
});

test('verify names what differs and repair mends it (P12)', async () => {
  const world = await new World(plain).open();
  for (let n = 0; n < 4; n++) world.put(`k${n}`, 'x', n);
  await world.run();
  const copy = world.target.dataset('copy');
  copy.purge('k0');
  copy.set('k1', { ...copy.get('k1')!, row: { ...copy.get('k1')!.row, name: 'tampered' } }, 0);
  copy.set('zz', { ...copy.get('k1')!, row: { ...copy.get('k1')!.row, id: 'zz' } }, 0);
  const verdict = await world.verify();
  expect(verdict.differences).toBe(3);
  expect([...verdict.examples].sort((a, b) => (a.key < b.key ? -1 : 1))).toEqual([
    { key: 'k0', kind: 'missing', fields: [] },
    { key: 'k1', kind: 'different', fields: ['name'] },
    { key: 'zz', kind: 'extra', fields: [] },
  ]);
  expect(await world.verify(true)).toMatchObject({ differences: 3, repaired: 3 });
  expect(await world.verify()).toMatchObject({ differences: 0 });
});

test('what a source warns of is a warning of its sync, and the sync still runs (P1)', async () => {
  const warnings = [{ message: 'the watermark jumps back', hint: 'Name another one.' }];
  const world = await new World(plain, { source: (opened) => altered(opened, { warnings }) }).open();
  await using engine = world.engine();
  expect(await engine.check(new AbortController().signal)).toEqual([
    { place: 'syncs.s', severity: 'warning', message: 'the watermark jumps back', hint: 'Name another one.' },
  ]);
  world.put('a', 'Ada', 1);
  expect((await world.run()).state).toBe('succeeded');
});

test('a right that the target lacks hides nothing else that is wrong with its sync (P1)', async () => {
  const warnings = [{ message: 'the watermark jumps back', hint: 'Name another one.' }];
  const lacking = { message: 'clerk lacks INSERT on copy', hint: 'GRANT INSERT ON copy TO clerk;' };
  const plan = () => Promise.reject(new InvariantError('it is planned without the rights for it'));
  const world = await new World(plain.replace('to: {', 'live: true, to: {'), {
    source: (opened) => altered(opened, { warnings, driftingFields: ['score'] }),
    target: (opened) => altered(opened, { lackingRights: async () => [lacking], plan }),
  }).open();
  await using engine = world.engine();
  const place = 'syncs.s';
  expect(await engine.check(new AbortController().signal)).toMatchObject([
    { place, severity: 'error', ...lacking },
    { place, severity: 'warning', ...warnings[0] },
    { place, severity: 'warning', message: expect.stringContaining('score may change') },
    { place, severity: 'error', message: expect.stringContaining('live') },
  ]);
});

test('what was written last cannot be told: the record is shown all the same (P2)', async () => {
  const lastWrite = () => Promise.reject(new InvariantError('column t._tidemark_stamp does not exist'));
  const world = await new World(plain, { target: (opened) => altered(opened, { lastWrite }) }).open();
  world.put('a', 'Ada', 1);
  await world.run();
  await using engine = world.engine();
  expect(await engine.record('s', 'a', new AbortController().signal)).toMatchObject({
    sides: [
      { row: { name: 'Ada' }, error: null },
      { row: { name: 'Ada' }, error: null },
    ],
    story: [],
  });
});

test('a schedule runs its syncs though nobody asks to be told (P1)', async () => {
  const world = await new World(plain.replace('to:', 'every: 1m, to:')).open();
  world.put('a', 'x', 1);
  const stop = new AbortController();
  world.clock.sleep = () => new Promise((resolve) => stop.signal.addEventListener('abort', () => resolve()));
  await using engine = world.engine();
  const ended = engine.start({ stop: stop.signal, signal: new AbortController().signal });
  await expect.poll(() => world.held(), { timeout: 20_000 }).toEqual(world.truth());
  stop.abort();
  await ended;
});
