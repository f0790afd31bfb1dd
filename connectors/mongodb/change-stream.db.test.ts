import type { Delivery, StreamEvent, StreamSpec } from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import { createSourceFixture, isFerret, mongodb } from './fixture.ts';

// Only a real server has change streams: TIDEMARK_TEST_MONGODB_URL names one. What needs none is in stream-event.test.ts.   (P1, P5)

const why = mongodb.missing ?? (isFerret ? 'FerretDB has no change streams' : null);

describe.skipIf(why !== null)(`change streams${why === null ? '' : `: ${why}`}`, () => {
  type Fixture = Awaited<ReturnType<typeof createSourceFixture>>;

  /** Listens until `enough` of what came. */
  async function listen(
    fixture: Fixture,
    spec: Partial<StreamSpec>,
    work: (delivery: Delivery) => Promise<void>,
    enough: (events: readonly StreamEvent[]) => boolean,
  ): Promise<{ events: StreamEvent[]; position: string }> {
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(30_000)]);
    await using stream = await fixture.stream({ channel: null, datasets: ['contacts'], position: null, ...spec }, signal);
    stream.grant(1000);
    const events: StreamEvent[] = [];
    for await (const delivery of stream.deliveries(signal)) {
      events.push(...delivery.events);
      if (enough(events)) {
        stop.abort();
        return { events, position: delivery.position };
      }
      await work(delivery);
    }
    throw new Error(`only ${events.length} events came`);
  }

  test('changes are told by key, and go on behind the position that was kept', async () => {
    await using fixture = await createSourceFixture();
    const insert = (...ids: string[]) => fixture.documents.insertMany(ids.map((_id) => ({ _id: _id as never, Name: _id })));
    await insert('before');
    let isFirst = true;
    const first = await listen(
      fixture,
      {},
      async () => {
        if (!isFirst) return;
        isFirst = false;
        await insert('a', 'b');
        await fixture.documents.updateOne({ _id: 'a' as never }, { $set: { Name: 'A' } });
        await fixture.documents.deleteOne({ _id: 'b' as never });
      },
      (events) => events.some(({ op }) => op === 'delete'),
    );
    expect(first.events.map(({ op, keys }) => `${op} ${keys}`)).toEqual(['gap a', 'gap b', 'gap a', 'delete b']);
    await insert('c');
    const second = await listen(
      fixture,
      { position: first.position },
      async () => {},
      (events) => events.length > 0,
    );
    expect(second.events.map(({ op, keys }) => `${op} ${keys}`)).toEqual(['gap c']);
    // An event in the middle is a place to go on from as well.
    const third = await listen(
      fixture,
      { position: first.events[1]!.position },
      async () => {},
      (events) => events.length > 2,
    );
    expect(third.events.map(({ op, keys }) => `${op} ${keys}`)).toEqual(['gap a', 'delete b', 'gap c']);
  });

  test('a collection that is dropped is read whole, and its stream goes on', async () => {
    await using fixture = await createSourceFixture();
    await fixture.put([{ id: 'a', name: 'x', stampMs: 1 }]);
    let isFirst = true;
    const { events } = await listen(
      fixture,
      {},
      async () => {
        if (!isFirst) return;
        isFirst = false;
        await fixture.documents.drop();
        await fixture.put([{ id: 'b', name: 'y', stampMs: 2 }]);
      },
      (all) => all.some(({ op }) => op === 'gap'),
    );
    expect(events.map(({ op }) => op)).toEqual(['overflow', 'gap']);
  });

  test('a position that is none of its own is a hole', async () => {
    await using fixture = await createSourceFixture();
    const position = 'pubsub:AAAA';
    await expect(
      listen(
        fixture,
        { position },
        async () => {},
        () => true,
      ),
    ).rejects.toMatchObject({ code: 'checkpoint_expired' });
  });
});
