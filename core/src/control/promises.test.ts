import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CheckpointExpiredError, TransientError } from '../base/errors.ts';
import { type Block, cellText, takeRows } from '../model/block.ts';
import type { Change } from '../model/change.ts';
import type { Target } from '../model/connector.ts';
import { altered, World } from './fixture.ts';

/** A sync from memory to memory; `keys` are further keys of it. */
const sync = (keys = '') => `
connections: { src: { type: a }, dst: { type: b } }
syncs: { s: { from: { connection: src, dataset: people }, to: { connection: dst, dataset: copy }${keys === '' ? '' : `, ${keys}`} } }
`;

const id = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const action = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('put' as const), id, name: fc.string({ maxLength: 3 }) }) },
  fc.record({ do: fc.constant('remove' as const), id }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant('run' as const), failAfter: fc.option(fc.nat(8)) }) },
);

type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

/** What somebody holds who applied everything that was sent, in order. */
class Outbox {
  readonly sent: Change[] = [];

  /** A target that neither compares nor keeps checkpoints nor loads, as a queue or a console. It may break after any change. */
  of(target: Target, at: () => void): Target {
    const write: Target['write'] = async (changes) => {
      for (const change of changes) {
        at();
        this.sent.push(change);
      }
      at();
      return changes.map((change) => ({ status: change.op === 'delete' ? 'deleted' : 'updated' }));
    };
    return altered(target, { checkpoints: undefined, beginLoad: undefined, read: undefined, compares: false, write });
  }

  held(): Record<string, unknown> {
    const rows = new Map<string, unknown>();
    for (const { key, row } of this.sent) {
      if (row === null) rows.delete(key);
      else rows.set(key, { ...row });
    }
    return Object.fromEntries([...rows].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

// Deltas alone have to bring everything: a full run at the end would hide what they lose.                                (P1)
describe('a fault anywhere repeats a change and never skips one (P1)', () => {
  async function deltasOnly(world: World, actions: readonly Action[], held: () => object) {
    world.put('a', 'x', 1);
    await world.run();
    for (const each of actions) {
      if (each.do === 'put') world.put(each.id, each.name, 1);
      else if (each.do === 'remove') world.remove(each.id);
      else {
        world.failAfter = each.failAfter;
        expect(await world.run()).toMatchObject({ kind: 'delta', state: 'succeeded' });
      }
    }
    world.failAfter = null;
    expect(await world.run()).toMatchObject({ kind: 'delta' });
    const truth = Object.entries(world.truth()).sort(([a], [b]) => (a < b ? -1 : 1));
    expect(Object.entries(held()).sort(([a], [b]) => (a < b ? -1 : 1))).toEqual(truth);
    await world.store[Symbol.asyncDispose]();
  }

  test('with the checkpoint in the target, in writes of one record', () =>
    fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 20 }), async (actions) => {
        const world = await new World(sync('batchSize: 1')).open();
        await deltasOnly(world, actions, () => world.held());
      }),
      { numRuns: 100 },
    ));

  test('with the checkpoint in the store, into a target that can only be written', () =>
    fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 20 }), async (actions) => {
        const outbox = new Outbox();
        const world: World = await new World(sync('batchSize: 2'), {
          target: (target) => outbox.of(target, () => world.fault()),
        }).open();
        await deltasOnly(world, actions, () => outbox.held());
      }),
      { numRuns: 100 },
    ));
});

test('what a target that cannot compare was sent is not sent again (P8)', async () => {
  const outbox = new Outbox();
  const world: World = await new World(sync(), { target: (target) => outbox.of(target, () => {}) }).open();
  world.put('a', 'x', 1);
  await world.run();
  expect(await world.run({ full: true })).toMatchObject({ counts: { unchanged: 1 } });
  expect(outbox.sent).toHaveLength(1);
});

