import { expect, test } from 'vitest';
import { altered, World } from '../control/fixture.ts';
import { blockOfRows } from '../model/block.ts';
import type { Page, Source } from '../model/connector.ts';

const yaml = `
connections: { src: { type: a }, dst: { type: b } }
syncs: { s: { from: { connection: src, dataset: people }, to: { connection: dst, dataset: copy } } }
`;

/** A full read of single records, which does what a test wants between them. */
async function slowWorld(records: number) {
  const between: { at: (page: number, signal: AbortSignal) => Promise<'end' | undefined> } = { at: async () => undefined };
  const source = (opened: Source): Source =>
    altered(opened, {
      readFull: async function* (_, signal: AbortSignal): AsyncGenerator<Page> {
        const rows = [...world.people.rows()].map(([, { row }]) => row);
        for (const [page, row] of rows.entries()) {
          if ((await between.at(page, signal)) === 'end') return;
          const blocks = (async function* () {
            yield blockOfRows([row], opened.schema.fields);
            await between.at(page + 0.5, signal);
          })();
          yield { position: String(page), announced: 1, blocks };
        }
      },
    });
  const world = new World(yaml, { source });
  await world.open();
  for (let i = 0; i < records; i++) world.put(`k${i}`, 'x', i);
  const run = async (stop: AbortSignal) => {
    await using engine = world.engine();
    return engine.run('s', { full: true, stop, signal: new AbortController().signal });
  };
  return { world, between, run };
}

const never = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

// An org may prepare its answer for an hour: a process that waits for that is killed in the end, and nothing is gained.
test('a stop while the source prepares its next page ends the run at once', { timeout: 5000 }, async () => {
  const { world, between, run } = await slowWorld(3);
  const stop = new AbortController();
  between.at = (page, signal) => {
    if (page !== 1) return Promise.resolve(undefined);
    const ended = never(signal);
    stop.abort();
    return ended;
  };
  expect(await run(stop.signal)).toMatchObject({ state: 'stopped' });
  expect(world.held()).toEqual({});
});

test('a page that has begun to come is kept', async () => {
  const { world, between, run } = await slowWorld(3);
  const stop = new AbortController();
  between.at = async (page) => {
    if (page === 1.5) stop.abort();
    return undefined;
  };
  expect(await run(stop.signal)).toMatchObject({ state: 'stopped', counts: { read: 2 } });
  between.at = async () => undefined;
  expect(await run(new AbortController().signal)).toMatchObject({ state: 'succeeded' });
  expect(world.held()).toEqual(world.truth());
});

// What such a read did not give would be swept as gone.                                                             (P4)
test('a source that answers a stop by ending early deletes nothing', async () => {
  const { world, between, run } = await slowWorld(3);
  await run(new AbortController().signal);
  expect(world.held()).toEqual(world.truth());
  const stop = new AbortController();
  between.at = async (page) => {
    if (page !== 1) return undefined;
    stop.abort();
    return 'end';
  };
  expect(await run(stop.signal)).toMatchObject({ state: 'stopped' });
  expect(world.held()).toEqual(world.truth());
});
