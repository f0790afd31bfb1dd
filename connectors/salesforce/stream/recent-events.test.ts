import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecentEvents } from './recent-events.ts';

// A repetition would undo what came between (P3); an event that is taken for one would be lost (P1).

test('an event is new once, and others that share its replay id or its name are not taken for it', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(8), fc.nat(3)), { maxLength: 60 }), (events) => {
      const recent = new RecentEvents();
      const seen = new Set<string>();
      for (const [replayId, event] of events) {
        const name = `${replayId} ${event}`;
        expect(recent.add(String(replayId), String(event), 'key')).toBe(!seen.has(name));
        seen.add(name);
      }
    }),
  );
});

test('the last two thousand are known, and what lies far back is forgotten (P9)', () => {
  const recent = new RecentEvents();
  for (let n = 0; n < 10_000; n++) {
    expect(recent.add(String(n), 'e', undefined)).toBe(true);
    const back = Math.max(0, n - 1999);
    expect(recent.add(String(back), 'e', undefined)).toBe(false);
  }
  expect(recent.add('0', 'e', undefined)).toBe(true);
});
