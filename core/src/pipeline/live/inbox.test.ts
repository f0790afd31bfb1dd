import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StreamEvent } from '../../model/stream.ts';
import { Inbox } from './inbox.ts';

/** Stands still but for `pass`. */
class ManualClock {
  at = 0;
  readonly #parked = new Set<{ readonly dueMs: number; wake(): void }>();
  now = () => this.at;
  sleep = (ms: number) => new Promise<void>((wake) => void this.#parked.add({ dueMs: this.at + ms, wake }));

  get timers(): number {
    return this.#parked.size;
  }

  async pass(ms: number): Promise<void> {
    this.at += ms;
    for (const parked of this.#parked) {
      if (parked.dueMs > this.at) continue;
      this.#parked.delete(parked);
      parked.wake();
    }
    await Promise.resolve();
    await Promise.resolve();
  }
}

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

test('P1, P6: every event comes out once and in order, a position never passes what is not taken, no transaction ends in the middle', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 8 }),
      // A source may say after every message that it has nothing more, as long as it goes on at once.
      fc.array(fc.tuple(fc.integer({ min: 1, max: 100 }), fc.nat(3), fc.nat(2), fc.boolean()), { minLength: 1, maxLength: 40 }),
      async (sizes, steps) => {
        const clock = new ManualClock();
        const all = sizes.flatMap((size, t) => Array.from({ length: size }, () => `t${t}`)).map((name, i) => event(i + 1, name));
        let credit = 0;
        const inbox = new Inbox((events) => {
          credit += events;
        }, clock);
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
          const [wanted, pace, ms, caughtUp] = steps[i % steps.length]!;
          const count = Math.min(wanted, credit, all.length - given);
          // Nobody is to wait for room that nobody makes: with everything taken there is always credit.
          if (count === 0) {
            takeAll();
            expect(credit).toBeGreaterThan(0);
            continue;
          }
          credit -= count;
          given += count;
          inbox.push(delivery(all.slice(given - count, given), given, caughtUp || given === all.length));
          if (given < all.length) await clock.pass(ms);
          expect(clock.timers).toBeLessThanOrEqual(1);
          if (pace === 0) takeAll();
        }
        for (let ms = 0; ms < 10; ms++) await clock.pass(1);
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

test('P6: silence after word that nothing more is there ends a transaction of which a part is taken, and what then comes of it is told as a split', async () => {
  const clock = new ManualClock();
  const inbox = new Inbox(() => {}, clock);
  const large = Array.from({ length: 4000 }, (_, i) => event(i + 1, 't'));
  inbox.push(delivery(large, 4000, false));
  expect(inbox.take()).toMatchObject({ whole: false });
  expect(inbox.idlePosition).toBeNull();
  inbox.push(delivery([], 4000, true));
  await clock.pass(2);
  expect(inbox.ready).toBe(false);
  await clock.pass(1);
  expect(inbox.ready).toBe(true);
  expect(inbox.take()).toEqual({ events: [], position: '4000', whole: true });
  inbox.push(delivery([event(4001, 't')], 4001, true));
  expect(inbox.splits).toBe(1);
});

test('P6: parts of a transaction that come one right after the other are one, though each says that nothing more is there', async () => {
  const clock = new ManualClock();
  const inbox = new Inbox(() => {}, clock);
  for (let n = 1; n <= 4; n++) {
    inbox.push(delivery([event(n, 't')], n, true));
    await clock.pass(2);
    expect(inbox.ready).toBe(false);
  }
  await clock.pass(1);
  expect(inbox.take()).toMatchObject({ events: { length: 4 }, position: '4', whole: true });
});

test('what is followed by another transaction, and an event that is one of its own, wait for nothing', async () => {
  const inbox = new Inbox(() => {}, new ManualClock());
  inbox.push(delivery([event(1, 't'), event(2, 'u')], 2, true));
  expect(inbox.take()).toMatchObject({ events: { length: 1 }, position: '1' });
  const topic = new Inbox(() => {}, new ManualClock(), { settleMs: 0 });
  topic.push(delivery([event(1, 't')], 1, true));
  expect(topic.take()).toMatchObject({ events: { length: 1 }, position: '1' });
});

test('what happens while nobody waits is not lost: a stop during a write would otherwise never be noticed', async () => {
  const inbox = new Inbox(() => {}, new ManualClock());
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

test('a stream that has failed hands over what is whole before it tells, and nothing that may go on', async () => {
  const inbox = new Inbox(() => {}, new ManualClock());
  inbox.push(delivery([event(1, 't'), event(2, 'u')], 2, true));
  inbox.fail(new Error('gone'));
  await inbox.news();
  expect(inbox.take().events).toHaveLength(1);
  await expect(inbox.news()).rejects.toThrow('gone');
});
