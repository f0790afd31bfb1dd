import type { NewOrg, Store } from '@tidemark/core';
import { describe, expect, test } from 'vitest';

/** What every state store promises of the orgs that a connection stands for, and of what lets us into them (P10, P11). */
export function describeOrgs(place: () => { store: Store; newSync(): string }): void {
  let made = 0;
  const anOrg = (connection: string, name: string, more: Partial<NewOrg> = {}): NewOrg => ({
    connection,
    name,
    orgId: `00D${String(++made).padStart(15, '0')}`,
    url: 'https://acme.my.salesforce.com',
    loginUrl: null,
    sealed: 'c2VhbGVk',
    keyId: '1a2b3c4d',
    createdAtMs: 1_000,
    ...more,
  });

  describe('orgs', () => {
    test('one that is connected again keeps what is set for it, and is let in with what was given last', async () => {
      const { store, newSync } = place();
      const connection = newSync();
      const org = anOrg(connection, 'acme');
      expect(await store.orgs.put(org)).toEqual({ clash: null });
      await store.orgs.change(connection, 'acme', { overrides: '{"every":"5m"}', state: 'revoked', reason: 'gone' }, 2_000);
      expect(await store.orgs.put({ ...org, sealed: 'bmV3', createdAtMs: 3_000 })).toEqual({ clash: null });
      expect(await store.orgs.list(connection)).toEqual([
        {
          ...{ connection, name: 'acme', orgId: org.orgId, url: org.url, loginUrl: null, keyId: '1a2b3c4d' },
          ...{ state: 'active', reason: null, overrides: '{"every":"5m"}', createdAtMs: 1_000, updatedAtMs: 3_000 },
        },
      ]);
      expect(await store.orgs.credential(connection, 'acme')).toEqual({ sealed: 'bmV3', keyId: '1a2b3c4d', version: 2 });
      expect(await store.orgs.list(newSync())).toEqual([]);
    });

    test('a name stands for one org, and an org has one name in its connection', async () => {
      const { store, newSync } = place();
      const connection = newSync();
      const org = anOrg(connection, 'acme');
      await store.orgs.put(org);
      expect(await store.orgs.put(anOrg(connection, 'acme'))).toEqual({ clash: { name: 'acme', orgId: org.orgId } });
      expect(await store.orgs.put({ ...org, name: 'globex' })).toEqual({ clash: { name: 'acme', orgId: org.orgId } });
      expect((await store.orgs.list(connection)).map(({ name }) => name)).toEqual(['acme']);
      expect(await store.orgs.put({ ...org, connection: newSync() })).toEqual({ clash: null });
      expect(await store.orgs.remove(connection, 'acme')).toBe(true);
      expect(await store.orgs.remove(connection, 'acme')).toBe(false);
      expect(await store.orgs.change(connection, 'acme', { state: 'paused' }, 0)).toBe(false);
      expect(await store.orgs.put({ ...org, name: 'globex' })).toEqual({ clash: null });
    });

    // Two that spend one refresh token: the second is told that it is stolen, and the org is lost.
    test('of several that want to spend a credential at once one does, and another only when it is given back or too old', async () => {
      const { store, newSync } = place();
      const connection = newSync();
      await store.orgs.put(anOrg(connection, 'acme'));
      const take = (holder: string, nowMs: number) =>
        store.orgs.takeCredential(connection, 'acme', holder, nowMs, nowMs + 60_000);
      const took = await Promise.all(Array.from({ length: 12 }, (_, i) => take(`worker ${i}`, 1_000)));
      expect(took.filter(Boolean)).toHaveLength(1);
      const holder = `worker ${took.indexOf(true)}`;
      await store.orgs.giveCredentialBack(connection, 'acme', 'somebody else');
      expect(await take('other', 60_999)).toBe(false);
      expect(await take('other', 61_000)).toBe(true);
      await store.orgs.giveCredentialBack(connection, 'acme', holder);
      expect(await take('third', 62_000)).toBe(false);
      await store.orgs.giveCredentialBack(connection, 'acme', 'other');
      expect(await take('third', 62_000)).toBe(true);
    });

    test('a credential is replaced once for each version', async () => {
      const { store, newSync } = place();
      const connection = newSync();
      await store.orgs.put(anOrg(connection, 'acme'));
      const replace = (sealed: string) => store.orgs.replaceCredential(connection, 'acme', 1, { sealed, keyId: 'ffff0000' });
      const done = await Promise.all(['YQ', 'Yg', 'Yw'].map(replace));
      expect(done.filter(Boolean)).toHaveLength(1);
      const kept = await store.orgs.credential(connection, 'acme');
      expect(kept).toEqual({ sealed: ['YQ', 'Yg', 'Yw'][done.indexOf(true)], keyId: 'ffff0000', version: 2 });
      expect(await store.orgs.credential(connection, 'globex')).toBeNull();
    });

    test('a sign-in ends once, and not after it has expired', async () => {
      const { store, newSync } = place();
      const connection = newSync();
      const begun = (digest: string, expiresAtMs: number) => ({ digest, connection, org: 'acme', sealed: 'YQ', expiresAtMs });
      await store.orgs.putSignIn(begun(`${connection} one`, 5_000), 1_000);
      await store.orgs.putSignIn(begun(`${connection} two`, 2_000), 1_000);
      const taken = await Promise.all([1, 2, 3].map(() => store.orgs.takeSignIn(`${connection} one`, 4_999)));
      expect(taken.filter((each) => each !== null)).toEqual([begun(`${connection} one`, 5_000)]);
      expect(await store.orgs.takeSignIn(`${connection} two`, 2_000)).toBeNull();
      expect(await store.orgs.takeSignIn(`${connection} two`, 1_000)).toBeNull();
    });
  });
}
