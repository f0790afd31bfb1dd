import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import file from '@tidemark/connector-file';
import { createMemoryConnector, Memory } from '@tidemark/connector-memory';
import {
  type AnyConnector,
  type Clock,
  Engine,
  type Load,
  newRow,
  openStore,
  parseConfig,
  RequestRefusedError,
  type RunOptions,
  type Target,
} from '@tidemark/core';
import { afterEach, beforeEach, expect, test } from 'vitest';

// A CSV file keeps neither stamps nor checkpoints: the engine has to make up for both.

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-csv-'));
});
afterEach(() => rm(folder, { recursive: true }));

const never = new AbortController().signal;
/** Several pages of the memory source. */
const PEOPLE = 2_500;

async function createWorld(altered: (target: Target) => Target = (target) => target) {
  let at = Date.UTC(2026, 0, 1);
  const clock: Clock = {
    now: () => at,
    sleep: async (ms) => {
      at += ms;
    },
  };
  const memory = new Memory();
  const fields = ['id', 'name', 'changedAt'].map((name) => ({
    name,
    type: name === 'changedAt' ? ('datetime' as const) : ('text' as const),
    nullable: name === 'name',
  }));
  const people = memory.define({ name: 'people', key: ['id'], fields }, 'changedAt');
  const put = (id: string, name: string) => {
    at += 1000;
    people.put(Object.assign(newRow(), { id, name, changedAt: new Date(at).toISOString() }));
  };
  for (let i = 0; i < PEOPLE; i++) put(`k${i}`, `name ${i}`);

  const open: typeof file.open = (...args) => {
    const opened = file.open(...args);
    return { ...opened, openTarget: async (...spec) => altered(await opened.openTarget!(...spec)) };
  };
  const connectors = [createMemoryConnector({ memory }), { ...file, open }] as unknown as AnyConnector[];
  const yaml = `
    connections: { src: { type: memory, datasets: {} }, out: { type: file, folder: ${JSON.stringify(folder)} } }
    syncs: { s: { from: { connection: src, dataset: people }, to: { connection: out, file: people.csv } } }`;
  const config = parseConfig(yaml, { file: '/tidemark.yaml', env: {}, connectors });
  const store = await openStore(':memory:');
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const engine = () => new Engine({ config, store, clock, random: () => 0.5, log, fetch });
  return {
    people,
    put,
    async run(options: Partial<RunOptions> = {}) {
      await using live = engine();
      return live.run('s', { signal: never, ...options });
    },
    async verify() {
      await using live = engine();
      return live.verify('s', { repair: false, signal: never });
    },
    truth: () => Object.fromEntries([...people.rows()].map(([key, { row }]) => [key, row.name])),
    async held() {
      const lines = (await readFile(join(folder, 'people.csv'), 'utf8')).trimEnd().split('\n').slice(1);
      return Object.fromEntries(lines.map((line) => line.split(',')));
    },
  };
}

test('a full run loads, sweeps and keeps its checkpoint; verify proves it (P4, P12)', async () => {
  const world = await createWorld();
  expect(await world.run()).toMatchObject({ kind: 'full', counts: { created: PEOPLE } });
  expect(await world.held()).toEqual(world.truth());
  world.put('k1', 'changed');
  expect(await world.run()).toMatchObject({ kind: 'delta', counts: { updated: 1 } });
  world.people.purge('k7');
  world.put('added', 'new');
  expect(await world.verify()).toMatchObject({ differences: 1, verified: PEOPLE, examples: [{ key: 'k7', kind: 'extra' }] });
  expect(await world.run({ full: true })).toMatchObject({ counts: { deleted: 1, unchanged: PEOPLE } });
  expect(await world.held()).toEqual(world.truth());
  expect(await world.verify()).toMatchObject({ differences: 0 });
  expect(await readdir(folder)).toEqual(['people.csv']);
});

test('a load that is finished after deltas have gone on ends equal, though its rows are older (P3, P12)', async () => {
  const world = await createWorld();
  await world.run();
  const stop = new AbortController();
  expect(await world.run({ full: true, stop: stop.signal, onProgress: () => stop.abort() })).toMatchObject({ state: 'stopped' });
  expect(await readdir(folder)).toContain('.people.csv.load');
  for (const id of ['k0', 'k1', `k${PEOPLE - 1}`]) world.put(id, 'changed since');
  world.people.remove('k2');
  expect(await world.run()).toMatchObject({ kind: 'delta', counts: { updated: 3, deleted: 1 } });
  expect(await world.run({ full: true })).toMatchObject({ kind: 'full', state: 'succeeded' });
  expect(await world.held()).toEqual(world.truth());
});

test('a crash between the file and the checkpoint of a load loses nothing (P1)', async () => {
  let dies = false;
  const world = await createWorld((target) => {
    const begin = target.beginLoad!.bind(target);
    return Object.assign(target, {
      async beginLoad(...args: Parameters<typeof begin>): Promise<Load> {
        const load = await begin(...args);
        const finish = load.finish.bind(load);
        load.finish = async (end) => {
          const counts = await finish(end);
          if (dies) throw new RequestRefusedError('the process died here');
          return counts;
        };
        return load;
      },
    });
  });
  await world.run();
  const stop = new AbortController();
  await world.run({ full: true, stop: stop.signal, onProgress: () => stop.abort() });
  world.put('k0', 'changed since');
  await world.run();
  dies = true;
  expect(await world.run({ full: true })).toMatchObject({ state: 'failed' });
  dies = false;
  expect(await world.run()).toMatchObject({ kind: 'full', state: 'succeeded' });
  expect(await world.held()).toEqual(world.truth());
});