test('while a record has an open failure, its later changes are written through it only (P2)', async () => {
  const world = await new World(sync()).open();
  world.put('a', 'x', 1);
  await world.run();
  world.poison.add('b');
  world.put('b', 'bad', 1);
  await world.run();
  world.poison.clear();
  world.put('b', 'good', 1);
  // Not due yet: the change waits in the failure, which it would overtake.
  expect(await world.run()).toMatchObject({ openFailures: 1 });
  expect(Object.keys(world.held())).toEqual(['a']);
  expect(await world.store.failures({ sync: 's' })).toMatchObject([{ key: 'b', row: { name: 'good' } }]);
  world.remove('b');
  await world.run();
  expect(await world.store.failures({ sync: 's' })).toMatchObject([{ key: 'b', op: 'delete' }]);
});

test('a record that a step cannot handle is kept with what it was (P2)', async () => {
  const world = await new World(sync(`fields: { id: id, twice: "= score * 2 + $length(name)" }`)).open();
  world.put('a', 'x', 1);
  await world.run();
  world.people.put(Object.assign(Object.create(null), { id: 'b', name: 5, score: 1, changedAt: '2026-01-02T00:00:00.000Z' }));
  expect(await world.run()).toMatchObject({ state: 'succeeded', counts: { failed: 1 }, openFailures: 1 });
  expect(await world.store.failures({ sync: 's' })).toMatchObject([{ key: 'b', row: { name: 5 } }]);
});

// Rows change while a full read goes on, in pages that have been read and in those that have not.                       (P12)
describe('a full run ends equal, whatever changes meanwhile (P12)', () => {
  async function changing(breaks: boolean) {
    let pages = 0;
    const world: World = await new World(sync(), {
      source: (source) =>
        altered(source, {
          async *readFull(resume, signal) {
            for await (const page of source.readFull(resume, signal)) {
              yield page;
              if (++pages > 1) continue;
              world.put('k0001', 'changed', 1);
              world.put('k1401', 'changed', 1);
              world.put('a new one, before all others', 'x', 1);
              world.remove('k0002');
              world.remove('k1402');
              if (breaks) throw new TransientError('the reply broke off');
            }
          },
        }),
    }).open();
    for (let n = 0; n < 1500; n++) world.put(`k${String(n).padStart(4, '0')}`, 'x', n);
    return world;
  }

  test.each([false, true])('interrupted after a page: %s', async (breaks) => {
    const world = await changing(breaks);
    expect(await world.run()).toMatchObject({ kind: 'full', state: 'succeeded' });
    const sorted = (rows: object) => Object.entries(rows).sort(([a], [b]) => (a < b ? -1 : 1));
    expect(sorted(world.held())).toEqual(sorted(world.truth()));
    expect(await world.run()).toMatchObject({ kind: 'delta', counts: { read: 0 } });
  });
});

test('a retry writes the record as the source has it now, not as it failed (P2, P3)', async () => {
  const world = await new World(sync()).open();
  world.put('a', 'x', 1);
  await world.run();
  world.poison.add('b');
  world.put('b', 'bad', 1);
  await world.run();
  world.put('b', 'good', 2);
  world.poison.clear();
  await using engine = world.engine();
  expect(await engine.retry('s', { signal: new AbortController().signal })).toMatchObject({ openFailures: 1 });
  world.clock.at += 3_600_000;
  expect(await engine.retry('s', { signal: new AbortController().signal })).toMatchObject({ openFailures: 0 });
  expect(world.held()).toMatchObject({ b: { name: 'good' } });
});

