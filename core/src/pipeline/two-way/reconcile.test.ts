import { beforeEach, describe, expect, test } from 'vitest';
import { TransientError } from '../../base/errors.ts';
import { seededRandom } from '../../base/random.ts';
import { defaultRetry } from '../../base/retry.ts';
import { openStore } from '../../store/open-store.ts';
import type { Store } from '../../store/store.ts';
import { recordNamed } from './failures.ts';
import type { FieldRule, SideName } from './merge-record.ts';
import { ModelSide } from './model-side-fixture.ts';
import { type OpenedPairing, type PairField, PairingTally, takeOver } from './opened-pairing.ts';
import { type ReconcileOptions, reconcile } from './reconcile.ts';
import { retryPairing } from './run-pairing.ts';

// What goes with a deleted record is what both sides had agreed upon, what somebody was shown and gave up, or told (P7). Found by
// the simulation of two-way syncs.

let store: Store;
let left: ModelSide;
let right: ModelSide;
let pairing: OpenedPairing;
let nowMs: number;

beforeEach(async () => {
  nowMs = 1;
  store = await openStore('sqlite::memory:');
  left = new ModelSide('L', ['f', 'g'], () => nowMs);
  right = new ModelSide('R', ['f', 'g'], () => nowMs);
  const field = (name: string, flows: FieldRule['flows']): PairField => ({
    ...{ field: { name, type: 'text', nullable: true }, left: name, right: name, flows },
    policy: { kind: 'latest' },
  });
  pairing = {
    name: 'accounts',
    names: { left: 'crm', right: 'app' },
    ...{ left, right, store },
    fields: [field('f', 'both'), field('g', 'to-right')],
    match: [],
    deletes: 'propagate',
    rightAheadMs: 0,
    ownership: { epoch: null },
    clock: { now: () => nowMs, sleep: async () => {} },
    log: { debug() {}, info() {}, warn() {}, error() {} },
  };
  await takeOver(pairing);
});

async function sync(decisions?: ReconcileOptions['decisions']): Promise<void> {
  const touched = { left: [...left.rows.keys()], right: [...right.rows.keys()] };
  const { signal } = new AbortController();
  await reconcile(pairing, touched, { signal, tally: new PairingTally(), ...(decisions === undefined ? {} : { decisions }) });
}
const open = () => store.links.conflicts({ sync: 'accounts', state: 'open' });
const gone = (side: SideName) => ({ kind: 'wins', side }) as const;

describe('a delete on the left', () => {
  beforeEach(async () => {
    left.create({ f: 'a', g: 'b' });
    await sync();
  });

  test('takes the record with it, and what was changed in a field that may not flow is told', async () => {
    right.edit('R1', 'g', 'mine');
    left.delete('L1');
    await sync();
    expect([...right.rows]).toEqual([]);
    expect(await store.links.conflicts({})).toMatchObject([{ field: null, state: 'settled', right: { f: 'a', g: 'mine' } }]);
  });

  test('that met an edit is decided for the record as it was shown, and asked about again when it was edited since', async () => {
    right.edit('R1', 'f', 'c');
    left.delete('L1');
    await sync();
    const [conflict] = await open();
    expect(conflict).toMatchObject({ field: null, right: { f: 'c' } });
    right.edit('R1', 'f', 'd');
    await sync([{ conflict: conflict!, policy: gone('left') }]);
    expect(right.rows.get('R1')?.row).toMatchObject({ f: 'd' });
    const [again] = await open();
    expect(again).toMatchObject({ field: null, right: { f: 'd' } });
    await sync([{ conflict: again!, policy: gone('left') }]);
    expect([...right.rows]).toEqual([]);
    expect(await open()).toEqual([]);
  });
});

test('an edit on the left that is made while partners of other records are looked for is seen', async () => {
  left.create({ f: 'a', g: 'b' });
  await sync();
  right.edit('R1', 'f', 'mine');
  right.create({ f: 'new', g: null });
  const find = left.find.bind(left);
  left.find = (wanted) => {
    left.edit('L1', 'f', 'theirs');
    return find(wanted);
  };
  await sync();
  expect(left.rows.get('L1')?.row).toMatchObject({ f: 'theirs' });
  expect(right.rows.get('R1')?.row).toMatchObject({ f: 'theirs' });
  expect(await store.links.conflicts({})).toMatchObject([{ field: 'f', left: 'theirs', right: 'mine', outcome: 'theirs' }]);
});

