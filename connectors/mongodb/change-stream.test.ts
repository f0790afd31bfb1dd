import { type ConnectorContext, type Delivery, type StreamSpec, seededRandom } from '@tidemark/core';
import { type Db, MongoNetworkError, MongoServerError } from 'mongodb';
import { expect, test } from 'vitest';
import { MongodbStream } from './change-stream.ts';
import { encodeToken } from './stream-event.ts';

// The oplog as a list, and cursors over it that break: nothing is skipped, and nothing comes that was not granted.            (P1, P5)

const insert = (key: string) => ({ operationType: 'insert', ns: { db: 'app', coll: 'contacts' }, documentKey: { _id: key } });

class Oplog {
  readonly entries: object[] = [];
  /** What the next looks throw; null: nothing. */
  readonly faults: (Error | null)[] = [];
  /** What each cursor was opened with. */
  readonly opened: (number | null)[] = [];
  now = 0;

  readonly db = {
    databaseName: 'app',
    watch: (_: object[], { resumeAfter }: { resumeAfter?: { at: number } }) => {
      this.opened.push(resumeAfter?.at ?? null);
      let at = resumeAfter?.at ?? this.entries.length;
      return {
        tryNext: async () => {
          const fault = this.faults.shift();
          if (fault != null) throw fault;
          if (at === this.entries.length) return null;
          at++;
          return { _id: { at }, ...this.entries[at - 1] };
        },
        get resumeToken() {
          return { at };
        },
        close: async () => {},
      };
    },
  } as unknown as Db;

  open(spec: Partial<StreamSpec> = {}): MongodbStream {
    const clock = { now: () => (this.now += 1000), sleep: async () => {} };
    const context = { clock, random: seededRandom(1) } as unknown as ConnectorContext;
    return new MongodbStream(this.db, { channel: null, datasets: ['contacts'], position: null, ...spec }, context);
  }
}

const keysOf = ({ events }: Delivery) => events.flatMap(({ keys }) => keys);

/** Deliveries until `enough`, each answered by `grant`. */
async function take(stream: MongodbStream, enough: (all: readonly Delivery[]) => boolean, onEach = (_: Delivery) => {}) {
  const stop = new AbortController();
  const all: Delivery[] = [];
  for await (const delivery of stream.deliveries(stop.signal)) {
    all.push(delivery);
    onEach(delivery);
    if (enough(all)) break;
  }
  stop.abort();
  return all;
}

test('the first delivery tells a position at once, from which everything later is told', async () => {
  const oplog = new Oplog();
  oplog.entries.push(insert('before'));
  const stream = oplog.open();
  stream.grant(10);
  const all = await take(
    stream,
    (so) => so.flatMap(keysOf).length === 2,
    ({ events }) => {
      if (events.length === 0) oplog.entries.push(insert('a'), insert('b'));
    },
  );
  expect(all[0]).toMatchObject({ events: [], position: encodeToken({ at: 1 }), caughtUp: true, reset: false });
  expect(all.flatMap(keysOf)).toEqual(['a', 'b']);
  const again = oplog.open({ position: all.at(-1)!.events[0]!.position });
  again.grant(10);
  expect((await take(again, (so) => so.flatMap(keysOf).length > 0)).flatMap(keysOf)).toEqual(['b']);
});

test('no more comes than was granted', async () => {
  const oplog = new Oplog();
  const stream = oplog.open({ position: encodeToken({ at: 0 }) });
  oplog.entries.push(...Array.from({ length: 7 }, (_, i) => insert(`k${i}`)));
  stream.grant(3);
  const sizes: number[] = [];
  const all = await take(
    stream,
    (so) => so.flatMap(keysOf).length === 7,
    ({ events }) => {
      sizes.push(events.length);
      // As a consumer gives room for what it took.
      setImmediate(() => stream.grant(events.length));
    },
  );
  expect(Math.max(...sizes)).toBe(3);
  expect(all.flatMap(keysOf)).toEqual(oplog.entries.map((_, i) => `k${i}`));
});

test('a cursor that breaks is opened anew behind the last event, and says so', async () => {
  const oplog = new Oplog();
  const stream = oplog.open({ position: encodeToken({ at: 0 }) });
  stream.grant(100);
  oplog.entries.push(insert('a'));
  let isFirst = true;
  const all = await take(
    stream,
    (so) => so.flatMap(keysOf).length === 2,
    () => {
      if (!isFirst) return;
      isFirst = false;
      oplog.faults.push(new MongoNetworkError('closed'), new MongoServerError({ message: 'stepped down', code: 189 }));
      oplog.entries.push(insert('b'));
    },
  );
  expect(all.flatMap(keysOf)).toEqual(['a', 'b']);
  expect(oplog.opened).toEqual([0, 1, 1]);
  expect(all.map(({ reset }) => reset)).toEqual([false, true]);
  expect(stream.state()).toMatchObject({ connected: true, reconnects: 2, reason: null });
});

test('what a cursor had read when it broke comes again, and what was granted for it still counts (P5)', async () => {
  const oplog = new Oplog();
  const stream = oplog.open({ position: encodeToken({ at: 0 }) });
  stream.grant(2);
  oplog.entries.push(insert('a'), insert('b'));
  oplog.faults.push(null, new MongoNetworkError('closed'));
  const all = await take(stream, (so) => so.flatMap(keysOf).length === 2);
  expect(all.flatMap(keysOf)).toEqual(['a', 'b']);
});

test('where a delivery ends for want of credit, or because it is full, more may be there; that there is none is said at once (P6)', async () => {
  const oplog = new Oplog();
  const stream = oplog.open({ position: encodeToken({ at: 0 }) });
  oplog.entries.push(...Array.from({ length: 103 }, (_, i) => insert(`k${i}`)));
  stream.grant(2);
  const all = await take(
    stream,
    (so) => so.at(-1)!.caughtUp,
    () => void setImmediate(() => stream.grant(150)),
  );
  expect(all.map(({ events, caughtUp }) => [events.length, caughtUp])).toEqual([
    [2, false],
    [100, false],
    [1, true],
  ]);
  oplog.entries.push(...Array.from({ length: 100 }, (_, i) => insert(`m${i}`)));
  const full = oplog.open({ position: all.at(-1)!.position });
  full.grant(1000);
  const atMs: number[] = [];
  const told = await take(
    full,
    (so) => so.at(-1)!.caughtUp,
    () => void atMs.push(oplog.now),
  );
  expect(told.map(({ events, caughtUp }) => [events.length, caughtUp])).toEqual([
    [100, false],
    [0, true],
  ]);
  expect(atMs[1]! - atMs[0]!).toBeLessThan(10_000);
});

test('a history that is lost is a hole for the engine to heal, and is not waited for', async () => {
  const oplog = new Oplog();
  const stream = oplog.open({ position: encodeToken({ at: 0 }) });
  stream.grant(1);
  oplog.faults.push(new MongoServerError({ message: 'resume point may no longer be in the oplog', code: 286 }));
  await expect(take(stream, () => true)).rejects.toMatchObject({ code: 'checkpoint_expired' });
});

test('a quiet stream tells its position now and then, so that it does not fall off the end of the oplog', async () => {
  const oplog = new Oplog();
  const stream = oplog.open();
  stream.grant(1);
  const all = await take(stream, (so) => so.length === 3);
  expect(all.map(({ events, position }) => [events.length, position])).toEqual(Array(3).fill([0, encodeToken({ at: 0 })]));
  expect(oplog.now).toBeGreaterThanOrEqual(20_000);
});
