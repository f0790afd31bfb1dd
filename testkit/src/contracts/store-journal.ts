import type { JournalEvent, Store } from '@tidemark/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

/** What every store promises of the journal: each event once, in the order in which they came, byte by byte. */
export function describeJournal(place: () => { store: Store; reopen(): Promise<Store> }): void {
  describe('journal', () => {
    let streams = 0;
    const newStream = () => `live:crm:app-${++streams}`;
    const journal = () => place().store.journal;
    const event = (n: number, more: Partial<JournalEvent> = {}): JournalEvent => ({
      replayId: `r${n}`,
      id: `e${n}`,
      schemaId: 's',
      dataset: 'Contact',
      transaction: `t${n}`,
      committedAtMs: 1_700_000_000_000 + n,
      receivedAtMs: 1_700_000_000_500 + n,
      format: 'avro',
      payload: Uint8Array.of(n % 256),
      ...more,
    });
    const all = async (stream: string, dataset = 'Contact') => {
      const kept = await journal().read({ stream, dataset, afterSeq: 0, limit: 100_000 });
      return kept.map(({ seq, payload, ...rest }) => ({ ...rest, payload: Uint8Array.from(payload) }));
    };

    test('an event is kept as it came, whatever its bytes and texts are, and another process reads it', async () => {
      const stream = newStream();
      const odd = event(1, {
        replayId: 'AAAAAAAXkCkAAA==',
        id: 'nul\0',
        schemaId: '\ud800',
        transaction: '',
        payload: Uint8Array.from({ length: 256 }, (_, i) => i),
      });
      const empty = event(2, { payload: new Uint8Array(0), committedAtMs: 0, format: 'json' });
      await journal().append(stream, [odd, empty]);
      await using other = await place().reopen();
      const kept = await other.journal.read({ stream, dataset: 'Contact', afterSeq: 0, limit: 10 });
      expect(kept.map(({ seq, payload, ...rest }) => ({ ...rest, payload: Uint8Array.from(payload) }))).toEqual([odd, empty]);
      expect(await journal().find(stream, 'AAAAAAAXkCkAAA==')).toBe(kept[0]!.seq);
      expect(await journal().find(stream, 'r9')).toBeNull();
      expect(await journal().find(newStream(), 'r2')).toBeNull();
    });

    test('what is delivered again is kept once, in the order of its first coming (P1)', () =>
      fc.assert(
        fc.asyncProperty(
          fc.array(fc.record({ back: fc.nat(5), count: fc.integer({ min: 1, max: 7 }) }), { maxLength: 8 }),
          async (deliveries) => {
            const stream = newStream();
            let next = 0;
            for (const { back, count } of deliveries) {
              // A stream goes on from where it was kept, and so repeats its latest events.
              const from = Math.max(0, next - back);
              next = Math.max(next, from + count);
              await journal().append(
                stream,
                Array.from({ length: count }, (_, i) => event(from + i)),
              );
            }
            expect((await all(stream)).map(({ id }) => id)).toEqual(Array.from({ length: next }, (_, n) => `e${n}`));
          },
        ),
        { numRuns: 15 },
      ));

    test('events that share a replay id are told apart by their own, and streams by their names', async () => {
      const [stream, other] = [newStream(), newStream()];
      await journal().append(stream, [event(1), event(2, { replayId: 'r1' })]);
      await journal().append(other, [event(1)]);
      expect(await all(stream)).toHaveLength(2);
      expect(await all(other)).toHaveLength(1);
    });

    test('is read page by page and by dataset; what could not be read at all comes with each', async () => {
      const stream = newStream();
      const datasets = ['Contact', 'Account', '', 'Contact', 'Contact', '', 'Account'];
      await journal().append(
        stream,
        datasets.map((dataset, n) => event(n, { dataset })),
      );
      const read: string[] = [];
      for (let afterSeq = 0; ; ) {
        const page = await journal().read({ stream, dataset: 'Contact', afterSeq, limit: 2 });
        if (page.length === 0) break;
        read.push(...page.map(({ id }) => id));
        afterSeq = page.at(-1)!.seq;
      }
      expect(read).toEqual(['e0', 'e2', 'e3', 'e4', 'e5']);
      expect((await all(stream, 'Account')).map(({ id }) => id)).toEqual(['e1', 'e2', 'e5', 'e6']);
      expect(await journal().lastSeq()).toBeGreaterThanOrEqual(7);
    });

    test('the newest word on a schema counts', async () => {
      const stream = newStream();
      await journal().putSchema(stream, 'a', '{"v":1}');
      await journal().putSchema(stream, 'b', 'nul\0');
      await journal().putSchema(stream, 'a', '{"v":2}');
      expect([...(await journal().schemas(stream))].sort()).toEqual([
        ['a', '{"v":2}'],
        ['b', 'nul\0'],
      ]);
      expect((await journal().schemas(newStream())).size).toBe(0);
    });

    test('goes by time, the oldest first, some at a time, and of one dataset only', async () => {
      const stream = newStream();
      await journal().append(
        stream,
        [1, 2, 3, 4, 5, 6].map((n) => event(n, { receivedAtMs: n * 1000, dataset: n === 2 ? 'Account' : 'Contact' })),
      );
      const trim = (receivedBeforeMs: number) => journal().trim({ stream, dataset: 'Contact', receivedBeforeMs, limit: 2 });
      expect(await trim(1000)).toBe(0);
      expect(await trim(5000)).toBe(2);
      expect(await trim(5000)).toBe(1);
      expect(await trim(5000)).toBe(0);
      expect((await all(stream)).map(({ id }) => id)).toEqual(['e5', 'e6']);
      expect((await all(stream, 'Account')).map(({ id }) => id)).toEqual(['e2']);
    });

    test('tells what it holds, and of which stretch', async () => {
      const stream = newStream();
      const mine = async () => (await journal().stats()).filter((each) => each.stream === stream);
      const head = { stream, dataset: 'Contact', stretch: 'a', sinceSeq: 3, retentionMs: 604_800_000 };
      await journal().putHead(head);
      expect(await mine()).toEqual([{ ...head, events: 0, bytes: 0, firstAtMs: null, lastAtMs: null }]);
      await journal().append(stream, [event(1, { payload: new Uint8Array(5) }), event(2), event(3, { dataset: 'Account' })]);
      await journal().putHead({ ...head, stretch: 'b' });
      expect(await mine()).toEqual([
        { ...head, stretch: 'b', events: 2, bytes: 6, firstAtMs: 1_700_000_000_001, lastAtMs: 1_700_000_000_002 },
      ]);
      expect((await journal().heads()).filter((each) => each.stream === stream)).toEqual([{ ...head, stretch: 'b' }]);
    });
  });
}
