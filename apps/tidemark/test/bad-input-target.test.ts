import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { type BadInput, BadInputWorld, type ConfigFile, tryAll } from './bad-input-world.ts';

// A database that cannot take what it is given ends a run with its name, the reason and the remedy; what had been written stays,
// and mended, the next run brings the rest.                                                                    (P1, P2, P12)

const db = (file: ConfigFile) => file.connections.db!;
const url = (change: (url: URL) => void) => (file: ConfigFile, world: BadInputWorld) => {
  const changed = new URL(world.databaseUrl!);
  change(changed);
  db(file).url = changed.href;
};
const table = (sql: string, mend: string) => async (world: BadInputWorld) => {
  await world.sql(sql);
  return () => world.sql(mend).then(() => undefined);
};
const drop = 'DROP TABLE copy';

describe('PostgreSQL', () => {
  const cases: readonly BadInput[] = [
    {
      what: 'a server that is not there',
      filled: true,
      file: url((to) => {
        to.port = '1';
      }),
      exitCode: 1,
      says: /error: PostgreSQL at \S+:1\/\w+: connect ECONNREFUSED/,
      toDo: /Is PostgreSQL running/,
    },
    {
      what: 'a host that does not exist',
      file: url((to) => {
        to.hostname = 'nowhere.invalid';
      }),
      exitCode: 1,
      says: /error: PostgreSQL at nowhere\.invalid:/,
      toDo: /host name|name service/,
    },
    {
      what: 'a wrong password',
      filled: true,
      file: url((to) => {
        to.password = 'not-this-one';
      }),
      exitCode: 1,
      says: /error: PostgreSQL at \S+: password authentication failed for user "postgres"/,
      toDo: /user and password/,
    },
    {
      what: 'a database that does not exist',
      file: url((to) => {
        to.pathname = '/nowhere';
      }),
      exitCode: 1,
      says: /error: .*database "nowhere" does not exist/,
      toDo: /Create the database/,
    },
    {
      what: 'a schema that does not exist',
      file: (file) => {
        db(file).schema = 'nowhere';
      },
      exitCode: 1,
      says: /error: .*schema "?nowhere"?/,
      toDo: /Create the schema/,
    },
    {
      what: 'a user without rights on the schema',
      arrange: withoutRights,
      exitCode: 1,
      says: /error: .*permission denied for schema/,
      toDo: /Grant/,
    },
    {
      what: 'a user without rights on the schema, asked of check',
      arrange: withoutRights,
      call: ['check'],
      exitCode: 1,
      says: /connections\.db: .*may not use the schema/,
      toDo: /GRANT USAGE ON SCHEMA/,
    },
    {
      what: 'a user who may not delete what the org deletes, asked of check',
      filled: true,
      arrange: (world) =>
        asClerk(
          world,
          (role) =>
            `GRANT USAGE, CREATE ON SCHEMA public TO ${role}; GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO ${role}`,
        ),
      call: ['check'],
      exitCode: 1,
      says: /syncs\.\w+: .*lacks DELETE on "public"\."copy"/,
      toDo: /GRANT DELETE ON "public"\."copy" TO .*deletes: mark/,
    },
    {
      what: 'a read-only session',
      filled: true,
      arrange: async (world) => {
        const name = new URL(world.databaseUrl!).pathname.slice(1);
        await world.sql(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
        return () =>
          world.sql(`BEGIN READ WRITE; ALTER DATABASE ${name} RESET default_transaction_read_only; COMMIT`).then(() => {});
      },
      exitCode: 1,
      says: /error: .*read-only transaction/,
      toDo: /read-only standby|only read/,
    },
    {
      what: 'a table with a column of another type',
      arrange: table('CREATE TABLE copy (id text PRIMARY KEY, last integer)', drop),
      exitCode: 1,
      says: /public\.copy, column "last": it is integer, but the field last is text/,
      toDo: /ALTER TABLE.*exclude/,
    },
    {
      what: 'a table of others that has no column for the key',
      arrange: table("CREATE TABLE copy (name text PRIMARY KEY); INSERT INTO copy VALUES ('x')", drop),
      exitCode: 1,
      says: /public\.copy has no column for the key id/,
      toDo: /Map the key/,
    },
    {
      what: 'a table that holds the key twice',
      arrange: table(
        "CREATE TABLE copy (id text, last text); INSERT INTO copy VALUES ('a', 'x'), ('a', 'y')",
        "DELETE FROM copy WHERE id = 'a'",
      ),
      exitCode: 1,
      says: /public\.copy: its rows stand against: unique index on the key \(id\)/,
      toDo: /holds a key twice/,
    },
    {
      what: 'a view as target',
      arrange: table("CREATE VIEW copy AS SELECT 'a'::text AS id", 'DROP VIEW copy'),
      exitCode: 1,
      says: /public\.copy is not a table/,
      toDo: /name a table/,
    },
    {
      what: 'a table that somebody keeps locked',
      filled: true,
      arrange: async (world) => {
        const name = new URL(world.databaseUrl!).pathname.slice(1);
        await world.sql(`ALTER DATABASE ${name} SET lock_timeout = 50`);
        const release = await world.hold('LOCK TABLE copy IN ACCESS EXCLUSIVE MODE');
        return async () => {
          await release();
          await world.sql(`ALTER DATABASE ${name} RESET lock_timeout`);
        };
      },
      exitCode: 1,
      says: /error: PostgreSQL: canceling statement due to lock timeout/,
      toDo: /pg_stat_activity and pg_locks/,
    },
  ];
  tryAll(cases.map((bad) => ({ ...bad, target: 'postgres' })));
});

function withoutRights(world: BadInputWorld): Promise<() => Promise<void>> {
  return asClerk(world, () => 'REVOKE ALL ON SCHEMA public FROM PUBLIC');
}

/** The connection is a user's who may what is granted here, and nothing else. */
async function asClerk(world: BadInputWorld, grants: (role: string) => string): Promise<() => Promise<void>> {
  const role = `tidemark_clerk_${process.pid}_${Date.now()}`;
  await world.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'reads-only'; ${grants(role)}`);
  world.configure((file) => {
    const changed = new URL(world.databaseUrl!);
    changed.username = role;
    changed.password = 'reads-only';
    file.connections.db!.url = changed.href;
  });
  return async () => {
    await world.sql(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    world.configure();
  };
}

describe('SQLite', () => {
  const cases: readonly BadInput[] = [
    {
      what: 'a path in a folder that is not there',
      file: (file) => {
        db(file).path = './nowhere/copy.db';
      },
      exitCode: 1,
      says: /error: .*nowhere\/copy\.db: unable to open database file/,
      toDo: /folder has to exist/,
    },
    {
      what: 'a file that is no database',
      arrange: (world) => {
        writeFileSync(world.place.path('copy.db'), 'dear diary\n'.repeat(1000));
        return () => rmSync(world.place.path('copy.db'));
      },
      exitCode: 1,
      says: /error: .*copy\.db: file is not a database/,
      toDo: /choose another path/,
    },
    {
      what: 'a folder in place of the file',
      arrange: (world) => {
        mkdirSync(world.place.path('copy.db'));
        return () => rmSync(world.place.path('copy.db'), { recursive: true });
      },
      exitCode: 1,
      says: /error: .*copy\.db is a folder/,
      toDo: /name a file/,
    },
    {
      what: 'a file that was cut off',
      filled: true,
      arrange: async (world) => {
        const path = world.place.path('copy.db');
        await world.sql('PRAGMA wal_checkpoint(TRUNCATE)');
        const whole = readFileSync(path);
        writeFileSync(path, whole.subarray(0, 5000));
        return () => writeFileSync(path, whole);
      },
      exitCode: 1,
      says: /error: .*copy\.db: database disk image is malformed/,
      toDo: /backup/,
    },
    {
      what: 'a database that another program keeps locked',
      filled: true,
      arrange: (world) => {
        const other = new DatabaseSync(world.place.path('copy.db'));
        other.exec('BEGIN IMMEDIATE');
        return () => other.close();
      },
      exitCode: 1,
      says: /error: .*copy\.db: database is locked/,
      toDo: /Another program holds a lock.*busyTimeoutMs/,
    },
    {
      what: 'a file that may not be written',
      filled: true,
      unprivileged: true,
      arrange: (world) => {
        chmodSync(world.place.path('copy.db'), 0o444);
        return () => chmodSync(world.place.path('copy.db'), 0o644);
      },
      exitCode: 1,
      says: /error: .*copy\.db: attempt to write a readonly database/,
      toDo: /right to write/,
    },
    {
      what: 'a folder that may not be written',
      unprivileged: true,
      file: (file, world) => {
        mkdirSync(world.place.path('ours'), { mode: 0o755 });
        db(file).path = './ours/copy.db';
      },
      exitCode: 1,
      says: /error: .*ours\/copy\.db: unable to open database file/,
      toDo: /allowed to write in it/,
    },
    {
      what: 'a table with a column of another type',
      arrange: table('CREATE TABLE copy (id TEXT PRIMARY KEY, last INTEGER)', drop),
      exitCode: 1,
      says: /Column last of table copy is INTEGER and cannot hold last \(text\)/,
      toDo: /column/,
    },
    {
      what: 'a table of others that has no column for the key',
      arrange: table("CREATE TABLE copy (name TEXT PRIMARY KEY); INSERT INTO copy VALUES ('x')", drop),
      exitCode: 1,
      says: /Table copy has no column for the key id/,
      toDo: /Map the key/,
    },
    {
      what: 'a table that holds the key twice',
      arrange: table(
        "CREATE TABLE copy (id TEXT, last TEXT); INSERT INTO copy VALUES ('a', 'x'), ('a', 'y')",
        "DELETE FROM copy WHERE id = 'a'",
      ),
      exitCode: 1,
      says: /copy\.db: the rows of table copy stand against its key/,
      toDo: /holds a key twice/,
    },
    {
      what: 'a view as target',
      arrange: table("CREATE VIEW copy AS SELECT 'a' AS id", 'DROP VIEW copy'),
      exitCode: 1,
      says: /copy is (a view|not a table)/,
      toDo: /table/,
    },
  ];
  tryAll(cases);
});

/** A disk of one megabyte, which only a superuser can mount, and only on Linux. */
function smallDisk(path: string): (() => void) | null {
  mkdirSync(path, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path], { stdio: 'ignore' });
    return () => execFileSync('umount', ['-l', path]);
  } catch {
    return null;
  }
}

test('a disk that is full: the run says so, and goes on once there is room', async ({ skip }) => {
  await using world = await BadInputWorld.open('sqlite');
  const unmount = smallDisk(world.place.path('disk'));
  if (unmount === null) return skip('this user cannot mount a small disk');
  try {
    world.sqlitePath = 'disk/copy.db';
    world.configure();
    expect(await world.call('run', 's')).toMatchObject({ exitCode: 0 });
    world.change();
    const filler = world.place.path('disk/filler');
    expect(() => writeFileSync(filler, Buffer.alloc(2 ** 20))).toThrow(/ENOSPC/);
    const answer = await world.call('run', 's');
    expect(answer.out).toMatch(/error: .*disk\/copy\.db: database or disk is full\n {2}to do: .*make room.*Nothing was lost/);
    expect(answer.exitCode).toBe(1);
    rmSync(filler);
    await world.expectWhole();
  } finally {
    unmount();
  }
});

test('a disk of the database server that is full: the run says so, and goes on once there is room', async ({ skip }) => {
  await using world = await BadInputWorld.open('postgres');
  const [{ data, local }] = (await world.sql(
    "SELECT current_setting('data_directory') AS data, inet_server_addr() <<= '127.0.0.0/8' AS local",
  )) as [{ data: string; local: boolean }];
  const disk = mkdtempSync(join(tmpdir(), 'tidemark-disk-'));
  const unmount = local && existsSync(data) ? smallDisk(disk) : null;
  if (unmount === null) return skip('this user cannot mount a small disk for the server');
  const name = new URL(world.databaseUrl!).pathname.slice(1);
  try {
    const { uid, gid } = statSync(data);
    chownSync(disk, uid, gid);
    await world.sql(`CREATE TABLESPACE ${name} LOCATION '${disk}'`);
    await world.sql(`ALTER DATABASE ${name} SET default_tablespace = ${name}`);
    world.configure();
    expect(await world.call('run', 's')).toMatchObject({ exitCode: 0 });
    await world.sql('CREATE TABLE filler (text text)');
    await expect(world.sql("INSERT INTO filler SELECT repeat('x', 2000) FROM generate_series(1, 2000)")).rejects.toThrow(
      /No space/,
    );
    world.change();
    for (let i = 0; i < 300; i++) world.insert({ LastName: `More ${i}`, FirstName: 'x'.repeat(40) });
    const answer = await world.call('run', 's');
    expect(answer.out).toMatch(
      /error: PostgreSQL: could not extend file .*No space left.*\n {2}to do: .*free space there\. Nothing is lost/,
    );
    expect(answer.exitCode).toBe(1);
    await world.sql('DROP TABLE filler');
    await world.expectWhole();
  } finally {
    await world.sql(`DROP SCHEMA public CASCADE; ALTER DATABASE ${name} RESET default_tablespace`);
    await world.sql(`DROP TABLESPACE IF EXISTS ${name}`);
    unmount();
    rmSync(disk, { recursive: true, force: true });
  }
});
