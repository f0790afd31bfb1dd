import type { AccessToken, Store } from '@tidemark/core';
import { describe, expect, test } from 'vitest';

/** What every state store promises of tokens, and of what was asked for with them (P10). */
export function describeAccess(place: () => { store: Store; newSync(): string }): void {
  const aToken = (id: string, more: Partial<AccessToken> = {}): AccessToken => ({
    ...{ id, name: `Zoë's "token" \u0000`, role: 'operate', digest: 'a'.repeat(64), createdAtMs: 1_000, usedAtMs: null },
    ...more,
  });

  describe('access', () => {
    test('a token is kept as it was given, until it is taken back', async () => {
      const { store, newSync } = place();
      const [first, second] = [`1${newSync()}`, `2${newSync()}`];
      await store.access.putToken(aToken(second, { createdAtMs: 2_000 }));
      await store.access.putToken(aToken(first));
      expect(await store.access.token(first)).toEqual(aToken(first));
      await store.access.usedToken(first, 3_000);
      const own = (await store.access.tokens()).filter(({ id }) => id === first || id === second);
      expect(own).toEqual([aToken(first, { usedAtMs: 3_000 }), aToken(second, { createdAtMs: 2_000 })]);
      expect(await store.access.removeToken(first)).toBe(true);
      expect(await store.access.removeToken(first)).toBe(false);
      expect(await store.access.token(first)).toBeNull();
      expect(await store.access.token(`\u0000${second}`)).toBeNull();
    });

    test('an id is given to one token only', async () => {
      const { store, newSync } = place();
      const id = newSync();
      await store.access.putToken(aToken(id));
      await expect(store.access.putToken(aToken(id, { role: 'admin' }))).rejects.toThrow();
      expect((await store.access.token(id))?.role).toBe('operate');
    });

    test('what was asked for is told newest first, and forgotten when it is too old', async () => {
      const { store, newSync } = place();
      const who = newSync();
      const entry = (atMs: number) => ({ atMs, who, what: 'POST /api/v1/syncs/\u0000/runs', status: 202, from: '::1' });
      for (const atMs of [10, 20, 30]) await store.access.record(entry(atMs), 0);
      await store.access.record(entry(40), 20);
      const own = (await store.access.audit({ limit: 100 })).filter((each) => each.who === who);
      expect(own.map(({ id: _, ...each }) => each)).toEqual([entry(40), entry(30), entry(20)]);
      expect(await store.access.audit({ limit: 1 })).toHaveLength(1);
    });
  });
}
