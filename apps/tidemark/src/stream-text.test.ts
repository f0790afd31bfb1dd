import type { KeptStatus } from '@tidemark/core';
import { expect, test } from 'vitest';
import { renderStream } from './stream-text.ts';

const now = Date.UTC(2026, 2, 4, 12);
const minute = 60_000;
const calm: KeptStatus = {
  stream: 'live:crm:app',
  syncs: ['contacts', 'accounts'],
  state: 'live',
  reason: null,
  nextTryMs: null,
  connected: true,
  sinceMs: now - 125 * minute,
  transport: 'pubsub',
  lastHeardMs: now - 1000,
  lastEventMs: now - 3000,
  lagMs: 0,
  waiting: 0,
  events: 1204,
  transactions: 988,
  reconnects: 0,
  records: {},
  splits: 0,
  positionMs: now - 4000,
  healed: { lost: 0, gap: 0, overflow: 0 },
  aside: {},
  rereads: [],
  holes: [],
  asOfMs: now,
};

const cases: readonly [Partial<KeptStatus>, readonly string[]][] = [
  [
    {},
    [
      'stream crm:app by pubsub, for contacts, accounts',
      '  live for 2h 5m, last event 3s ago',
      '  1,204 events in 988 transactions; position kept 4s ago',
    ],
  ],
  [
    { state: 'catching up', lagMs: 245_000, waiting: 340, rereads: ['contacts'], healed: { lost: 1, gap: 3, overflow: 0 } },
    ['catching up, 4m 5s behind, 340 events to write', 'read again: contacts', 'healed: 1 lost position, 3 gaps'],
  ],
  [
    { state: 'waiting', connected: false, sinceMs: now - 5000, lagMs: 5000, nextTryMs: now + 8000, reason: 'no route' },
    ['not connected for 5s, 5s behind; tried again in 8s', 'why: no route'],
  ],
  [
    {
      state: 'polling',
      connected: false,
      sinceMs: now - 5 * minute,
      nextTryMs: now + 10 * minute,
      reason: 'deliveries are spent',
    },
    ['polling every minute, not connected for 5m; tried again in 10m', 'why: deliveries are spent'],
  ],
  [{ state: 'connecting', sinceMs: now - 2000 }, ['connecting for 2s']],
  [{ state: 'paused', reconnects: 2, splits: 1 }, ['paused, last event 3s ago', '988 transactions, 1 not at once, 2 reconnects']],
  [{ state: 'stopped', sinceMs: now - minute, lagMs: minute }, ['stopped 1m ago, 1m behind']],
  [{ aside: { contacts: 'no such table' } }, ['contacts stands aside: no such table']],
  [
    { holes: [{ fromMs: now - 60 * minute, toMs: now }] },
    ['events are gone for good: 2026-03-04T11:00:00Z to 2026-03-04T12:00:00Z'],
  ],
];

test.each(cases)('%j', (over, expected) => {
  const text = renderStream({ ...calm, ...over }, now).join('\n');
  for (const line of expected) expect(text).toContain(line);
});