// The left side may have no locks: what it held a minute ago it need not hold any more.
test.each([
  ['before the right side is decided upon', 'a lock', true],
  ['before the left side is written', 'a commit', false],
] as const)('an edit on the left that is made %s, while %s is waited for, is seen (P7)', async (_, __, before) => {
  left.create({ f: 'a', g: 'b' });
  await sync();
  right.edit('R1', 'f', 'mine');
  const merge = right.merge.bind(right);
  const wait = () => {
    right.merge = merge;
    nowMs += 60_000;
    left.edit('L1', 'f', 'theirs');
  };
  right.merge = async (keys, decide) => {
    if (before) wait();
    const results = await merge(keys, decide);
    if (!before) wait();
    return results;
  };
  // Under its lock it is read once more; later all is begun anew.
  if (before) await sync();
  else await expect(sync()).rejects.toThrow(TransientError);
  await sync();
  expect(right.rows.get('R1')?.row).toMatchObject({ f: 'theirs' });
  expect(await store.links.conflicts({})).toMatchObject([{ field: 'f', left: 'theirs', right: 'mine', outcome: 'theirs' }]);
});

describe('an edit between our read and our write, of a side with conditions in the place of locks (P7)', () => {
  const editOnce = (field: string) => {
    right.conditional = true;
    right.meanwhile = () => {
      right.meanwhile = () => {};
      right.edit('R1', field, 'mine');
    };
  };
  beforeEach(async () => {
    left.create({ f: 'a', g: 'b' });
    await sync();
  });

  test('of the same field is seen, and told when it loses', async () => {
    left.edit('L1', 'f', 'theirs');
    editOnce('f');
    await sync();
    expect(right.rows.get('R1')?.row).toMatchObject({ f: 'theirs' });
    expect(await store.links.conflicts({})).toMatchObject([{ field: 'f', left: 'theirs', right: 'mine', state: 'settled' }]);
  });

  test('keeps a delete from taking with it what was never told', async () => {
    left.delete('L1');
    editOnce('f');
    await sync();
    expect(right.rows.get('R1')?.row).toMatchObject({ f: 'mine' });
    expect(await open()).toMatchObject([{ field: null, left: null, right: { f: 'mine' } }]);
    expect(await store.links.linksAfter('accounts', '', 10)).toMatchObject([{ gone: 'left' }]);
  });
});

describe.each(['left', 'right'] as const)('a record that the %s side names as a partner', (names) => {
  test.each([
    ['in one batch', [['L1', 'L2']]],
    ['one after the other', [['L1'], ['L2']]],
  ])('is not given to another one that matches it, %s (P7)', async (_, batches) => {
    pairing = { ...pairing, match: ['f'] };
    left.create({ f: 'same', g: 'x', partner: null });
    left.create({ f: 'other', g: 'x', partner: names === 'left' ? 'R1' : null });
    right.create({ f: 'same', g: 'x', partner: names === 'right' ? 'L2' : null });
    const { signal } = new AbortController();
    for (const keys of batches) await reconcile(pairing, { left: keys, right: [] }, { signal, tally: new PairingTally() });
    expect(await store.links.linksAfter('accounts', '', 10)).toMatchObject([{ leftKey: 'L2', rightKey: 'R1' }]);
    expect(await store.failures({ sync: 'accounts' })).toMatchObject([{ key: 'L1', code: 'match_is_taken' }]);
    expect([...right.rows.keys()]).toEqual(['R1']);
  });
});

// We died before we knew that it was made, and then its partner went: two records of one side have to do with one of the other.
test('a record that was made for a partner that is gone since stops no other record of its batch (P2)', async () => {
  left.create({ f: 'a', g: 'b' });
  await sync();
  right.edit('R1', 'f', 'mine');
  left.delete('L1');
  await sync();
  left.create({ f: 'mine', g: 'b', partner: 'R1' });
  right.delete('R1');
  left.create({ f: 'other', g: 'x' });
  const { signal } = new AbortController();
  await reconcile(pairing, { left: ['L1', 'L2', 'L3'], right: ['R1'] }, { signal, tally: new PairingTally() });
  expect(await store.links.linksAfter('accounts', '', 10)).toMatchObject([
    { leftKey: 'L2', rightKey: 'R1', gone: 'right' },
    { leftKey: 'L3', rightKey: 'R2', gone: null },
  ]);
  expect(await open()).toMatchObject([{ leftKey: 'L2', rightKey: 'R1', field: null }]);
});

