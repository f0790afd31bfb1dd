import { type Change, type DatasetSchema, newRow, type Post, type Row } from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import { openSource, type Place, readAll } from './fixture.ts';

const schema: DatasetSchema = { name: 'hook:s', key: ['id'], fields: [{ name: 'id', type: 'text', nullable: false }] };
const spec = { name: 'hook:s', schema };
const never = new AbortController().signal;

const change = (id: string): Change => ({ op: 'upsert', key: id, row: Object.assign<Row, Row>(newRow(), { id }), stampMs: 0 });
const post = (ids: readonly string[], tokens: readonly string[] = []): Post => ({
  tokens,
  digest: ids.join(),
  changes: ids.map(change),
});

/** What is handed over is kept once, read in order, and told of. */
export function describeInbox(name: string, create: () => Promise<Place>): void {
  describe(`an inbox in ${name}`, () => {
    test('keeps a post for whoever opens it next, and is read in the order of posts (P1)', async () => {
      await using place = await create();
      const inbox = await place.connect().openInbox!(spec);
      await inbox.take(post(['a', 'b']));
      const { receipt } = await (await place.connect().openInbox!(spec)).take(post(['c']));
      expect(receipt).toMatchObject({ keys: ['c'], digest: 'c', outcomes: null });
      const source = await openSource(place.connect(), { queue: 'hook:s' });
      const { changes } = await readAll(source, (await source.mark(never))!);
      expect(changes.map(({ key }) => key)).toEqual(['a', 'b', 'c']);
      expect(await inbox.receipt(receipt.id)).toEqual(receipt);
      expect(await inbox.receipt('none')).toBeNull();
    });

    test('one token is one post, however many come with it at once', async () => {
      await using place = await create();
      const inboxes = await Promise.all([1, 2].map(() => place.connect().openInbox!(spec)));
      const taken = await Promise.all(
        Array.from({ length: 10 }, (_, i) => inboxes[i % 2]!.take(post([`${i}`], i < 8 ? ['t', `own${i}`] : []))),
      );
      expect(taken.filter(({ isNew }) => isNew)).toHaveLength(3);
      expect(new Set(taken.slice(0, 8).map(({ receipt }) => receipt.id)).size).toBe(1);
      const source = await openSource(place.connect(), { queue: 'hook:s' });
      expect((await readAll(source, (await source.mark(never))!)).changes).toHaveLength(3);
    });

    test('tells which posts are read whole, and of which one a part is', async () => {
      await using place = await create();
      const inbox = await place.connect().openInbox!(spec);
      const ids: string[] = [];
      for (const keys of [['a'], ['b', 'c'], ['d']]) ids.push((await inbox.take(post(keys))).receipt.id);
      const source = await openSource(place.connect(), { queue: 'hook:s' });
      const start = (await source.mark(never))!;
      const at = (seq: number) => JSON.stringify({ ...JSON.parse(start), seq });
      const read = async (seq: number) => {
        const { receipts, isInside } = await inbox.read(at(seq));
        return [receipts.map(({ id }) => ids.indexOf(id)), isInside];
      };
      expect([await read(0), await read(1), await read(2), await read(3)]).toEqual([
        [[], false],
        [[0], false],
        [[0], true],
        [[0, 1], false],
      ]);
      await inbox.settle(new Map([[ids[0]!, [{ status: 'created', id: 'x' }]]]));
      expect(await read(3)).toEqual([[1], false]);
      expect(await inbox.receipt(ids[0]!)).toMatchObject({ outcomes: [{ status: 'created', id: 'x' }] });
    });

    test('forgets receipts and tokens that are old, and none of a post that waits', async () => {
      let now = Date.UTC(2026, 0, 1);
      await using place = await create();
      const inbox = await place.connect({ now: () => now }).openInbox!(spec);
      const { receipt: settled } = await inbox.take(post(['a'], ['t']));
      const { receipt: waits } = await inbox.take(post(['b']));
      await inbox.settle(new Map([[settled.id, [{ status: 'created' }]]]));
      now += 8 * 24 * 3_600_000;
      await inbox.take(post(['c']));
      expect(await inbox.receipt(settled.id)).toBeNull();
      expect(await inbox.receipt(waits.id)).not.toBeNull();
      expect((await inbox.take(post(['a'], ['t']))).isNew).toBe(true);
    });
  });
}
