import { expect, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { InvariantError, NotConnectedError } from '../../base/errors.ts';
import { openStore } from '../../store/open-store.ts';
import { Ownership, type Until } from './ownership.ts';
import type { Unit } from './units.ts';

// One process with a store of its own does all, until it is stopped; what nobody may pass over ends it.                        (P11)

const unit = (name: string): Unit => ({ name, group: name, version: 'v', hash: '', syncs: [], pairing: null });
const ended = ({ stop, signal }: Until) =>
  new Promise<void>((resolve) => AbortSignal.any([stop, signal]).addEventListener('abort', () => resolve()));

async function run(work: (unit: Unit, until: Until) => Promise<unknown>, stop: AbortSignal): Promise<void> {
  await using store = await openStore(':memory:');
  const ownership = new Ownership({
    workers: store.workers,
    self: { name: 'alone', version: '', startedAtMs: 0 },
    clock: systemClock,
    random: () => 0,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    ...{ stop, signal: new AbortController().signal },
    units: () => [unit('a'), unit('b')],
    unitsChange: (until) => new Promise((resolve) => until.addEventListener('abort', () => resolve())),
    work,
  });
  await ownership.run();
}

test('a bug in one unit ends the others and is told', async () => {
  const ends: string[] = [];
  const work = async ({ name }: Unit, until: Until) => {
    if (name === 'a') throw new InvariantError('a bug');
    await ended(until);
    ends.push(name);
  };
  await expect(run(work, new AbortController().signal)).rejects.toThrow('a bug');
  expect(ends).toEqual(['b']);
});

test('what fails for a passing reason is begun again, and the others go on', async () => {
  const stop = new AbortController();
  const begun: string[] = [];
  const work = async ({ name }: Unit, until: Until) => {
    begun.push(name);
    if (begun.filter((each) => each === 'a').length < 3 && name === 'a') throw new NotConnectedError('the store is away');
    if (name === 'a') stop.abort();
    await (until.stop.aborted ? null : ended(until));
  };
  await run(work, stop.signal);
  expect(begun.sort()).toEqual(['a', 'a', 'a', 'b']);
});