// A user who loses the right to see a record finds it just as little as if it were gone.                              (P4)
describe('a record that is not there any more, as its partner is told of', () => {
  const { signal } = new AbortController();
  const tell = (touched: Record<SideName, string[]>) =>
    reconcile(pairing, touched, { signal, tally: new PairingTally(), told: true });
  beforeEach(async () => {
    left.create({ f: 'a', g: 'b' });
    await sync();
    left.delete('L1');
  });

  test('takes its partner with it only once its own side has told', async () => {
    await tell({ left: [], right: ['R1'] });
    expect([...right.rows.keys()]).toEqual(['R1']);
    await tell({ left: ['L1'], right: [] });
    expect([...right.rows.keys()]).toEqual([]);
  });

  test('and whose partner refuses to go stays a failure, whatever is told of the partner (P2)', async () => {
    right.refuses = (row) => (row === null ? { code: 'no', message: 'refused' } : null);
    await tell({ left: ['L1'], right: [] });
    await tell({ left: [], right: ['R1'] });
    expect(await store.failures({})).toMatchObject([{ key: 'L1', op: 'delete' }]);
  });

  test('is asked about when the partner was changed', async () => {
    right.edit('R1', 'f', 'mine');
    await tell({ left: [], right: ['R1'] });
    expect(await open()).toMatchObject([{ field: null, left: null, right: { f: 'mine' } }]);
  });
});

test('whether a record exists is not asked for ever when we died before we knew that it had been made anew (P7)', async () => {
  left.create({ f: 'a', g: 'b' });
  await sync();
  right.edit('R1', 'f', 'mine');
  left.delete('L1');
  await sync();
  expect(await open()).toMatchObject([{ leftKey: 'L1', rightKey: 'R1', field: null }]);
  left.create({ f: 'mine', g: 'b', partner: 'R1' });
  await sync();
  expect(await store.links.linksAfter('accounts', '', 10)).toMatchObject([{ leftKey: 'L2', rightKey: 'R1', gone: null }]);
  expect(await open()).toEqual([]);
});

test.each(['left', 'right'] as const)(
  'what was decided on the %s and done by a process that died before it knew is not done again (P7)',
  async (there) => {
    const sides = { left, right };
    const gone = there === 'left' ? 'right' : 'left';
    left.create({ f: 'a', g: 'b' });
    await sync();
    const [kept, lost] = there === 'left' ? ['L1', 'R1'] : ['R1', 'L1'];
    sides[there].edit(kept, 'f', 'mine');
    sides[gone].delete(lost);
    await sync();
    const [conflict] = await open();
    nowMs++;
    const made = sides[gone].create({ f: 'mine', g: 'b', partner: kept });
    nowMs++;
    sides[gone].edit(made, 'f', 'somebody');
    const decisions = [{ conflict: conflict!, policy: { kind: 'wins', side: there } as const }];
    const { signal } = new AbortController();
    await reconcile(pairing, { left: ['L1'], right: [] }, { signal, tally: new PairingTally(), decisions });
    expect(sides[gone].rows.get(made)!.row).toMatchObject({ f: 'somebody', partner: kept });
    expect(sides[there].rows.get(kept)!.row).toMatchObject({ f: 'somebody', partner: made });
    expect(await open()).toEqual([]);
    expect(await store.failures({})).toEqual([]);
  },
);

test.each(['left', 'right'] as const)(
  'what was decided about a record that was gone is not done to one that has come back and gone on the other side, for the %s (P7)',
  async (side) => {
    left.create({ f: 'a', g: 'b' });
    await sync();
    const { row } = left.rows.get('L1')!;
    left.delete('L1');
    right.edit('R1', 'f', 'mine');
    await sync();
    const [conflict] = await open();
    // Undeleted and edited there, and deleted here.
    left.rows.set('L1', { row: { ...row, f: 'theirs' }, atMs: ++nowMs });
    right.delete('R1');
    const decisions = [{ conflict: conflict!, policy: { kind: 'wins', side } as const }];
    const { signal } = new AbortController();
    await reconcile(pairing, { left: ['L1'], right: ['R1'] }, { signal, tally: new PairingTally(), decisions });
    expect([...left.rows.keys(), ...right.rows.keys()]).toEqual(['L1']);
    expect(await open()).toMatchObject([{ field: null, left: { f: 'theirs' }, right: null }]);
  },
);

