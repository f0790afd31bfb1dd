import { systemClock, type Target, TransientError } from '@tidemark/core';
import { contact, contactSchema, upsert } from '@tidemark/testkit';
import { expect, test } from 'vitest';
import { createMemoryConnector, type Faults, Memory, seededFaults } from './connector.ts';

const never = new AbortController().signal;

async function openTarget(memory: Memory, faults: Faults): Promise<{ target: Target; epoch: number }> {
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const context = { connection: 'trial', clock: systemClock, random: Math.random, log, fetch, baseDir: '.' };
  const connection = createMemoryConnector({ memory, faults }).open({ datasets: {} }, context);
  const spec = { to: { dataset: 'contacts' }, unit: 'sync', schema: contactSchema, deletes: 'mirror' as const };
  const target = await connection.openTarget!(spec, never);
  await target.prepare();
  return { target, epoch: (await target.checkpoints!.acquire('sync')).epoch };
}

// Faults are there to find gaps in the engine, so they must make none themselves: a write that broke has written nothing.   (P1)
test('an injected fault leaves data and checkpoint as they were, and the same seed breaks the same writes', async () => {
  const outcomes = [3, 3, 4].map(async (seed) => {
    const memory = new Memory();
    const { target, epoch } = await openTarget(memory, seededFaults(seed, 0.3));
    const broken: number[] = [];
    for (let i = 0; i < 40; i++) {
      const before = [memory.dataset('contacts').written, await target.checkpoints!.read('sync')];
      const commit = { epoch, settle: async () => String(i) };
      try {
        await target.write([upsert(contact(`k${i}`), 1000)], commit, never);
        expect(await target.checkpoints!.read('sync')).toBe(String(i));
      } catch (error) {
        expect(error).toBeInstanceOf(TransientError);
        expect([memory.dataset('contacts').written, await target.checkpoints!.read('sync')]).toEqual(before);
        broken.push(i);
      }
    }
    return broken;
  });
  const [first, again, other] = await Promise.all(outcomes);
  expect(first!.length).toBeGreaterThan(5);
  expect(again).toEqual(first);
  expect(other).not.toEqual(first);
});

test('a record that is to be refused is refused alone (P2)', async () => {
  const faults: Faults = { reject: (row) => (row.Name === 'bad' ? { code: 'injected', message: 'refused on request' } : null) };
  const { target, epoch } = await openTarget(new Memory(), faults);
  const changes = [upsert(contact('a', { Name: 'bad' }), 1000), upsert(contact('b', { Name: 'good' }), 1000)];
  const results = await target.write(changes, { epoch, settle: async () => null }, never);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'created']);
});
