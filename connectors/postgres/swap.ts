import { lockSchema } from './checkpoints.ts';
import { type Client, query } from './driver.ts';
import { historyTriggers } from './history-definition.ts';
import { quoteName } from './identifiers.ts';
import { DELETED_AT, type Layout, PLACE, STAMP } from './layout.ts';
import { deleteDuplicates } from './merge-load.ts';
import { createIndex, primaryKeyName, referenceIndexes } from './prepare.ts';

/**
 * Whether another table may take this one's place without anybody noticing: it is empty, just as we made it, and nothing hangs
 * on it: no view, foreign key, trigger, policy, publication, comment, column or index of the user's own. The triggers that keep its
 * history go along. Otherwise the rows are inserted into the table that is there.
 */
export async function isSwappable(client: Client, layout: Layout): Promise<boolean> {
  // Whoever else has rows there would lose them.
  if (layout.scope !== undefined) return false;
  const columns = [...layout.columns.map(({ rawName }) => rawName), STAMP, ...(layout.marks ? [DELETED_AT] : [])];
  const { rows } = await query(
    client,
    `WITH own_triggers AS (SELECT oid FROM pg_trigger WHERE tgrelid = $1::regclass AND tgname = ANY ($5::text[]))
     SELECT NOT EXISTS (SELECT FROM ${layout.target})
       AND c.relkind = 'r' AND c.relpersistence = 'p' AND NOT c.relispartition AND NOT c.relhassubclass AND NOT c.relrowsecurity
       AND NOT c.relhasrules AND c.reloptions IS NULL AND c.relreplident = 'd' AND c.reltablespace = 0
       AND c.relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.deptype = 'n'
                       AND NOT (d.classid = 'pg_trigger'::regclass AND d.objid IN (SELECT oid FROM own_triggers)))
       AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = c.oid)
       AND NOT EXISTS (SELECT FROM pg_constraint k WHERE (k.conrelid = c.oid OR k.confrelid = c.oid) AND k.contype NOT IN ('p', 'n'))
       AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.oid NOT IN (SELECT oid FROM own_triggers))
       AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)
       AND NOT EXISTS (SELECT FROM pg_publication_rel p WHERE p.prrelid = c.oid)
       AND NOT EXISTS (SELECT FROM pg_statistic_ext x WHERE x.stxrelid = c.oid)
       AND NOT EXISTS (SELECT FROM pg_description e WHERE e.classoid = 'pg_class'::regclass AND e.objoid = c.oid)
       AND (SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid) = $2
       AND (SELECT array_agg(x.relname::text) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid) <@ $3::text[]
       AND (SELECT array_agg(a.attname::text ORDER BY a.attnum) = $4::text[]
              AND bool_and(NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = '' AND a.attacl IS NULL AND a.attoptions IS NULL)
            FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
     FROM pg_class c WHERE c.oid = $1::regclass`,
    [
      layout.target,
      indexNames(layout).length,
      indexNames(layout).map(unquoted),
      columns,
      layout.history === null ? [] : historyTriggers,
    ],
  );
  return rows[0]?.[0] === 't';
}

function indexNames(layout: Layout): string[] {
  return [primaryKeyName(layout), ...referenceIndexes(layout).map(({ name }) => name)];
}

function unquoted(name: string): string {
  return name.slice(1, -1).replaceAll('""', '"');
}

/** The rights that others have on the target, for the table that is to take its place. */
export async function copyGrants(client: Client, layout: Layout, staging: string): Promise<void> {
  const grantee = `CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END`;
  const { rows } = await query(
    client,
    `SELECT format('REVOKE ALL ON TABLE %s FROM %s', $2::text, ${grantee}), 0 AS turn
       FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = $2::regclass AND a.grantee <> c.relowner
     UNION SELECT format('GRANT %s ON TABLE %s TO %s%s', a.privilege_type, $2::text, ${grantee},
                   CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), 1
       FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = $1::regclass AND a.grantee <> c.relowner
     ORDER BY turn`,
    [layout.target, staging],
  );
  for (const [statement] of rows) await client.query(statement!);
}

/**
 * Puts the staged table, of so many rows, in the target's place, its key built last, which is far quicker than row by row. The
 * other indexes are for `buildIndexes`, once the rows are there. Answers the number of rows; null when the target is not empty any
 * more, or not as it was.
 */
export async function swapIn(client: Client, layout: Layout, staging: string, staged: number): Promise<number | null> {
  if (!(await isSwappable(client, layout))) return null;
  await client.query('SAVEPOINT swap');
  const key = layout.key.map(({ name }) => name).join(', ');
  // Named after the staging table: another load in this schema may be at this point too.
  const own = staging.slice(staging.lastIndexOf('."') + 2, -1);
  const keyName = quoteName(`${own}_key`);
  const addKey = `ALTER TABLE ${staging} ADD CONSTRAINT ${keyName} PRIMARY KEY (${key})`;
  let twice = 0;
  try {
    await client.query(addKey);
  } catch (error) {
    if ((error as { code?: string }).code !== '23505') throw error;
    await client.query('ROLLBACK TO SAVEPOINT swap');
    twice = await deleteDuplicates(client, layout, staging);
    await client.query(addKey);
  }
  await client.query(`ALTER TABLE ${staging} DROP COLUMN ${PLACE}, RESET (autovacuum_enabled)`);
  await copyGrants(client, layout, staging);
  if (layout.history !== null) await client.query(layout.history.catchUp(staging));
  // Only now does anybody have to wait for us, and not for long.
  await client.query(`LOCK TABLE ${layout.target} IN ACCESS EXCLUSIVE MODE`);
  if (!(await isSwappable(client, layout))) {
    await client.query('ROLLBACK TO SAVEPOINT swap');
    return null;
  }
  await client.query(`DROP TABLE ${layout.target}`);
  await client.query(`ALTER TABLE ${staging} RENAME TO ${quoteName(layout.table)}`);
  await client.query(`ALTER INDEX ${quoteName(layout.schema)}.${keyName} RENAME TO ${primaryKeyName(layout)}`);
  if (layout.history !== null) await client.query(layout.history.createTriggers());
  return staged - twice;
}

/** The lookup indexes that a swap has left out. One that a crash has kept from being built is built by the next `prepare`. */
export async function buildIndexes(client: Client, layout: Layout): Promise<void> {
  await lockSchema(client, layout.schema);
  for (const { name, column } of referenceIndexes(layout)) await client.query(createIndex(layout, name, column));
}
