import { beforeEach, describe, expect, test } from 'vitest';
import { OwnershipLostError, TransientError } from '../../base/errors.ts';
import { openStore } from '../../store/open-store.ts';
import type { Store } from '../../store/store.ts';
import { UNKNOWN } from './conflicts.ts';
import type { Policy } from './merge-record.ts';
import { ModelSide } from './model-side-fixture.ts';
import { type OpenedPairing, type PairField, PairingTally, takeOver } from './opened-pairing.ts';
import { reconcile } from './reconcile.ts';

// The store and the two sides commit each on its own. Wherever that breaks off: every overwrite is on record, once, and no record
// tells of one that was not made (P2, P7). And who has lost a sync writes nothing any more (P11).

const signal = new AbortController().signal;
let store: Store;
let left: ModelSide;
let right: ModelSide;
/** Breaks the engine off at its nth step from here: before it, or after it. */
let crash: { after: number; done: boolean } | null;

beforeEach(async () => {
  store = await openStore('sqlite::memory:');
  left = new ModelSide('L', ['f', 'g'], () => 1);
  right = new ModelSide('R', ['f', 'g'], () => 1);
  crash = null;
});

/** Every call is two steps: it may not come to pass, or its answer may not come back. */
function breaking<T extends object>(whole: T, names: readonly (keyof T)[]): T {
  return new Proxy(whole, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown;
      if (typeof value !== 'function') return value;
      const method = value.bind(target) as (...values: unknown[]) => Promise<unknown>;
      if (!names.includes(name as keyof T)) return method;
      return async (...values: unknown[]) => {
        step();
        const result = await method(...values);
        step();
        return result;
      };
    },
  });
}

function step(): void {
  if (crash === null || crash.done) return;
  if (crash.after-- > 0) return;
  crash.done = true;
  throw new TransientError('killed');
}

/** A new life of the engine. */
async function sync(
  f: Policy,
  g: Policy = f,
  decisions?: Parameters<typeof reconcile>[2]['decisions'],
  touched = { left: [...left.rows.keys()], right: [...right.rows.keys()] },
): Promise<boolean> {
  const links = breaking(store.links, [
    'putLinks',
    'putConflicts',
    'confirmConflicts',
    'presumeConflicts',
    'dropConflicts',
    'settleConflicts',
  ]);
  const field = (name: string, policy: Policy): PairField => ({
    ...{ field: { name, type: 'text', nullable: true }, left: name, right: name, flows: 'both', policy },
  });
  const pairing: OpenedPairing = {
    ...{ name: 'accounts', names: { left: 'crm', right: 'app' } },
    left: breaking(left, ['merge']),
    right: breaking(right, ['merge']),
    store: new Proxy(store, { get: (target, name) => (name === 'links' ? links : Reflect.get(target, name)) }),
    fields: [field('f', f), field('g', g)],
    ...{ match: [], deletes: 'propagate', rightAheadMs: 0, ownership: { epoch: null } },
    clock: { now: () => 1, sleep: async () => {} },
    log: { debug() {}, info() {}, warn() {}, error() {} },
  };
  await takeOver(pairing);
  try {
    await reconcile(pairing, touched, { signal, tally: new PairingTally(), ...(decisions === undefined ? {} : { decisions }) });
    return true;
  } catch (error) {
    if (!(error instanceof TransientError)) throw error;
    return false;
  }
}

const wins = (side: 'left' | 'right'): Policy => ({ kind: 'wins', side });
const told = async () =>
  (await store.links.conflicts({})).map(({ field, left, right, outcome, state }) => [field, left, right, outcome, state]);

/** One record on both sides, of which both have changed both fields. */
async function clash(): Promise<void> {
  left.create({ f: 'f', g: 'g' });
  await sync(wins('left'));
  left.edit('L1', 'f', 'left f');
  left.edit('L1', 'g', 'left g');
  right.edit('R1', 'f', 'right f');
  right.edit('R1', 'g', 'right g');
}

const steps = Array.from({ length: 26 }, (_, at) => at);

