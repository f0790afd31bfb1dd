import type { Store, Worker, WorkerSession } from '@tidemark/core';
import { afterEach, describe, expect, test, vi } from 'vitest';

const worker = (name: string, configured: Worker['configured'] = { a: '1', b: '1' }): Worker => ({
  name,
  version: '1.2.3',
  startedAtMs: 1_700_000_000_000,
  configured,
});

/** What every state store promises of workers that share it (P11). A store of one process promises that nothing stands in its way. */
export function describeWorkers(place: () => { open(): Promise<Store> }): void {
  describe('workers', () => {
    const opened: AsyncDisposable[] = [];
    afterEach(async () => {
      for (const each of opened.splice(0).reverse()) await each[Symbol.asyncDispose]();
    });

    async function join(...told: Parameters<typeof worker>): Promise<{ readonly session: WorkerSession; readonly store: Store }> {
      const store = await place().open();
      opened.push(store);
      const session = await store.workers.join(worker(...told));
      opened.push(session);
      return { session, store };
    }

    test('what a worker takes it has, as many as it asks for, in its order', async () => {
      const { session, store } = await join('one');
      expect(await session.take(['c', 'a', 'b'], 2)).toEqual(['c', 'a']);
      expect(await session.take(['b'], 5)).toEqual(['b']);
      expect(await session.take([], 5)).toEqual([]);
      expect(await session.take(['d'], 0)).toEqual([]);
      expect((await session.beat()).map(({ id, configured, isLate }) => ({ id, configured, isLate }))).toEqual([
        { id: session.id, configured: { a: '1', b: '1' }, isLate: false },
      ]);
      expect(session.lost.aborted).toBe(false);
      expect(await store.workers.check()).toEqual([]);
      await session.announce({ a: '1', c: '2' });
      expect((await session.beat()).map(({ configured }) => configured)).toEqual([{ a: '1', c: '2' }]);
      await session.give(['a', 'never had']);
      expect(await session.take(['a'], 1)).toEqual(['a']);
      await session.leave();
    });

    test('a unit has one owner: others get it once he gives it up, leaves, or is gone without a word', async ({ skip }) => {
      const [one, other] = [await join('one'), await join('other')];
      if (!one.store.workers.isShared) skip('this store is for one process');
      const units = ["it's", 'ü\u0000\ud800', 'live:crm:app'];
      expect(await one.session.take(units, 9)).toEqual(units);
      expect(await other.session.take(units, 9)).toEqual([]);
      await one.session.give([units[0]!]);
      expect(await other.session.take(units, 9)).toEqual([units[0]]);
      await one.session.leave();
      expect(one.session.lost.aborted).toBe(true);
      expect(await other.session.take(units, 9)).toEqual(units.slice(1));
      expect((await other.session.beat()).map(({ id }) => id)).toEqual([other.session.id]);
      await other.session[Symbol.asyncDispose]();
      const third = await join('third');
      // Whose process is gone without a word is counted in until he is missed.
      await vi.waitFor(async () => expect(await third.session.take([units[2]!], 1)).toEqual([units[2]]), {
        timeout: 20_000,
        interval: 100,
      });
    }, 30_000);

    test('who is not heard of loses all that he had, and is told so', async ({ skip }) => {
      const [frozen, other] = [await join('frozen'), await join('other')];
      if (!frozen.store.workers.isShared) skip('this store is for one process');
      expect(await frozen.session.take(['x', 'y'], 9)).toEqual(['x', 'y']);
      let isSeenLate = false;
      await vi.waitFor(
        async () => {
          const peer = (await other.session.beat()).find(({ id }) => id === frozen.session.id);
          isSeenLate ||= peer?.isLate === true;
          expect(await other.session.take(['x', 'y'], 9)).toEqual(['x', 'y']);
        },
        { timeout: 20_000, interval: 200 },
      );
      expect(isSeenLate).toBe(true);
      await vi.waitFor(() => expect(frozen.session.lost.aborted).toBe(true), { timeout: 5000 });
      await expect(frozen.session.beat()).rejects.toThrow();
      await expect(frozen.session.take(['z'], 1)).rejects.toThrow();
    }, 30_000);

    test('everybody knows who lives, with what configuration, and what is whose', async ({ skip }) => {
      const one = await join('one', { a: '1' });
      if (!one.store.workers.isShared) skip('this store is for one process');
      const other = await join('other', { a: '2' });
      const again = await join('again', { a: '1' });
      await one.session.take(['p', 'q'], 2);
      const peers = new Map((await other.session.beat()).map((peer) => [peer.id, peer]));
      const [first, second, third] = [one, other, again].map(({ session }) => peers.get(session.id)!);
      expect(first!.configured).toEqual({ a: '1' });
      expect(second!.configured).toEqual({ a: '2' });
      // A configuration is as old as the first worker that had it, whoever else comes with it later.
      expect(third!.configuredAtMs).toBe(first!.configuredAtMs);
      expect(second!.configuredAtMs).toBeGreaterThanOrEqual(first!.configuredAtMs);
      const told = await other.store.workers.workers();
      expect(told.find(({ id }) => id === one.session.id)).toEqual({
        ...{ id: one.session.id, name: 'one', version: '1.2.3', startedAtMs: 1_700_000_000_000 },
        owns: ['p', 'q'],
      });
      for (const { session } of [one, other, again]) await session.leave();
    });
  });
}
