import { expect, test } from 'vitest';
import type { SyncConfig } from '../config/config.ts';
import type { Checkpoints, SchemaChange, Target } from '../model/connector.ts';
import { prepareTarget } from './prepare-target.ts';

// A table that is gone takes with it what its checkpoints have passed, whoever of those that write it makes it again.            (P1)

/** A table that two syncs write, and somebody else may make at any moment. */
function world(kept: Record<string, string | null>, isThere: boolean) {
  const table = { isThere, epochs: [] as string[] };
  const checkpoints: Checkpoints = {
    read: async (unit) => kept[unit] ?? null,
    async acquire(unit) {
      table.epochs.push(unit);
      return { epoch: 1, checkpoint: kept[unit] ?? null };
    },
    async write(unit, _, checkpoint) {
      kept[unit] = checkpoint;
    },
  };
  const target = {
    plan: async (): Promise<SchemaChange[]> => (table.isThere ? [] : [{ summary: 'create it', isNew: true }]),
    async prepare() {
      table.isThere = true;
      return [];
    },
  } as unknown as Target;
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const config = { name: 'a', watermarkKey: 'a' } as SyncConfig;
  return { table, checkpoints, prepare: () => prepareTarget({ target, checkpoints, config, log, neighbours: () => ['b'] }) };
}

test('all that write it forget how far they had come, also for one that never had', async () => {
  for (const own of ['far', null]) {
    const kept = { a: own, b: 'further' };
    const { prepare, table } = world(kept, false);
    expect(await prepare()).toMatchObject({ isMadeAnew: own !== null });
    expect(kept).toEqual({ a: null, b: null });
    expect(table.isThere).toBe(true);
  }
});

test('a table that is there costs nobody anything', async () => {
  const kept = { a: 'far', b: 'further' };
  const { prepare, table } = world(kept, true);
  expect(await prepare()).toMatchObject({ isMadeAnew: false });
  expect([kept, table.epochs]).toEqual([{ a: 'far', b: 'further' }, []]);
});

test('of several that begin together, one is not set back by those who have seen the table lacking before', async () => {
  const kept: Record<string, string | null> = { a: null, b: null };
  const { prepare, table, checkpoints } = world(kept, false);
  const { read } = checkpoints;
  Object.assign(checkpoints, {
    async read(unit: string) {
      // Just then the other one has made it, and loaded it.
      if (unit === 'b') Object.assign(kept, { b: 'loaded' });
      table.isThere = true;
      return read(unit);
    },
  });
  expect(await prepare()).toMatchObject({ isMadeAnew: false });
  expect([kept, table.epochs]).toEqual([{ a: null, b: 'loaded' }, []]);
});