describe.each(steps)('killed at step %i', (at) => {
  test('of overwrites on both sides, each is told once when all is done', async () => {
    await clash();
    crash = { after: at, done: false };
    const through = await sync(wins('left'), wins('right'));
    expect(through, 'the last step is none').toBe(!crash.done);
    if (at === steps.at(-1)) expect(through).toBe(true);
    crash = null;
    await sync(wins('left'), wins('right'));
    expect(await told()).toEqual([
      ['g', 'left g', 'right g', 'right g', 'settled'],
      ['f', 'left f', 'right f', 'left f', 'settled'],
    ]);
    expect(left.rows.get('L1')!.row).toMatchObject({ f: 'left f', g: 'right g' });
    expect(right.rows.get('R1')!.row).toMatchObject({ f: 'left f', g: 'right g' });
  });

  test('and then made equal by somebody: only what was overwritten before is told', async () => {
    await clash();
    crash = { after: at, done: false };
    await sync(wins('left'));
    crash = null;
    const made = right.replaced.filter(({ value }) => value === 'right f' || value === 'right g').length;
    if (made === 0) for (const field of ['f', 'g']) left.edit('L1', field, `right ${field}`);
    await sync(wins('left'));
    expect(await told()).toHaveLength(made);
    expect((await told()).every(([, , , , state]) => state === 'settled')).toBe(true);
  });

  test('of what somebody decided, the conflict is open until it is done, and then settled under its id', async () => {
    await clash();
    await sync({ kind: 'manual' }, wins('left'));
    const [open] = await store.links.conflicts({ state: 'open' });
    crash = { after: at, done: false };
    await sync({ kind: 'manual' }, wins('left'), [{ conflict: open!, policy: wins('right') }]);
    crash = null;
    const isDone = left.rows.get('L1')!.row.f === 'right f';
    if (!isDone) expect(await store.links.conflicts({ state: 'open' })).toMatchObject([{ id: open!.id, field: 'f' }]);
    await sync({ kind: 'manual' }, wins('left'));
    const after = await store.links.conflicts({ ids: [open!.id] });
    expect(after).toMatchObject([isDone ? { state: 'settled', outcome: 'right f' } : { state: 'open', outcome: null }]);
    expect(await told()).toHaveLength(2);
  });

  test('while a record that was undeleted gets its partner anew, what somebody writes there meanwhile stays', async () => {
    left.create({ f: 'f', g: 'g' });
    await sync(wins('right'));
    const { row, atMs } = left.rows.get('L1')!;
    left.delete('L1');
    await sync(wins('right'));
    expect(right.rows.size).toBe(0);
    left.rows.set('L1', { row, atMs });
    crash = { after: at, done: false };
    await sync(wins('right'));
    crash = null;
    const isMade = right.rows.has('R2');
    if (isMade) right.edit('R2', 'f', 'somebody');
    // Told on one side alone: whichever delta comes first.
    await sync(wins('right'), wins('right'), [], { left: ['L1'], right: [] });
    await sync(wins('right'));
    const f = isMade ? 'somebody' : 'f';
    expect([...right.rows.values()]).toMatchObject([{ row: { f, g: 'g', partner: 'L1' } }]);
    expect([...left.rows.values()]).toMatchObject([{ row: { f, g: 'g', partner: 'R2' } }]);
  });

  test('of a record that goes with values of its own, they are told once it has gone', async () => {
    left.create({ f: 'f', g: 'g' });
    await sync(wins('left'));
    const only: PairField['flows'] = 'to-right';
    right.edit('R1', 'g', 'mine');
    left.delete('L1');
    const flows = async () => {
      const links = breaking(store.links, [
        'putLinks',
        'putConflicts',
        'confirmConflicts',
        'presumeConflicts',
        'dropConflicts',
        'settleConflicts',
      ]);
      const pairing = {
        ...{ name: 'accounts', names: { left: 'crm', right: 'app' }, left, right: breaking(right, ['merge']) },
        store: new Proxy(store, { get: (target, name) => (name === 'links' ? links : Reflect.get(target, name)) }),
        fields: ['f', 'g'].map((name) => ({
          ...{ field: { name, type: 'text', nullable: true }, left: name, right: name, flows: only, policy: wins('left') },
        })),
        ...{ match: [], deletes: 'propagate', rightAheadMs: 0, ownership: { epoch: null } },
        clock: { now: () => 1, sleep: async () => {} },
        log: { debug() {}, info() {}, warn() {}, error() {} },
      } as OpenedPairing;
      await takeOver(pairing);
      await reconcile(pairing, { left: ['L1'], right: ['R1'] }, { signal, tally: new PairingTally() }).catch((error) => {
        if (!(error instanceof TransientError)) throw error;
      });
    };
    crash = { after: at, done: false };
    await flows();
    crash = null;
    await flows();
    expect([...right.rows]).toEqual([]);
    expect(await store.links.conflicts({})).toMatchObject([{ field: null, state: 'settled', right: { g: 'mine' } }]);
  });
});

