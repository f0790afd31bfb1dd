import { expect, test } from 'vitest';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import { ParkedClock, settle } from './live-fixture.ts';
import { SignsOfLife } from './signs-of-life.ts';

// A run of another process is left its way for as long as it lives, and one that has died holds nobody up for long.           (P11)

const MISSED_MS = 12_000;

class Process {
  readonly own = { epoch: null as number | null };
  readonly clock = new ParkedClock();
  readonly signs: SignsOfLife;
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
    this.signs = new SignsOfLife({ store, clock: this.clock });
  }

  async takeOver(from?: number): Promise<void> {
    this.own.epoch = (await this.#store.checkpoints.acquire('pair', undefined, from)).epoch;
  }

  free(): Promise<number | null> {
    return this.signs.free('pair', this.own);
  }

  /** A run that lasts until it is told to end. */
  async run(): Promise<() => Promise<void>> {
    const end = Promise.withResolvers<void>();
    const ended = this.signs.during('pair', this.own, async () => {
      await this.takeOver();
      await end.promise;
    });
    await settle();
    return () => {
      end.resolve();
      return ended;
    };
  }
}

test('P11: what nobody has run, or this process itself, is free', async () => {
  await using store = await openStore(':memory:');
  const process = new Process(store);
  expect(await process.free()).toBe(0);
  await process.takeOver(0);
  expect(await process.free()).toBe(1);
});

test('P11: the run of another one is left its way for an hour, and its end is known at once', async () => {
  await using store = await openStore(':memory:');
  const [live, other] = [new Process(store), new Process(store)];
  await live.takeOver();
  const end = await other.run();
  for (let ms = 0; ms < 3_600_000; ms += 2000) {
    expect(await live.free()).toBeNull();
    await other.clock.advance(2000);
    await live.clock.advance(2000);
  }
  await end();
  expect(await live.free()).toBe(2);
});

test('P11: a process that died in the middle of a run, or before its first sign, is missed soon', async () => {
  await using store = await openStore(':memory:');
  const [live, other] = [new Process(store), new Process(store)];
  await live.takeOver();
  await live.signs.during('pair', live.own, async () => {});
  for (const aliveMs of [0, 60_000]) {
    await other.run();
    await other.clock.advance(aliveMs);
    let isOver = false;
    live.signs.freed('pair', live.own, new AbortController().signal).then(() => {
      isOver = true;
    });
    await settle();
    expect(isOver).toBe(false);
    for (let ms = 0; ms < MISSED_MS; ms += 1000) await live.clock.advance(1000);
    expect(isOver).toBe(true);
    await live.takeOver((await live.free())!);
  }
});

test('P11: who has lost a sync is not heard any more: neither ends its end what another one is at, nor is it waited for', async () => {
  await using store = await openStore(':memory:');
  const live = new Process(store);
  for (const isLast of [false, true]) {
    const [frozen, other] = [new Process(store), new Process(store)];
    const endOfFrozen = await frozen.run();
    const end = await other.run();
    await other.clock.advance(2000);
    await (isLast ? end() : endOfFrozen());
    if (!isLast) expect(await live.free()).toBeNull();
    await (isLast ? endOfFrozen() : end());
    expect(await live.free()).toBe(other.own.epoch);
  }
});

test('P11: one that begins between the look and the taking over keeps what it has begun', async () => {
  await using store = await openStore(':memory:');
  const [live, other] = [new Process(store), new Process(store)];
  await (await other.run())();
  const from = (await live.free())!;
  await other.run();
  await expect(live.takeOver(from)).rejects.toThrow('no longer');
  expect(await store.checkpoints.epoch('pair')).toBe(2);
  expect(await live.free()).toBeNull();
});
