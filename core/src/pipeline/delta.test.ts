import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TransientError } from '../base/errors.ts';
import { altered, World } from '../control/fixture.ts';
import type { Batch, Change, UnreadRecord } from '../model/change.ts';
import type { Source, Target } from '../model/connector.ts';

const sync = (keys = '') => `
connections: { src: { type: a }, dst: { type: b } }
syncs: { s: { from: { connection: src, dataset: people }, to: { connection: dst, dataset: copy }${keys === '' ? '' : `, ${keys}`} } }
`;

/** A page of the source for each change, and a target that gives the reader the time of a real transaction. */
class PagedWorld extends World {
  /** Keys of each write, and the position that was kept with it. */
  readonly writes: { readonly keys: readonly string[]; readonly kept: string | null }[] = [];
  /** Pages that the source has given so far, and whether it was left in the middle of one. */
  pages = 0;
  left = false;
  /** What happens while a write is under way. */
  meanwhile: () => Promise<void> = async () => {
    for (let i = 0; i < 20; i++) await turn();
  };
  /** Changes of a page. */
  pageSize = 1;
  /** What is given at the end for a change that was given before. */
  again: (change: Change) => Change | null = () => null;
  /** Ends the read, and does not fail it, when it is told to stop. */
  endsEarly = false;
  /** What is met on each page and cannot be read. */
  unread: (page: number) => readonly UnreadRecord[] = () => [];
  /** Before each page. */
  beforePage: (page: number, signal: AbortSignal) => Promise<void> = async () => {};

  constructor(yaml = sync()) {
    super(yaml, { source: (opened) => this.#source(opened), target: (opened) => this.#target(opened) });
  }

  #source(opened: Source): Source {
    const world = this;
    return altered(opened, {
      readDelta: async function* (from: string, signal: AbortSignal): AsyncGenerator<Batch> {
        let page = 0;
        try {
          for await (const { changes } of opened.readDelta!(from, signal)) {
            const all = [...changes, ...changes.flatMap((change) => world.again(change) ?? [])];
            for (let at = 0; at < all.length; at += world.pageSize) {
              await world.beforePage(page, signal);
              if (world.endsEarly && signal.aborted) return;
              signal.throwIfAborted();
              page = ++world.pages;
              const part = all.slice(at, at + world.pageSize);
              const unread = world.unread(page);
              yield { changes: part, unread, checkpoint: String(world.people.entry(part.at(-1)!.key)!.sequence) };
            }
          }
        } finally {
          world.left = true;
        }
      },
    });
  }

  #target(opened: Target): Target {
    return altered(opened, {
      write: async (changes, commit, signal) => {
        let kept: string | null = null;
        const settle: typeof commit.settle = async (results) => {
          const checkpoint = await commit.settle(results);
          kept = checkpoint === null ? null : (JSON.parse(checkpoint) as { position: string }).position;
          return checkpoint;
        };
        await this.meanwhile();
        const results = await opened.write(changes, { ...commit, settle }, signal);
        this.writes.push({ keys: changes.map(({ key }) => key), kept });
        return results;
      },
    });
  }

  override async run(options: { full?: boolean; stop?: AbortSignal } = {}) {
    this.writes.length = 0;
    this.pages = 0;
    await using engine = this.engine();
    return engine.run('s', { ...options, signal: new AbortController().signal });
  }
}

async function pagedWorld(changes: number, yaml?: string): Promise<PagedWorld> {
  const world = await new PagedWorld(yaml).open();
  world.put('first', 'x', 1);
  await world.run();
  for (let i = 0; i < changes; i++) world.put(`k${i}`, 'x', i);
  return world as PagedWorld;
}

test('nothing to do is nothing written (P8)', async () => {
  const world = await pagedWorld(0);
  expect(await world.run()).toMatchObject({ kind: 'delta', state: 'succeeded', counts: { read: 0 } });
  expect(world.writes).toEqual([]);
});