describe('hold: the window stays open until all of it succeeds (P2)', () => {
  test.each([
    ['the target', sync('onFailure: hold')],
    ['a step', sync(`onFailure: hold, fields: { id: id, size: "= $length(name)" }`)],
  ])('whoever refuses the record: %s', async (who, yaml) => {
    const world = await new World(yaml).open();
    world.put('a', 'x', 1);
    await world.run();
    const before = world.target.units.get('s')!.checkpoint;
    if (who === 'the target') world.poison.add('b');
    world.put('b', who === 'the target' ? 'bad' : (5 as unknown as string), 1);
    world.put('c', 'good', 1);
    expect(await world.run()).toMatchObject({ state: 'failed', heldBy: 'b' });
    expect(Object.keys(world.held())).toEqual(['a', 'c']);
    expect(world.target.units.get('s')!.checkpoint).toBe(before);
    world.poison.clear();
    world.put('b', 'good', 1);
    expect(await world.run()).toMatchObject({ state: 'succeeded', openFailures: 0 });
    expect(world.target.units.get('s')!.checkpoint).not.toBe(before);
  });

  test('also when the load that met the record was interrupted after it', async () => {
    let pages = 0;
    const world: World = await new World(sync('onFailure: hold'), {
      source: (source) =>
        altered(source, {
          async *readFull(resume, signal) {
            for await (const page of source.readFull(resume, signal)) {
              yield page;
              if (++pages === 1) throw new TransientError('the reply broke off');
            }
          },
        }),
    }).open();
    world.poison.add('k0000');
    for (let n = 0; n < 1500; n++) world.put(`k${String(n).padStart(4, '0')}`, 'x', n);
    expect(await world.run()).toMatchObject({ kind: 'full', state: 'failed', error: { code: 'held' } });
    expect(await world.run()).toMatchObject({ kind: 'full', state: 'failed', heldBy: 'k0000' });
    world.poison.clear();
    expect(await world.run()).toMatchObject({ kind: 'full', state: 'succeeded', openFailures: 0 });
    expect(await world.run()).toMatchObject({ kind: 'delta', state: 'succeeded' });
    expect(Object.keys(world.held())).toHaveLength(1500);
  });

  test('also when the sweep met it', async () => {
    let hidden = false;
    const world: World = await new World(sync('onFailure: hold'), {
      source: (source) =>
        altered(source, {
          // The full read does not show b, and by its id it is there after all.
          async *readFull(resume, signal) {
            for await (const page of source.readFull(resume, signal)) {
              yield hidden ? { ...page, announced: null, blocks: without('b', page.blocks) } : page;
            }
          },
        }),
    }).open();
    world.put('a', 'x', 1);
    world.put('b', 'x', 1);
    await world.run();
    hidden = true;
    world.poison.add('b');
    expect(await world.run({ full: true })).toMatchObject({ state: 'failed', heldBy: 'b' });
    hidden = false;
    expect(await world.run()).toMatchObject({ state: 'failed', heldBy: 'b' });
  });
});

describe('a checkpoint is good only for what it was made for', () => {
  async function ran(alter: { origin: string } = { origin: 'memory' }) {
    const world = await new World(sync(), {
      source: (source) => altered(source, { origin: alter.origin }),
    }).open();
    world.put('a', 'x', 1);
    await world.run();
    return world;
  }

  // A refreshed sandbox has other records under the same ids.                                                            (P4)
  test('another org is refused, by a full run too, until the sync is reset', async () => {
    const alter = { origin: 'org one' };
    const world = await ran(alter);
    alter.origin = 'org two';
    for (const full of [false, true]) {
      expect(await world.run({ full })).toMatchObject({ state: 'failed', error: { code: 'request_refused' } });
    }
    await expect(world.verify(true)).rejects.toMatchObject({ code: 'request_refused' });
    await using engine = world.engine();
    await engine.reset('s', new AbortController().signal);
    expect(await world.run()).toMatchObject({ kind: 'full', state: 'succeeded' });
  });

  test('a changed configuration, or the type of a field, makes the next run full and says why (P12)', async () => {
    const world = await ran();
    world.yaml = sync(`fields: { id: id, name: "= name & '!'" }`);
    expect(await world.run()).toMatchObject({ kind: 'full', reason: expect.stringContaining('configuration') });
    expect(world.held()).toMatchObject({ a: { name: 'x!' } });
    world.yaml = sync();
    await world.run();
    const fields = world.people.schema!.fields.map((field) =>
      field.name === 'score' ? { ...field, type: 'decimal' as const } : field,
    );
    world.people.schema = { ...world.people.schema!, fields };
    expect(await world.run()).toMatchObject({ kind: 'full', reason: expect.stringContaining('score') });
    expect(await world.run()).toMatchObject({ kind: 'delta' });
  });
});

