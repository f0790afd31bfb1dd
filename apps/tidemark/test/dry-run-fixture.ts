import { type Clock, type Store, systemClock } from '@tidemark/core';
import { createClock, type Emulator, startEmulator } from '@tidemark/emulator';

/** What tests of dry runs share. */

export const signal = new AbortController().signal;
export const quiet = { debug() {}, info() {}, warn() {}, error() {} };

/** Waits between tries take no time; deadlines are real. */
export const hasty: Clock = {
  now: systemClock.now,
  sleep: (ms, abort) => systemClock.sleep(ms < 30_000 ? 0 : ms, abort),
};

type Field = NonNullable<ReturnType<Emulator['org']['schema']['field']>>;

/** An org whose accounts have a unique external id, and such further fields. */
export async function orgWith(
  externalId: string,
  further: (schema: Emulator['org']['schema']) => readonly Field[] = () => [],
): Promise<Emulator> {
  const emulator = await startEmulator({ listen: false, publicUrl: 'http://localhost', clock: createClock() });
  const { schema } = emulator.org;
  const unique = { type: 'string', custom: true, externalId: true, idLookup: true, unique: true } as const;
  const link = { ...schema.field('Account', 'Phone')!, ...unique, name: externalId, label: externalId };
  schema.add({ ...schema.object('Account')!, fields: [link, ...further(schema)] });
  return emulator;
}

/** Traces that a run of this sync leaves in the store. */
export async function tracesOf(store: Store, sync: string): Promise<unknown[]> {
  return [await store.failures({}), await store.runs({}), await store.checkpoints.read(sync)];
}