// One transaction holds data and checkpoint. A checkpoint of a page that has been read and not been written would skip it after
// a crash.                                                                                                               (P1)
describe('pages that came in during a write make the next one (P1)', () => {
  test('one page at once, all others with it in one transaction', async () => {
    const world = await pagedWorld(6);
    await world.run();
    expect(world.writes.map(({ keys }) => keys)).toEqual([['k0'], ['k1', 'k2', 'k3', 'k4', 'k5']]);
    expect(world.held()).toEqual(world.truth());
  });

  test('whatever is read when: all up to the checkpoint is in the target, and a fault anywhere skips nothing', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...'abcdefghijklmnop'), { minLength: 1, maxLength: 30, size: 'max' }),
        fc.record({ batchSize: fc.integer({ min: 1, max: 7 }), pageSize: fc.integer({ min: 1, max: 3 }) }),
        fc.array(fc.nat(6), { maxLength: 12 }),
        fc.option(fc.nat(20)),
        async (ids, { batchSize, pageSize }, turns, failAfter) => {
          const world = await pagedWorld(0, sync(`batchSize: ${batchSize}`));
          world.pageSize = pageSize;
          for (const [i, id] of ids.entries()) world.put(id, `name ${i}`, i);
          let turned = 0;
          world.meanwhile = async () => {
            for (let i = turns[turned++ % (turns.length + 1)] ?? 3; i > 0; i--) await turn();
          };
          const { sequence } = world.people;
          world.failAfter = failAfter;
          expect(await world.run()).toMatchObject({ state: 'succeeded', kind: 'delta' });
          const written = new Set<string>();
          for (const { keys, kept } of world.writes) {
            for (const key of keys) written.add(key);
            if (kept === null) continue;
            const covered = ids.filter((id) => world.people.entry(id)!.sequence <= Number(kept));
            expect(covered.filter((id) => !written.has(id))).toEqual([]);
          }
          expect(Number(world.writes.at(-1)!.kept)).toBe(sequence);
          expect(world.held()).toEqual(world.truth());
          await world.store[Symbol.asyncDispose]();
        },
      ),
      { numRuns: 60 },
    ));

  test('what was read before the source failed is written and kept', async () => {
    const world = await pagedWorld(5, sync('retry: { attempts: 1 }'));
    world.beforePage = async (page) => {
      if (page === 4) throw new TransientError('the source is away');
    };
    expect(await world.run()).toMatchObject({ state: 'failed' });
    expect(world.writes.flatMap(({ keys }) => keys)).toEqual(['k0', 'k1', 'k2', 'k3']);
    world.beforePage = async () => {};
    await world.run();
    expect(world.writes.map(({ keys }) => keys)).toEqual([['k4']]);
  });
});

// However slow the target is, what waits for it is bounded, as is what one write holds.                                  (P9)
test.each([1, 3, 10])('no more is read ahead than one write of %i can hold, and none holds more (P9)', async (batchSize) => {
  const world = await pagedWorld(40, sync(`batchSize: ${batchSize}`));
  let writtenBefore = 0;
  let aheadMost = 0;
  const { meanwhile } = world;
  world.meanwhile = async () => {
    await meanwhile();
    aheadMost = Math.max(aheadMost, world.pages - writtenBefore);
    writtenBefore = world.writes.reduce((sum, { keys }) => sum + keys.length, 0);
  };
  await world.run();
  expect(aheadMost).toBeLessThanOrEqual(3 * batchSize);
  expect(Math.max(...world.writes.map(({ keys }) => keys.length))).toBe(Math.min(batchSize, 39));
  expect(world.held()).toEqual(world.truth());
});