// Nothing else tells that a row is the same one: its key is another, and the former one is deleted for all that is told.
describe('a record whose key was changed stays with its partner, whom it names (P7)', () => {
  const { signal } = new AbortController();
  const tell = (right: string[]) => reconcile(pairing, { left: [], right }, { signal, tally: new PairingTally(), told: true });
  beforeEach(async () => {
    left.create({ f: 'a', g: 'b' });
    await sync();
    const { row, atMs } = right.rows.get('R1')!;
    right.rows.delete('R1');
    right.rows.set('R9', { row, atMs });
  });

  test.each([[[['R1', 'R9']]], [[['R9', 'R1']]], [[['R9'], ['R1']]]])('told as %j', async (batches) => {
    left.edit('L1', 'g', 'c');
    for (const keys of batches) await tell(keys);
    expect([...left.rows]).toMatchObject([['L1', { row: { f: 'a', g: 'c', partner: 'R9' } }]]);
    expect([...right.rows]).toMatchObject([['R9', { row: { f: 'a', g: 'c', partner: 'L1' } }]]);
    expect(await store.links.linksAfter('accounts', '', 10)).toMatchObject([{ leftKey: 'L1', rightKey: 'R9', gone: null }]);
    expect(await store.links.conflicts({})).toEqual([]);
    expect(await store.failures({})).toEqual([]);
  });

  test('and one that still has its own record does not take the place of it', async () => {
    right.rows.set('R1', { row: { f: 'a', g: 'b', partner: null }, atMs: 1 });
    await tell(['R9']);
    expect(await store.links.linksAfter('accounts', '', 10)).toMatchObject([{ leftKey: 'L1', rightKey: 'R1' }]);
    expect(await store.failures({})).toMatchObject([{ key: ':R9', code: 'match_is_taken' }]);
  });
});

// In failures the right side's keys stand behind a colon.
test.each([':', '\\', '\\:'])(
  'a record of the left side whose key begins with %s fails and is tried again like any other (P2)',
  async (prefix) => {
    left = new ModelSide(prefix, ['f', 'g'], () => nowMs);
    pairing = { ...pairing, left };
    left.create({ f: 'a', g: 'b' });
    right.refuses = () => ({ code: 'no', message: 'refused' });
    await sync();
    const { clock, log } = pairing;
    const config = { name: 'accounts', retry: defaultRetry, onFailure: 'quarantine', warnAfterMs: 0 } as const;
    const prepared = { store, clock, log, random: seededRandom(1), config, fingerprint: '' };
    const retry = () => retryPairing(prepared, async () => pairing, { signal: new AbortController().signal });
    expect(await retry()).toMatchObject({ openFailures: 1 });
    expect(recordNamed((await store.failures({}))[0]!.key)).toEqual({ side: 'left', key: `${prefix}1` });
    right.refuses = () => null;
    expect(await retry()).toMatchObject({ state: 'succeeded', openFailures: 0 });
    expect([...right.rows.values()]).toMatchObject([{ row: { f: 'a', partner: `${prefix}1` } }]);
  },
);

// One transaction of a database holds the locks of a batch, and the org's records are read just before it.
test('records that were refused are tried again some at a time, however many there are (P7, P9)', async () => {
  for (let i = 0; i < 1200; i++) right.create({ f: `${i}`, g: null });
  left.refuses = () => ({ code: 'no', message: 'refused' });
  await sync();
  expect(await store.countFailures('accounts')).toBe(1200);
  left.refuses = () => null;
  const merge = right.merge.bind(right);
  let most = 0;
  right.merge = (keys, decide) => {
    most = Math.max(most, keys.length);
    return merge(keys, decide);
  };
  const { clock, log } = pairing;
  const config = { name: 'accounts', retry: defaultRetry, onFailure: 'quarantine', warnAfterMs: 0 } as const;
  const prepared = { store, clock, log, random: seededRandom(1), config, fingerprint: '' };
  const { signal } = new AbortController();
  expect(await retryPairing(prepared, async () => pairing, { signal })).toMatchObject({ state: 'succeeded', openFailures: 0 });
  expect(left.rows.size).toBe(1200);
  expect(most).toBeLessThanOrEqual(500);
});
