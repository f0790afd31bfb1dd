import { expect, test } from 'vitest';
import { TransientError } from '../base/errors.ts';
import type { Engine } from './engine.ts';
import { StreamWorld, settle } from './live-fixture.ts';

const minute = 60_000;
/** Where each kind of a run has read what it is about to write. */
const inHand = {
  delta: { reading: 'delta', at: 'in hand' },
  full: { reading: 'full', at: 'end' },
  refetch: { reading: 'keys', at: 'in hand' },
} as const;
const never = new AbortController().signal;

/** A process that has followed the stream, and does not know yet that another one does. */
async function whoHasLostIt(world: StreamWorld): Promise<Engine> {
  const lost = world.engine;
  await world.start();
  return lost;
}

test.each([
  ['of a process beside it', 'delta'],
  ['of a process beside it', 'full'],
  ['of a process beside it', 'refetch'],
  ['of a process that has lost the stream', 'delta'],
  ['of a process that has lost the stream', 'refetch'],
] as const)(
  'P3: a run %s (%s) that brings what is older than the stream has told is followed by another read',
  async (whose, kind) => {
    await using world = await StreamWorld.open();
    await world.start();
    await world.write(['people', '1', { name: 'Kent' }], ['people', '2', { name: 'Lane' }]);
    const other = whose === 'of a process beside it' ? world.engineOf() : await whoHasLostIt(world);
    await world.clock.advance(minute);

    const write = world.holdReads('people', inHand[kind].reading, inHand[kind].at);
    const run =
      kind === 'refetch'
        ? other.refetch('people', ['1'], { signal: never })
        : other.run('people', { full: kind === 'full', signal: never });
    await settle();
    await world.write(['people', '1', null]);
    expect(world.copied('people')).toEqual({ 2: 'Lane' });
    write();
    expect(await run).toMatchObject({ state: 'succeeded' });
    world.runs.length = 0;

    await world.clock.advance(minute);
    expect(world.copied('people')).toEqual({ 2: 'Lane' });
    // Once, and not for ever.
    await world.clock.advance(10 * minute);
    expect(world.runs).toEqual(['people delta succeeded']);
  },
);

test('P3: what was in hand while another process followed the stream is asked for again', async () => {
  await using world = await StreamWorld.open();
  const first = await world.start();
  await world.write(['people', '1', { name: 'Kent' }], ['people', '2', { name: 'Lane' }]);
  await world.clock.advance(minute);
  const write = world.holdReads('people', 'delta', 'in hand');
  const run = first.run('people', { signal: never });
  await settle();
  const lost = world.lose(new TransientError('lost'));
  await world.start();
  await lost;
  await world.write(['people', '1', null]);
  expect(world.copied('people')).toEqual({ 2: 'Lane' });
  await world.stop();
  await world.clock.advance(minute / 4);
  write();
  await run;
  const brought = world.copied('people');
  await world.clock.advance(minute);
  expect(brought).toEqual({ 2: 'Lane' });
  expect(first.liveStatus()[0]).toMatchObject({ state: 'live' });
});

test('P3: a process makes no deltas beside the one that follows the stream instead of it', async () => {
  await using world = await StreamWorld.open();
  const often = { people: { every: '1m', startDelay: '1m' } };
  await world.start(often);
  await world.clock.advance(minute);
  await world.start(often);
  await world.write(['people', '1', { name: 'Kent' }]);
  await world.clock.advance(minute);
  world.runs.length = 0;
  await world.clock.advance(10 * minute);
  expect(world.runs).toEqual(Array(10).fill('people delta succeeded'));
});

test('P6, P8: what was run by a process that followed before is accounted for, and a process that begins reads nothing again', async () => {
  await using world = await StreamWorld.open();
  for (let lives = 0; lives < 4; lives++) {
    await world.start();
    await world.write(['people', String(lives), { name: 'Kent' }]);
    await world.clock.advance(minute);
    if (lives % 2 === 0) await world.stop();
    else world.kill();
    if (lives === 0) world.runs.length = 0;
  }
  expect(world.runs).toEqual([]);
});
