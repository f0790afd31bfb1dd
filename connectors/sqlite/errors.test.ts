import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { AccessDeniedError, RequestRefusedError, type SyncError, TransientError } from '@tidemark/core';
import { contact, contactSchema, upsert } from '@tidemark/testkit';
import { expect, test } from 'vitest';
import { faultOf } from './fault.ts';
import { createFile } from './fixture.ts';

// Whoever runs Tidemark is told what is wrong with the file and what to do, and nothing is lost meanwhile.

const never = new AbortController().signal;
type File = Awaited<ReturnType<typeof createFile>>;

async function failure(file: File, path = file.path): Promise<SyncError> {
  const target = await file.connect({ path }).openTarget!(
    { to: { table: 'contacts' }, unit: 'sync', schema: contactSchema, deletes: 'mirror' },
    never,
  );
  const error = await target.prepare().then(
    () => 'no failure',
    (reason: SyncError) => reason,
  );
  return error as SyncError;
}

test('a file that is no database', async () => {
  await using file = await createFile();
  await writeFile(file.path, 'Dear diary, this is certainly not a database. '.repeat(100));
  const [problem] = await file.connection.check();
  expect(problem).toMatchObject({
    place: 'connections.db',
    severity: 'error',
    hint: expect.stringContaining('choose another path'),
  });
  const error = await failure(file);
  expect(error).toBeInstanceOf(RequestRefusedError);
  expect(error.message).toContain(file.path);
});

test('a folder that does not exist', async () => {
  await using file = await createFile();
  const path = join(file.folder, 'missing', 'x.db');
  const [problem] = await file.connect({ path }).check();
  expect(problem?.message).toContain(join(file.folder, 'missing'));
  const error = await failure(file, path);
  expect(error).toBeInstanceOf(AccessDeniedError);
  expect(error.hint).toContain('folder has to exist');
});

test('a folder in place of a file', async () => {
  await using file = await createFile();
  await mkdir(join(file.folder, 'folder'));
  expect(await file.connect({ path: join(file.folder, 'folder') }).check()).toHaveLength(1);
});

test('a file that is not there yet is no problem for a target, and is one for a source', async () => {
  await using file = await createFile();
  expect(await file.connection.check()).toEqual([]);
  const spec = { from: { table: 't' }, where: undefined, fields: null, exclude: [], startAtMs: null };
  await expect(file.connection.openSource!(spec, never)).rejects.toThrow(AccessDeniedError);
});

test('a lock that another program holds', async () => {
  await using file = await createFile();
  file.sql('PRAGMA journal_mode = WAL');
  const other = new DatabaseSync(file.path);
  other.exec('BEGIN IMMEDIATE');
  try {
    const error = await failure(file);
    expect(error).toBeInstanceOf(TransientError);
    expect(error.hint).toContain('Another program');
  } finally {
    other.close();
  }
  expect(await failure(file)).toBe('no failure');
});

test.skipIf(process.getuid?.() === 0)('a file that may only be read', async () => {
  await using file = await createFile();
  file.sql('CREATE TABLE t (a)');
  await chmod(file.path, 0o400);
  expect(await failure(file)).toBeInstanceOf(AccessDeniedError);
});

test('SQLite errors of each kind become ours, by their extended code', async () => {
  const database = new DatabaseSync(':memory:');
  const errorOf = (sql: string) => {
    try {
      database.exec(sql);
    } catch (error) {
      return faultOf(error, 'file.db');
    }
    throw new Error(`no error: ${sql}`);
  };
  database.exec('CREATE TABLE t (a TEXT, b INT CHECK (b > 0)); PRAGMA max_page_count = 3');
  expect(errorOf('INSERT INTO t (a) SELECT hex(zeroblob(9000))')).toMatchObject({
    code: 'transient',
    hint: expect.stringContaining('disk is full'),
  });
  expect(errorOf('SELECT * FROM missing').code).toBe('schema_changed');
  expect(errorOf('SELECT lacking FROM t').code).toBe('schema_changed');
  expect(errorOf('SELEC 1').code).toBe('request_refused');
  expect(errorOf('INSERT INTO t (b) VALUES (0)').code).toBe('request_refused');
  database.exec('PRAGMA query_only = 1');
  expect(errorOf("INSERT INTO t VALUES ('a', 1)").code).toBe('access_denied');
  expect(faultOf(new TypeError('a bug'), 'file.db')).toMatchObject({
    code: 'invariant',
    message: expect.stringContaining('a bug'),
  });
});

test('errors carry no values of records', async () => {
  await using file = await createFile();
  file.sql('CREATE TABLE contacts (Id TEXT PRIMARY KEY, Name TEXT CHECK (length(Name) < 5))');
  const target = await file.connection.openTarget!(
    { to: { table: 'contacts' }, unit: 'sync', schema: contactSchema, deletes: 'mirror' },
    never,
  );
  await target.prepare();
  const { epoch } = await target.checkpoints!.acquire('sync');
  const changes = [upsert(contact('a', { Name: 'canary value' })), upsert(contact('b', { Count: 'canary number' }))];
  const results = await target.write(changes, { epoch, settle: async () => null }, never);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(JSON.stringify(results)).not.toContain('canary');
});
