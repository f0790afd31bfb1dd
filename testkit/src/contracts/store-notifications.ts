import type { Store } from '@tidemark/core';
import { describe, expect, test } from 'vitest';

interface Place {
  readonly store: Store;
  newSync(): string;
  reopen(): Promise<Store>;
}

/** What every state store promises of what is told to people: each trouble once, whoever sees it and however often. */
export function describeNotifications(place: () => Place): void {
  const told = (receivers: readonly string[], body = '{}', atMs = 1_000) => ({ receivers, body, atMs });
  const named = (subject: string) => ({ kind: 'run_failed', subject });

  describe('notifications', () => {
    test('of all who see a trouble at the same time one opens it, and each receiver is told once', async () => {
      const { store, newSync, reopen } = place();
      await using other = await reopen();
      const [subject, one, two] = [`${newSync()}\0`, newSync(), newSync()];
      const opened = await Promise.all(
        Array.from({ length: 10 }, (_, i) =>
          (i % 2 === 0 ? store : other).notifications.open({ ...named(subject), sinceMs: 7 }, told([one, two], `by ${i}`)),
        ),
      );
      expect(opened.filter((first) => first)).toHaveLength(1);
      const waiting = await other.notifications.waiting();
      expect([waiting.get(one), waiting.get(two)]).toEqual([1, 1]);
      const own = (await other.notifications.troubles()).filter((trouble) => trouble.subject === subject);
      expect(own).toEqual([{ ...named(subject), sinceMs: 7, clearSinceMs: null }]);
    });

    test('a trouble ends once, and not when it was seen again meanwhile', async () => {
      const { store, newSync, reopen } = place();
      await using other = await reopen();
      const [subject, receiver] = [newSync(), newSync()];
      const now = async () => (await store.notifications.troubles()).find((trouble) => trouble.subject === subject);
      await store.notifications.open({ ...named(subject), sinceMs: 7 }, told([]));
      await store.notifications.setClear(named(subject), 20);
      await other.notifications.setClear(named(subject), 30);
      const clear = (await now())!;
      expect(clear.clearSinceMs).toBe(20);
      await other.notifications.setClear(named(subject), null);
      expect(await store.notifications.close(clear, told([receiver]))).toBe(false);
      await store.notifications.setClear(named(subject), 40);
      const again = (await now())!;
      const closed = await Promise.all([store, other].map(({ notifications }) => notifications.close(again, told([receiver]))));
      expect(closed.sort()).toEqual([false, true]);
      expect(await now()).toBeUndefined();
      expect((await store.notifications.waiting()).get(receiver)).toBe(1);
      // It may come again.
      expect(await store.notifications.open({ ...named(subject), sinceMs: 50 }, told([]))).toBe(true);
    });

    test('a receiver is told in order, by one at a time, and again what was not told', async () => {
      const { store, newSync, reopen } = place();
      await using other = await reopen();
      const receiver = newSync();
      expect(await store.notifications.takeTurn(receiver, 0, 10)).toBeNull();
      for (const body of ['first', 'second\0']) {
        await store.notifications.open({ ...named(newSync()), sinceMs: 0 }, told([receiver], body));
      }
      const bodies = (turn: Awaited<ReturnType<typeof store.notifications.takeTurn>>) =>
        turn?.notifications.map(({ body }) => body);
      const turns = await Promise.all([store, other].map(({ notifications }) => notifications.takeTurn(receiver, 100, 200)));
      const turn = turns.find((each) => each !== null)!;
      expect(turns.filter((each) => each !== null)).toHaveLength(1);
      expect(turn.attempt).toBe(1);
      expect(bodies(turn)).toEqual(['first', 'second\0']);
      // Whoever had it is gone without a word.
      expect(await other.notifications.takeTurn(receiver, 199, 300)).toBeNull();
      expect(await other.notifications.takeTurn(receiver, 200, 300)).toMatchObject({ attempt: 2 });
      await other.notifications.postpone(receiver, 250);
      const again = (await store.notifications.takeTurn(receiver, 250, 300))!;
      expect(again.attempt).toBe(3);
      await store.notifications.told(receiver, [again.notifications[0]!.id]);
      const rest = await other.notifications.takeTurn(receiver, 251, 300);
      expect([rest?.attempt, bodies(rest)]).toEqual([1, ['second\0']]);
      await other.notifications.told(
        receiver,
        rest!.notifications.map(({ id }) => id),
      );
      expect(await store.notifications.takeTurn(receiver, 400, 500)).toBeNull();
    });

    test('one turn holds no more than somebody reads, and what waits for too long is given up', async () => {
      const { store, newSync } = place();
      const receiver = newSync();
      for (let i = 0; i < 103; i++) {
        await store.notifications.open({ ...named(newSync()), sinceMs: 0 }, told([receiver], String(i), i));
      }
      expect((await store.notifications.takeTurn(receiver, 0, 1))!.notifications).toHaveLength(100);
      expect((await store.notifications.giveUp(50)).get(receiver)).toBe(50);
      expect((await store.notifications.takeTurn(receiver, 1, 2))!.notifications[0]).toMatchObject({ body: '50' });
    });
  });
}
