import type { Selectable } from 'kysely';
import type { AccessStore, AccessToken, AuditEntry, Role } from './access-store.ts';
import { fromStored, toStored } from './stored-text.ts';
import type { Database, Tables } from './tables.ts';

export function sqlAccess({ db }: Database): AccessStore {
  return {
    async putToken({ id, name, role, digest, createdAtMs, usedAtMs }) {
      await db
        .insertInto('access_tokens')
        .values({ id, name: toStored(name), role, digest, created_at_ms: createdAtMs, used_at_ms: usedAtMs })
        .execute();
    },
    async token(id) {
      const found = await db.selectFrom('access_tokens').selectAll().where('id', '=', toStored(id)).executeTakeFirst();
      return found === undefined ? null : tokenOf(found);
    },
    async tokens() {
      const found = await db.selectFrom('access_tokens').selectAll().orderBy('created_at_ms').orderBy('id').execute();
      return found.map(tokenOf);
    },
    async usedToken(id, atMs) {
      await db.updateTable('access_tokens').set({ used_at_ms: atMs }).where('id', '=', id).execute();
    },
    async removeToken(id) {
      const { numDeletedRows } = await db.deleteFrom('access_tokens').where('id', '=', toStored(id)).executeTakeFirst();
      return numDeletedRows > 0n;
    },
    async record({ atMs, who, what, status, from }, keepFromMs) {
      await db.transaction().execute(async (transaction) => {
        await transaction
          .insertInto('audit')
          .values({ at_ms: atMs, who: toStored(who), what: toStored(what), status, came_from: toStored(from) })
          .execute();
        await transaction.deleteFrom('audit').where('at_ms', '<', keepFromMs).execute();
      });
    },
    async audit({ limit }) {
      const found = await db.selectFrom('audit').selectAll().orderBy('id', 'desc').limit(limit).execute();
      return found.map(entryOf);
    },
  };
}

function tokenOf(kept: Selectable<Tables['access_tokens']>): AccessToken {
  return {
    id: kept.id,
    name: fromStored(kept.name),
    role: kept.role as Role,
    digest: kept.digest,
    createdAtMs: kept.created_at_ms,
    usedAtMs: kept.used_at_ms,
  };
}

function entryOf(kept: Selectable<Tables['audit']>): AuditEntry {
  return {
    id: String(kept.id),
    atMs: kept.at_ms,
    who: fromStored(kept.who),
    what: fromStored(kept.what),
    status: kept.status,
    from: fromStored(kept.came_from),
  };
}