describe('bad records among pages that are written together (P2)', () => {
  test('each is kept by itself, and the others are written and passed', async () => {
    const world = await pagedWorld(6);
    world.poison.add('k2').add('k4');
    expect(await world.run()).toMatchObject({ state: 'succeeded', openFailures: 2, counts: { created: 4, failed: 2 } });
    expect(world.writes).toHaveLength(2);
    expect(Object.keys(world.held())).toEqual(['first', 'k0', 'k1', 'k3', 'k5']);
    expect((await world.run()).counts.read).toBe(0);
  });

  // A later change that failed must not be kept with the values of an earlier one that passed.
  test('a record that comes twice is written as it came first before anything is made of how it came last', async () => {
    const world = await pagedWorld(3, sync(`fields: { id: id, long: "= $length(name)" }`));
    world.again = (change) => (change.key === 'k1' ? { ...change, row: { ...change.row, name: 5 } } : null);
    expect(await world.run()).toMatchObject({ state: 'succeeded', openFailures: 1, counts: { created: 3, failed: 1 } });
    expect(world.writes.map(({ keys }) => keys)).toEqual([['k0'], ['k1', 'k2'], []]);
    expect(await world.store.failures({ sync: 's' })).toMatchObject([{ key: 'k1', row: { name: 5 } }]);
  });

  test('under hold neither the checkpoint of theirs nor a later one is kept', async () => {
    const world = await pagedWorld(6, sync('onFailure: hold'));
    world.poison.add('k3');
    expect(await world.run()).toMatchObject({ state: 'failed', heldBy: 'k3' });
    expect(world.writes.map(({ kept }) => kept === null)).toEqual([false, true]);
    world.poison.clear();
    expect(await world.run()).toMatchObject({ state: 'succeeded' });
    expect(world.held()).toEqual(world.truth());
  });
});

// A read under way ends at once; one that waited for its end would keep the process from ending.
test('a stop during a write keeps that write and ends the read that goes on meanwhile', { timeout: 5000 }, async () => {
  const world = await pagedWorld(6);
  const stop = new AbortController();
  world.beforePage = async (page, signal) => {
    if (page < 3) return;
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
  };
  const { meanwhile } = world;
  world.meanwhile = async () => {
    stop.abort();
    await meanwhile();
  };
  expect(await world.run({ stop: stop.signal })).toMatchObject({ state: 'stopped' });
  expect([world.writes.map(({ keys }) => keys), world.left]).toEqual([[['k0']], true]);
  world.beforePage = async () => {};
  await world.run();
  expect(world.held()).toEqual(world.truth());
});

// Nothing is being written that would have to come to its end.
test('a stop while the first page is still awaited ends the run at once', { timeout: 5000 }, async () => {
  const world = await pagedWorld(6);
  const stop = new AbortController();
  world.beforePage = (_, signal) => {
    const aborted = new Promise<void>((_, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
    );
    stop.abort();
    return aborted;
  };
  expect(await world.run({ stop: stop.signal })).toMatchObject({ state: 'stopped' });
  expect([world.writes, world.left]).toEqual([[], true]);
});

// What it gave is not all there is, and a checkpoint of the end would pass over the rest.                           (P1)
test('a source that answers a stop by ending early has not come to its end', { timeout: 5000 }, async () => {
  const world = await pagedWorld(6);
  const stop = new AbortController();
  world.endsEarly = true;
  world.meanwhile = async () => stop.abort();
  expect(await world.run({ stop: stop.signal })).toMatchObject({ state: 'stopped' });
  world.endsEarly = false;
  await world.run();
  expect(world.held()).toEqual(world.truth());
});

test('what a source cannot read is kept before the checkpoint passes it, stops nothing, and is never written (P2)', async () => {
  const world = await pagedWorld(3);
  world.unread = (page) => (page === 2 ? [{ key: 't/0/17', reason: 'is no JSON', raw: { text: '{oops' } }] : []);
  const report = await world.run();
  expect(report).toMatchObject({ state: 'succeeded', counts: { read: 4, failed: 1 } });
  expect(world.held()).toEqual(world.truth());
  const kept = { key: 't/0/17', message: 'is no JSON', row: { text: '{oops' } };
  expect(await world.store.failures({ sync: 's' })).toMatchObject([kept]);
  await world.store.makeFailuresDue({ sync: 's' }, 0);
  await world.run();
  expect(await world.store.failures({ sync: 's' })).toMatchObject([kept]);
  expect(world.held()).toEqual(world.truth());
});