test('an overwrite that its side refused is not told; the failure is', async () => {
  await clash();
  right.refuses = () => ({ code: 'no', message: 'refused' });
  await sync(wins('left'));
  expect(await told()).toEqual([]);
  expect(await store.failures({})).toMatchObject([{ code: 'no' }]);
  right.refuses = () => null;
  await sync(wins('left'));
  expect(await told()).toHaveLength(2);
});

test('what was decided and refused stays open', async () => {
  await clash();
  await sync({ kind: 'manual' });
  const open = await store.links.conflicts({ state: 'open' });
  left.refuses = () => ({ code: 'no', message: 'refused' });
  await sync(
    { kind: 'manual' },
    { kind: 'manual' },
    open.map((conflict) => ({ conflict, policy: wins('right') })),
  );
  expect((await store.links.conflicts({})).map(({ id, state }) => [id, state])).toEqual(open.map(({ id }) => [id, 'open']));
});

test('whether a record exists is not asked any more once it is back, though its side refuses what has changed', async () => {
  left.create({ f: 'f', g: 'g' });
  await sync(wins('left'));
  const { row, atMs } = left.rows.get('L1')!;
  left.delete('L1');
  right.edit('R1', 'f', 'refused');
  await sync(wins('left'));
  expect(await store.links.conflicts({ state: 'open' })).toMatchObject([{ field: null }]);
  left.rows.set('L1', { row, atMs });
  left.refuses = () => ({ code: 'no', message: 'refused' });
  await sync(wins('left'));
  expect(await store.links.conflicts({ state: 'open' })).toEqual([]);
  expect(await store.failures({})).toMatchObject([{ code: 'no' }]);
});

test('when nobody can tell any more, it is told with just that', async () => {
  await clash();
  right.fate = () => 'breaks before';
  await sync(wins('left'));
  right.fate = () => null;
  right.edit('R1', 'f', 'a third');
  right.edit('R1', 'g', 'left g');
  await sync(wins('left'));
  const unknown = (await store.links.conflicts({})).filter(({ why }) => why.includes(UNKNOWN));
  expect(unknown).toMatchObject([{ field: 'f', right: 'right f', state: 'settled' }]);
});

