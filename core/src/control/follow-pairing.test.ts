import { expect, test } from 'vitest';
import { seededRandom } from '../base/random.ts';
import type { Delivery, EventStream, StreamEvent } from '../model/stream.ts';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import { type FollowPairing, followPairing } from './follow-pairing.ts';
import { ParkedClock, settle } from './live-fixture.ts';

const event = { op: 'update', dataset: 'Account', keys: ['1'], position: '1' } as unknown as StreamEvent;
const delivery = (more: Partial<Delivery>): Delivery => ({ events: [], position: '1', caughtUp: true, reset: false, ...more });

class Following implements AsyncDisposable {
  readonly done: string[] = [];
  /** Of events that the stream was given room for. */
  granted = 0;
  /** Touched records are brought across once it resolves. */
  touched = Promise.resolve();
  /** There are calls for what comes next once it resolves. */
  calls = Promise.resolve();
  readonly #waiting: ((next: Delivery) => void)[] = [];
  readonly #stop = new AbortController();
  readonly #following: Promise<void>;

  constructor(store: Store) {
    const { signal: stop } = this.#stop;
    const waiting = this.#waiting;
    const grant = (events: number) => {
      this.granted += events;
    };
    const stream: EventStream = {
      origin: 'org',
      grant,
      async *deliveries() {
        while (!stop.aborted) yield await new Promise<Delivery>((resolve) => waiting.push(resolve));
      },
      async [Symbol.asyncDispose]() {},
    };
    const pairing = { left: { source: { streamDataset: 'Account' } }, right: { source: {} } };
    this.#following = followPairing({
      config: { name: 'pair', left: { connection: 'org' }, right: { connection: 'app' } },
      store,
      clock: new ParkedClock(),
      random: seededRandom(1),
      log: { debug() {}, info() {}, warn() {}, error() {} },
      ...{ stop, signal: stop },
      connection: () => ({ openStream: async () => stream }),
      gather: () => this.calls,
      inTurn: (work: (opened: unknown) => Promise<unknown>) => work(pairing),
      touch: async (side: string, keys: readonly string[]) => {
        this.done.push(`touch ${side} ${keys.join()}`);
        await this.touched;
      },
      run: async ({ full }: { full: boolean }) => void this.done.push(full ? 'full' : 'delta'),
    } as unknown as FollowPairing);
  }

  async tell(next: Delivery): Promise<string[]> {
    await settle();
    this.#waiting.shift()!(next);
    await settle();
    return this.done.splice(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#waiting.shift()!(delivery({}));
    await this.#following;
  }
}

test('P1: what was committed before a side listened, and while it was only taken to, is read; from then on its events tell', async () => {
  await using store = await openStore(':memory:');
  await using following = new Following(store);
  expect(await following.tell(delivery({ position: 'unheard', assumed: true }))).toEqual(['delta']);
  expect(await following.tell(delivery({ events: [event] }))).toEqual(['delta', 'touch left 1']);
  expect(await following.tell(delivery({ events: [event] }))).toEqual(['touch left 1']);
});

test('P8: what is told while records are brought across goes across together, and its last position is kept after that', async () => {
  await using store = await openStore(':memory:');
  await using following = new Following(store);
  const tell = (key: string) => following.tell(delivery({ events: [{ ...event, keys: [key] }], position: key }));
  const position = () => store.getValue('stream of pair, org');
  const over = Promise.withResolvers<void>();
  following.touched = over.promise;
  expect(await tell('1')).toEqual(['delta', 'touch left 1']);
  for (const key of ['2', '3', '2']) expect(await tell(key)).toEqual([]);
  expect(await position()).toBeNull();
  over.resolve();
  await settle();
  expect(following.done).toEqual(['touch left 2,3']);
  expect(await position()).toBe('2');
  // The room that it began with, and as much as has come.
  expect(following.granted).toBe(100 + 4);
});

test('P8: while calls are short the stream is heard on, and what it tells goes across together once there are some', async () => {
  await using store = await openStore(':memory:');
  await using following = new Following(store);
  const tell = (keys: readonly string[]) =>
    following.tell(delivery({ events: keys.map((key) => ({ ...event, keys: [key] })), position: keys.at(-1)! }));
  const short = Promise.withResolvers<void>();
  expect(await tell(['0'])).toEqual(['delta', 'touch left 0']);
  following.calls = short.promise;
  // What it has come to is finished.
  expect(await tell(['1'])).toEqual(['touch left 1']);
  const hundreds = [1, 2, 3].map((n) => Array.from({ length: 100 }, (_, i) => `${n}.${i}`));
  for (const keys of hundreds) expect(await tell(keys)).toEqual([]);
  expect(following.granted).toBe(100 + 302);
  expect(await store.getValue('stream of pair, org')).toBe('1');
  short.resolve();
  await settle();
  expect(following.done).toEqual([`touch left ${hundreds.flat().join()}`]);
  expect(await store.getValue('stream of pair, org')).toBe('3.99');
});
