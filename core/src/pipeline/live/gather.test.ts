import { expect, test } from 'vitest';
import type { StreamEvent } from '../../model/stream.ts';
import { Gatherer, type GathererParts } from './gather.ts';
import { LiveProgress } from './live-status.ts';
import type { LiveSync } from './live-sync.ts';

// What is read again is newer than what was told before: it must not be written first. A record that was made, then changed by an
// overflow that tells nothing, and then told of once more is one write with the newest stamp, which the read would lose to.      (P3)

function event(op: StreamEvent['op'], key: string): StreamEvent {
  const identity = { id: key, position: 'p', transaction: 't', dataset: 'Account', keys: [key] };
  return { ...identity, op, row: {}, untold: [], stampMs: 1, committedAtMs: 1 } as unknown as StreamEvent;
}

function gatherer(paused = false) {
  const folded: string[] = [];
  const marked: string[] = [];
  const sync = { name: 'accounts', dataset: 'Account', fold: (_: unknown, { op }: StreamEvent) => void folded.push(op) };
  const rereads = { isLoading: () => false, isPaused: () => paused, mark: (name: string) => void marked.push(name) };
  const clock = { now: () => 0, sleep: async () => {} };
  const parts = {
    syncs: [sync as unknown as LiveSync],
    aside: new Map([['copies', 'Account']]),
    rereads: rereads as unknown as GathererParts['rereads'],
    status: new LiveProgress('unit', ['accounts'], clock),
    keepsEvents: false,
  };
  return { folded, marked, gatherer: new Gatherer(parts) };
}

test.each([
  ['overflow', 'x', [['accounts', { sinceMs: 1 }]]],
  [
    'wildcard',
    '001',
    [
      ['copies', 'full'],
      ['accounts', 'full'],
    ],
  ],
] as const)('what an %s does not tell is read again once all that was gathered with it is written', async (op, key, expected) => {
  const { folded, marked, gatherer: gathers } = gatherer();
  const events = [event('create', 'a'), event(op, key), event('update', 'a')];
  const batch = await gathers.add(null, { events, position: 'p', whole: true });
  expect(folded).toEqual(['create', 'update']);
  expect([...batch.rereads]).toEqual(expected);
  expect(marked).toEqual([]);
});

test('a full read is not made a delta by what comes after it', async () => {
  const { gatherer: gathers } = gatherer();
  const batch = await gathers.add(null, {
    events: [event('wildcard', '001'), event('overflow', 'x')],
    position: 'p',
    whole: true,
  });
  expect(batch.rereads.get('accounts')).toBe('full');
});

test('what a paused sync is told is read when it goes on', async () => {
  const { folded, gatherer: gathers } = gatherer(true);
  const batch = await gathers.add(null, { events: [event('update', 'a')], position: 'p', whole: true });
  expect([folded, [...batch.rereads]]).toEqual([[], [['accounts', 'delta']]]);
});