// The one whose machine froze goes on where it was, with everything it had read: what it has decided is of yesterday.       (P11)
describe('a former owner that wakes up', () => {
  const between = async (at: 'reading' | 'right' | 'left') => {
    await clash();
    const before = { left: left.writes, right: right.writes };
    const other = async () => void (await store.checkpoints.acquire('accounts'));
    const [side, name] = at === 'left' ? ([left, 'merge'] as const) : ([right, 'merge'] as const);
    const merge = side.merge.bind(side);
    side[name] = async (keys, decide) => {
      if (at === 'reading') await other();
      const results = await merge(keys, decide);
      if (at !== 'reading') await other();
      return results;
    };
    await expect(sync(wins('left'), wins('right'))).rejects.toThrow(OwnershipLostError);
    side[name] = merge;
    return before;
  };

  test('before it has written changes nothing anywhere', async () => {
    const before = await between('reading');
    expect({ left: left.writes, right: right.writes }).toEqual(before);
    expect(await told()).toEqual([]);
  });

  test('with nothing to write on the right leaves the left alone, too', async () => {
    left.create({ f: 'f', g: 'g' });
    await sync(wins('left'));
    right.edit('R1', 'f', 'old news');
    const { writes } = left;
    const merge = right.merge.bind(right);
    right.merge = async (keys, decide) => {
      const results = await merge(keys, decide);
      await store.checkpoints.acquire('accounts');
      return results;
    };
    await expect(sync(wins('left'))).rejects.toThrow(OwnershipLostError);
    expect(left.writes).toBe(writes);
  });

  test('after it has written one side leaves the other alone, and the new owner makes good what it has left', async () => {
    const before = await between('right');
    expect(left.writes).toBe(before.left);
    const [link] = await store.links.linksByLeft('accounts', ['L1']);
    expect(JSON.parse(link!.base).f).toMatchObject({ left: 'f', right: 'f' });
    await sync(wins('left'), wins('right'));
    expect((await told()).map(([field, , , , state]) => [field, state])).toEqual([
      ['g', 'settled'],
      ['f', 'settled'],
    ]);
  });

  test('whose write to the org comes through after the new owner has looked tells the overwrite', async () => {
    await clash();
    const merge = left.merge.bind(left);
    left.merge = async (keys, decide) => {
      left.merge = merge;
      // It has not come through yet, and to whom reads now the overwrite was not made.
      await sync({ kind: 'manual' });
      return merge(keys, decide);
    };
    await expect(sync(wins('right'))).rejects.toThrow(OwnershipLostError);
    expect(left.rows.get('L1')!.row).toMatchObject({ f: 'right f', g: 'right g' });
    const overwritten = [
      ['g', 'left g', 'right g', 'right g', 'settled'],
      ['f', 'left f', 'right f', 'right f', 'settled'],
    ];
    expect(await told()).toEqual(overwritten);
    await sync({ kind: 'manual' });
    expect(await told()).toEqual(overwritten);
  });

  test('after it has written both keeps no link of them', async () => {
    await between('left');
    const [link] = await store.links.linksByLeft('accounts', ['L1']);
    expect(JSON.parse(link!.base).g).toMatchObject({ left: 'g', right: 'g' });
    await sync(wins('left'), wins('right'));
    expect(await told()).toHaveLength(2);
    expect(left.rows.get('L1')!.row).toMatchObject({ f: 'left f', g: 'right g' });
  });
});

test('an overwrite that was made and said to be refused is told, and one that was not made is not', async () => {
  await clash();
  const locked = { code: 'UNABLE_TO_LOCK_ROW', message: 'somebody has it' };
  left.refusesWritten = locked;
  await sync(wins('right'));
  left.refusesWritten = null;
  const overwritten = [
    ['g', 'left g', 'right g', 'right g', 'settled'],
    ['f', 'left f', 'right f', 'right f', 'settled'],
  ];
  expect(await told()).toEqual(overwritten);
  left.edit('L1', 'f', 'left again');
  right.edit('R1', 'f', 'right again');
  left.refuses = () => locked;
  await sync(wins('right'));
  expect(await told()).toEqual(overwritten);
});

test('a partner that goes between being found and being locked is asked about, and not made again', async () => {
  right.create({ f: 'f', g: 'g' });
  // Made for it by a process that died before it knew.
  left.create({ f: 'f', g: 'g', partner: 'R1' });
  const merge = right.merge.bind(right);
  right.merge = (keys, decide) => {
    right.delete('R1');
    return merge(keys, decide);
  };
  await sync(wins('left'), wins('left'), [], { left: ['L1'], right: [] });
  expect([...right.rows.keys()]).toEqual([]);
  expect(await store.links.conflicts({})).toMatchObject([{ leftKey: 'L1', rightKey: 'R1', field: null, state: 'open' }]);
});
