import type { Selectable } from 'kysely';
import type { OrgState, OrgStore, StoredOrg } from './org-store.ts';
import { fromStored, toStored } from './stored-text.ts';
import type { Database, Tables } from './tables.ts';

export function sqlOrgs({ db }: Database): OrgStore {
  const rowOf = (connection: string, name: string) => ({ connection: toStored(connection), name: toStored(name) });
  const found = async (connection: string, name: string) => {
    const at = rowOf(connection, name);
    return db
      .selectFrom('orgs')
      .selectAll()
      .where('connection', '=', at.connection)
      .where('name', '=', at.name)
      .executeTakeFirst();
  };
  return {
    async list(connection) {
      const all = db.selectFrom('orgs').selectAll().orderBy('connection').orderBy('name');
      const rows = await (connection === undefined ? all : all.where('connection', '=', toStored(connection))).execute();
      return rows.map(orgOf);
    },
    async put({ connection, name, orgId, url, loginUrl, keyId, sealed, createdAtMs }) {
      const values = {
        url: toStored(url),
        login_url: loginUrl === null ? null : toStored(loginUrl),
        state: 'active',
        reason: null,
        key_id: keyId,
        sealed,
        updated_at_ms: createdAtMs,
      };
      return db.transaction().execute(async (transaction) => {
        const made = await transaction
          .insertInto('orgs')
          .values({
            ...rowOf(connection, name),
            org_id: orgId,
            ...values,
            overrides: '{}',
            version: 1,
            created_at_ms: createdAtMs,
          })
          // Whichever of the two is taken already: the name, or the org.
          .onConflict((conflict) => conflict.doNothing())
          .executeTakeFirst();
        if (made.numInsertedOrUpdatedRows === 1n) return { clash: null };
        const taken = await transaction
          .selectFrom('orgs')
          .select(['name', 'org_id'])
          .where('connection', '=', toStored(connection))
          .where((eb) => eb.or([eb('name', '=', toStored(name)), eb('org_id', '=', orgId)]))
          .execute();
        const other = taken.find((row) => row.name !== toStored(name) || row.org_id !== orgId);
        if (other !== undefined) return { clash: { name: fromStored(other.name), orgId: other.org_id } };
        await transaction
          .updateTable('orgs')
          .set((eb) => ({ ...values, version: eb('version', '+', 1), holder: null, held_until_ms: null }))
          .where('connection', '=', toStored(connection))
          .where('name', '=', toStored(name))
          .execute();
        return { clash: null };
      });
    },
    async change(connection, name, { state, reason, overrides }, atMs) {
      const at = rowOf(connection, name);
      const { numUpdatedRows } = await db
        .updateTable('orgs')
        .set({
          updated_at_ms: atMs,
          ...(state !== undefined && { state }),
          ...(reason !== undefined && { reason: reason === null ? null : toStored(reason) }),
          ...(overrides !== undefined && { overrides: toStored(overrides) }),
        })
        .where('connection', '=', at.connection)
        .where('name', '=', at.name)
        .executeTakeFirstOrThrow();
      return numUpdatedRows > 0n;
    },
    async remove(connection, name) {
      const at = rowOf(connection, name);
      const { numDeletedRows } = await db
        .deleteFrom('orgs')
        .where('connection', '=', at.connection)
        .where('name', '=', at.name)
        .executeTakeFirstOrThrow();
      return numDeletedRows > 0n;
    },

    async credential(connection, name) {
      const row = await found(connection, name);
      return row === undefined ? null : { sealed: row.sealed, keyId: row.key_id, version: row.version };
    },
    async replaceCredential(connection, name, version, { sealed, keyId }) {
      const at = rowOf(connection, name);
      const { numUpdatedRows } = await db
        .updateTable('orgs')
        .set({ sealed, key_id: keyId, version: version + 1 })
        .where('connection', '=', at.connection)
        .where('name', '=', at.name)
        .where('version', '=', version)
        .executeTakeFirstOrThrow();
      return numUpdatedRows > 0n;
    },
    async takeCredential(connection, name, holder, nowMs, untilMs) {
      const at = rowOf(connection, name);
      const { numUpdatedRows } = await db
        .updateTable('orgs')
        .set({ holder, held_until_ms: untilMs })
        .where('connection', '=', at.connection)
        .where('name', '=', at.name)
        .where((eb) => eb.or([eb('holder', 'is', null), eb('held_until_ms', '<=', nowMs)]))
        .executeTakeFirstOrThrow();
      return numUpdatedRows > 0n;
    },
    async giveCredentialBack(connection, name, holder) {
      const at = rowOf(connection, name);
      await db
        .updateTable('orgs')
        .set({ holder: null, held_until_ms: null })
        .where('connection', '=', at.connection)
        .where('name', '=', at.name)
        .where('holder', '=', holder)
        .execute();
    },

    async putSignIn({ digest, connection, org, sealed, expiresAtMs }, nowMs) {
      await db.transaction().execute(async (transaction) => {
        await transaction.deleteFrom('sign_ins').where('expires_at_ms', '<=', nowMs).execute();
        await transaction
          .insertInto('sign_ins')
          .values({ digest, connection: toStored(connection), org: toStored(org), sealed, expires_at_ms: expiresAtMs })
          .execute();
      });
    },
    async takeSignIn(digest, nowMs) {
      const row = await db.deleteFrom('sign_ins').where('digest', '=', digest).returningAll().executeTakeFirst();
      if (row === undefined || row.expires_at_ms <= nowMs) return null;
      const { connection, org, sealed, expires_at_ms: expiresAtMs } = row;
      return { digest, connection: fromStored(connection), org: fromStored(org), sealed, expiresAtMs };
    },
  };
}

function orgOf(row: Selectable<Tables['orgs']>): StoredOrg {
  return {
    connection: fromStored(row.connection),
    name: fromStored(row.name),
    orgId: row.org_id,
    url: fromStored(row.url),
    loginUrl: row.login_url === null ? null : fromStored(row.login_url),
    state: row.state as OrgState,
    reason: row.reason === null ? null : fromStored(row.reason),
    overrides: fromStored(row.overrides),
    keyId: row.key_id,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
  };
}
