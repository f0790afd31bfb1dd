import { expect, test } from 'vitest';
import { seededRandom } from '../base/random.ts';
import type { Delivery, EventStream, StreamEvent } from '../model/stream.ts';
import { openStore } from '../store/open-store.ts';
import { type FollowPairing, followPairing } from './follow-pairing.ts';
import { ParkedClock, settle } from './live-fixture.ts';

const event = { op: 'update', dataset: 'Account', keys: ['1'], position: '1' } as unknown as StreamEvent;
const delivery = (more: Partial<Delivery>): Delivery => ({ events: [], position: '1', caughtUp: true, reset: false, ...more });

test('P1: what was committed before a side listened, and while it was only taken to, is read; from then on its events tell', async () => {
  await using store = await openStore(':memory:');
  const stop = new AbortController();
  const done: string[] = [];
  const waiting: ((next: Delivery) => void)[] = [];
  const stream: EventStream = {
    origin: 'org',
    grant() {},
    async *deliveries() {
      while (!stop.signal.aborted) yield await new Promise<Delivery>((resolve) => waiting.push(resolve));
    },
    async [Symbol.asyncDispose]() {},
  };
  const tell = async (next: Delivery) => {
    waiting.shift()!(next);
    await settle();
    return done.splice(0);
  };
  const pairing = { left: { source: { streamDataset: 'Account' } }, right: { source: {} } };
  const following = followPairing({
    config: { name: 'pair', left: { connection: 'org' }, right: { connection: 'app' } },
    store,
    clock: new ParkedClock(),
    random: seededRandom(1),
    log: { debug() {}, info() {}, warn() {}, error() {} },
    stop: stop.signal,
    signal: stop.signal,
    connection: () => ({ openStream: async () => stream }),
    inTurn: (work: (opened: unknown) => Promise<unknown>) => work(pairing),
    touch: async (side: string, keys: readonly string[]) => void done.push(`touch ${side} ${keys.join()}`),
    run: async ({ full }: { full: boolean }) => void done.push(full ? 'full' : 'delta'),
  } as unknown as FollowPairing);
  await settle();
  expect(await tell(delivery({ position: 'unheard', assumed: true }))).toEqual(['delta']);
  expect(await tell(delivery({ events: [event] }))).toEqual(['delta', 'touch left 1']);
  expect(await tell(delivery({ events: [event] }))).toEqual(['touch left 1']);
  stop.abort();
  waiting.shift()!(delivery({}));
  await following;
});
