import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StreamEvent } from '../../model/stream.ts';
import { Inbox } from './inbox.ts';

const event = (number: number, transaction: string): StreamEvent => ({
  position: String(number),
  dataset: 'd',
  op: 'delete',
  keys: [String(number)],
  row: null,
  untold: [],
  transaction,
  committedAtMs: 0,
  stampMs: null,
  writer: '',
});

const delivery = (events: readonly StreamEvent[], position: number, caughtUp: boolean) => ({
  events,
  position: String(position),
  caughtUp,
  reset: false,
});

test('P1, P6: every event comes out once and in order, a position never passes what is not taken, no transaction ends in the middle', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 8 }),
      fc.array(fc.tuple(fc.integer({ min: 1, max: 100 }), fc.nat(3)), { minLength: 1, maxLength: 40 }),
      (sizes, steps) => {
        const all = sizes.flatMap((size, t) => Array.from({ length: size }, () => `t${t}`)).map((name, i) => event(i + 1, name));
        let credit = 0;
        const inbox = new Inbox((events) => {
          credit += events;
        });
        const taken: StreamEvent[] = [];
        const takeAll = () => {
          while (inbox.ready) {
            const { events, position, whole } = inbox.take();
            taken.push(...events);
            if (!whole) continue;
            expect(Number(position)).toBe(taken.length);
            expect(all[taken.length]?.transaction).not.toBe(all[taken.length - 1]!.transaction);
          }
        };
        let given = 0;
        for (let i = 0; given < all.length; i++) {
          const [wanted, pace] = steps[i % steps.length]!;
          const count = Math.min(wanted, credit, all.length - given);
          // Nobody is to wait for room that nobody makes: with everything taken there is always credit.
          if (count === 0) {
            takeAll();
            expect(credit).toBeGreaterThan(0);
            continue;
          }
          credit -= count;
          given += count;
          inbox.push(delivery(all.slice(given - count, given), given, given === all.length));
          if (pace === 0) takeAll();
        }
        takeAll();
        expect(taken.length).toBe(all.length);
        expect(taken.every((one, i) => one === all[i])).toBe(true);
        expect(inbox.idlePosition).toBe(String(all.length));
        expect(credit).toBe(4000);
        expect(inbox.splits).toBe(0);
      },
    ),
    { numRuns: 50 },
  );
});

test('P6: word that nothing more is there ends a transaction of which a part is taken, and what then comes of it is told as a split', () => {
  const inbox = new Inbox(() => {});
  const large = Array.from({ length: 4000 }, (_, i) => event(i + 1, 't'));
  inbox.push(delivery(large, 4000, false));
  expect(inbox.take()).toMatchObject({ whole: false });
  expect(inbox.idlePosition).toBeNull();
  inbox.push(delivery([], 4000, true));
  expect(inbox.ready).toBe(true);
  expect(inbox.take()).toEqual({ events: [], position: '4000', whole: true });
  inbox.push(delivery([event(4001, 't')], 4001, true));
  expect(inbox.splits).toBe(1);
});

test('what happens while nobody waits is not lost: a stop during a write would otherwise never be noticed', async () => {
  const inbox = new Inbox(() => {});
  inbox.wake();
  await inbox.news();
  let resolved = false;
  const next = inbox.news().then(() => {
    resolved = true;
  });
  await Promise.resolve();
  expect(resolved).toBe(false);
  inbox.wake();
  await next;
});

test('a stream that has failed hands over what is whole before it tells', async () => {
  const inbox = new Inbox(() => {});
  inbox.push(delivery([event(1, 't')], 1, true));
  inbox.fail(new Error('gone'));
  await inbox.news();
  expect(inbox.take().events).toHaveLength(1);
  await expect(inbox.news()).rejects.toThrow('gone');
});