test('a page with another number of rows than was announced is not kept (P13)', async () => {
  let announcedMore = 1;
  const world: World = await new World(sync(), {
    source: (source) =>
      altered(source, {
        async *readFull(resume, signal) {
          for await (const page of source.readFull(resume, signal)) yield { ...page, announced: page.announced! + announcedMore };
        },
      }),
  }).open();
  world.put('a', 'x', 1);
  expect(await world.run()).toMatchObject({ state: 'failed' });
  expect(world.held()).toEqual({});
  announcedMore = 0;
  expect(await world.run()).toMatchObject({ kind: 'full', state: 'succeeded', counts: { read: 1, created: 1 } });
});

test('what is merely late is no difference (P12)', async () => {
  const world = await new World(sync()).open();
  world.put('a', 'x', 1);
  world.put('b', 'x', 1);
  await world.run();
  world.put('a', 'changed', 1);
  world.remove('b');
  world.put('c', 'new', 1);
  expect(await world.verify()).toMatchObject({ differences: 0 });
  expect(world.held()).toEqual(world.truth());
});

// `startAt: -P1D` is about the first run. Were it about each, a full run a month later would take a month of records for gone.
test('what a first run with startAt has brought stays, however much later a full run is made (P4)', async () => {
  const world = await new World(sync('startAt: -P1D')).open();
  world.put('too old', 'x', 1);
  world.clock.at += 2 * 86_400_000;
  for (let n = 0; n < 20; n++) world.put(`k${n}`, 'x', n);
  expect(await world.run()).toMatchObject({ kind: 'full', counts: { created: 20 } });
  world.clock.at += 30 * 86_400_000;
  world.put('new', 'x', 1);
  expect(await world.run({ full: true })).toMatchObject({ state: 'succeeded', counts: { created: 1, deleted: 0 } });
  expect(await world.verify()).toMatchObject({ verified: 21, differences: 0 });
});

async function* without(key: string, blocks: AsyncIterable<Block>): AsyncGenerator<Block> {
  for await (const block of blocks) {
    const rows = Array.from({ length: block.rowCount }, (_, row) => row);
    yield takeRows(
      block,
      rows.filter((row) => cellText(block.columns[0]!, row) !== key),
    );
  }
}

test('a full read that can never be gone on with ends in an error, and the next run begins anew', async () => {
  let reads = 0;
  const world: World = await new World(sync(), {
    source: (source) =>
      altered(source, {
        async *readFull(resume, signal) {
          if (++reads > 50) throw new Error('still trying');
          if (resume !== null) throw new CheckpointExpiredError('the job does not add up');
          for await (const page of source.readFull(null, signal)) yield page;
          throw new TransientError('a page was lost');
        },
      }),
  }).open();
  world.put('a', 'x', 1);
  expect(await world.run()).toMatchObject({ state: 'failed', error: { code: 'checkpoint_expired' } });
  expect(reads).toBeLessThan(10);
  reads = 0;
  expect(await world.run()).toMatchObject({ kind: 'full', state: 'failed', error: { code: 'checkpoint_expired' } });
});

test('a read whose batches are not kept is given up after the attempts that are allowed', async () => {
  let reads = 0;
  const world: World = await new World(sync('retry: { attempts: 3 }'), {
    source: (source) =>
      altered(source, {
        async *readDelta(from, signal) {
          if (++reads > 50) throw new Error('still trying');
          for await (const batch of source.readDelta!(from, signal)) yield { ...batch, checkpoint: null };
          throw new TransientError('the second page never comes');
        },
      }),
  }).open();
  world.put('a', 'x', 1);
  reads = -1;
  await world.run().catch(() => {});
  reads = 0;
  world.put('b', 'x', 1);
  expect(await world.run()).toMatchObject({ state: 'failed', error: { code: 'transient' } });
  expect(reads).toBe(3);
});

test('a repair of what cannot be read by key is refused before anything is read', async () => {
  const world = await new World(sync(), { source: (source) => altered(source, { readKeys: undefined }) }).open();
  world.put('a', 'x', 1);
  await world.run();
  world.target.dataset('copy').purge('a');
  await expect(world.verify(true)).rejects.toMatchObject({ code: 'request_refused', hint: expect.stringContaining('--full') });
});
