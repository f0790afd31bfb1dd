import { systemClock, TransientError } from '@tidemark/core';
import { contact, contactSchema, upsert } from '@tidemark/testkit';
import { expect, test } from 'vitest';
import { createMemoryConnector, type Faults, Memory } from './connector.ts';

const never = new AbortController().signal;

async function open(faults: Faults = {}) {
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const context = { connection: 'trial', clock: systemClock, random: Math.random, log, fetch, baseDir: '.' };
  const memory = new Memory();
  const connection = createMemoryConnector({ memory, faults }).open({ datasets: {} }, context);
  const spec = { to: { dataset: 'contacts' }, unit: 'sync', schema: contactSchema, deletes: 'mirror' as const };
  const target = await connection.openTarget!(spec, never);
  await target.prepare();
  const { epoch } = await target.checkpoints!.acquire('live');
  return { memory, target, epoch, writer: await connection.openStreamWriter!([target]) };
}

// A transaction holds no lock here, so that a process that vanishes in a simulated world keeps nobody waiting. What it has decided
// by what it saw must then still be so when it commits.                                                                    (P1)
test('a record that somebody else writes in between makes the commit fail, and nothing of it is kept', async () => {
  const { memory, target, epoch, writer } = await open();
  memory.dataset('contacts').put(contact('other'));
  const transaction = await writer.begin(never);
  const update = { op: 'update', key: 'gone', row: { Name: 'x' }, stampMs: 2000 } as const;
  expect(await transaction.apply(target, [update, upsert(contact('a'), 1000)])).toEqual([
    { status: 'absent' },
    { status: 'created' },
  ]);
  memory.dataset('contacts').put(contact('gone'));
  await expect(transaction.commit('live', epoch, 'on')).rejects.toThrow(TransientError);
  expect(memory.dataset('contacts').get('a')).toBeUndefined();
  expect(await target.checkpoints!.read('live')).toBeNull();
});

test('an injected fault at the commit leaves data and checkpoint as they were', async () => {
  let broken = true;
  const at = (point: string) => {
    if (broken && point === 'commit') throw new TransientError('Injected fault');
  };
  const { memory, target, epoch, writer } = await open({ at });
  for (const expected of [undefined, contact('a')]) {
    const transaction = await writer.begin(never);
    await transaction.apply(target, [upsert(contact('a'), 1000)]);
    if (broken) await expect(transaction.commit('live', epoch, 'on')).rejects.toThrow(TransientError);
    else await transaction.commit('live', epoch, 'on');
    broken = false;
    expect(memory.dataset('contacts').get('a')?.row).toEqual(expected);
  }
  expect(await target.checkpoints!.read('live')).toBe('on');
});
