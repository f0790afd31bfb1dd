import { expect, test } from 'vitest';
import { seededRandom } from '../base/random.ts';
import type { Delivery, EventStream, StreamEvent } from '../model/stream.ts';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import { type FollowPairing, followPairing } from './follow-pairing.ts';
import { ParkedClock, settle } from './live-fixture.ts';

const event = { op: 'update', dataset: 'Account', keys: ['1'], position: '1' } as unknown as StreamEvent;
const delivery = (more: Partial<Delivery>): Delivery => ({ events: [], position: '1', caughtUp: true, reset: false, ...more });

interface Followed {
  readonly waitForCalls?: Promise<void>;
  readonly calls?: Promise<void>;
  /** The other side has a change log. */
  waitForChange?(position: string, signal: AbortSignal): Promise<void>;
}

class Following implements AsyncDisposable {
  readonly done: string[] = [];
  /** Of events that the stream was given room for. */
  granted = 0;
  /** Touched records are brought across once it resolves. */
  touched = Promise.resolve();
  /** How often both sides were opened. */
  opened = 0;
  readonly clock = new ParkedClock();
  /** What comes next may be done once it resolves. */
  calls: Promise<void>;
  readonly #waiting: PromiseWithResolvers<Delivery>[] = [];
  readonly #stop = new AbortController();
  readonly #following: Promise<void>;

  constructor(store: Store, { waitForCalls = Promise.resolve(), calls = Promise.resolve(), waitForChange }: Followed = {}) {
    this.calls = calls;
    const { signal: stop } = this.#stop;
    const waiting = this.#waiting;
    const grant = (events: number) => {
      this.granted += events;
    };
    const stream: EventStream = {
      origin: 'org',
      grant,
      async *deliveries() {
        while (!stop.aborted) {
          const next = Promise.withResolvers<Delivery>();
          waiting.push(next);
          yield await next.promise;
        }
      },
      async [Symbol.asyncDispose]() {},
    };
    const pairing = { left: { source: { streamDataset: 'Account' } }, right: { source: { waitForChange } } };
    this.#following = followPairing({
      config: { name: 'pair', left: { connection: 'org' }, right: { connection: 'app' } },
      store,
      clock: this.clock,
      random: seededRandom(1),
      log: { debug() {}, info() {}, warn() {}, error() {} },
      ...{ stop, signal: stop },
      connection: () => ({ openStream: async () => stream }),
      waitForCalls: () => waitForCalls,
      gather: () => this.calls,
      othersRunEnds: async () => {},
      inTurn: (work: (opened: unknown) => Promise<unknown>) => {
        this.opened++;
        return work(pairing);
      },
      touch: async (side: string, keys: readonly string[]) => {
        this.done.push(`touch ${side} ${keys.join()}`);
        await this.touched;
      },
      run: async ({ full }: { full: boolean }) => void this.done.push(full ? 'full' : 'delta'),
    } as unknown as FollowPairing);
  }

  async tell(next: Delivery): Promise<string[]> {
    await settle();
    this.#waiting.shift()!.resolve(next);
    await settle();
    return this.done.splice(0);
  }

  async break(): Promise<void> {
    this.#waiting.shift()!.reject(new Error('the stream broke'));
    await settle();
  }

  stop(): void {
    this.#stop.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    this.#waiting.shift()?.resolve(delivery({}));
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

test('P1: a stop while it waits for calls opens neither side any more', async () => {
  await using store = await openStore(':memory:');
  const short = Promise.withResolvers<void>();
  await using following = new Following(store, { waitForCalls: short.promise });
  await settle();
  following.stop();
  short.resolve();
  await settle();
  expect(following.opened).toBe(0);
});

test('P8: only work that was done is followed by a gathering: a stream that broke meanwhile is opened anew without another', async () => {
  await using store = await openStore(':memory:');
  const gathering = Promise.withResolvers<void>();
  await using following = new Following(store, { calls: gathering.promise });
  const tell = (key: string) => following.tell(delivery({ events: [{ ...event, keys: [key] }], position: key }));
  expect(await tell('1')).toEqual(['delta', 'touch left 1']);
  await following.break();
  const next = Promise.withResolvers<void>();
  following.calls = next.promise;
  gathering.resolve();
  await following.clock.advance(60_000);
  expect(await tell('2')).toEqual(['touch left 2']);
  expect(await tell('3')).toEqual([]);
  next.resolve();
  await settle();
  expect(following.done).toEqual(['touch left 3']);
});

test('P8: what a change log tells goes across at once, and what it tells after that once it was gathered', async () => {
  await using store = await openStore(':memory:');
  const { epoch } = await store.checkpoints.acquire('pair');
  await store.checkpoints.write('pair', epoch, JSON.stringify({ positions: { left: '1', right: '1' } }));
  let told = 2;
  const waitForChange = (_: string, signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
      if (told-- > 0) resolve();
    });
  const gathering = Promise.withResolvers<void>();
  await using following = new Following(store, { calls: gathering.promise, waitForChange });
  await settle();
  expect(following.done.splice(0)).toEqual(['delta']);
  gathering.resolve();
  await settle();
  expect(following.done).toEqual(['delta']);
});

test('P9: while a sync is paused, what its change log holds is not asked for again and again, and goes across once it is resumed', async () => {
  await using store = await openStore(':memory:');
  const { epoch } = await store.checkpoints.acquire('pair');
  await store.checkpoints.write('pair', epoch, JSON.stringify({ positions: { left: '1', right: '1' } }));
  await store.setPaused('pair', true);
  let asked = 0;
  await using following = new Following(store, {
    async waitForChange(_, signal) {
      asked++;
      // There is news, and none once it was brought across.
      if (following.done.length > 0) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    },
  });
  await following.clock.advance(60_000);
  expect(asked).toBe(0);
  await store.setPaused('pair', false);
  await following.clock.advance(2000);
  expect(following.done).toEqual(['delta']);
});
