import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NotConnectedError, RequestRefusedError, TransientError } from '../base/errors.ts';
import { migrate } from './migrate.ts';
import { type Migration, migrations } from './migrations.ts';
import { openDatabase, openStore } from './open-store.ts';
import { sqlStore } from './sql-store.ts';

let folder: string;
let files = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-open-'));
});
afterAll(() => rm(folder, { recursive: true }));
async function writeNew(name: string, content: string): Promise<string> {
  await writeFile(join(folder, name), content);
  return join(folder, name);
}
const newFile = () => join(folder, `state-${++files}.db`);

const failure = {
  sync: 'contacts',
  key: 'a',
  op: 'upsert',
  row: { Name: 'Ada' },
  stampMs: 1,
  code: 'c',
  message: 'm',
  place: 'target',
  lastAtMs: 1,
  nextAttemptAtMs: 1,
} as const;

describe('migrations', () => {
  test('each has a number of its own: of two with the same, a store that had one would never get the other', () => {
    expect(migrations.map(({ version }) => version)).toEqual(migrations.map((_, i) => i + 1));
  });

  const later: Migration = {
    version: 2,
    up: async (transaction) => void (await sql`alter table failures add column owner text default 'nobody'`.execute(transaction)),
  };

  // An upgrade that forgets a failure or a checkpoint loses records.                                          (P1, P2)
  test('a store of the first version is brought up to date with all that it holds', async () => {
    const path = newFile();
    await withDatabase(path, (database) => migrate(database, migrations.slice(0, 1)));
    {
      await using store = await openStore(path);
      await store.putFailures([failure]);
      await store.checkpoints.write('contacts', (await store.checkpoints.acquire('contacts')).epoch, 'position');
    }
    await withDatabase(path, async (database) => {
      await migrate(database, [...migrations, { ...later, version: migrations.length + 1 }]);
      const found = await sql`select key, owner from failures`.execute(database.db);
      expect(found.rows).toEqual([{ key: 'a', owner: 'nobody' }]);
      const kept = await database.db.selectFrom('checkpoints').selectAll().execute();
      expect(kept).toEqual([{ unit: 'contacts', epoch: 1, checkpoint: 'position' }]);
    });
  });

  test('a migration that fails leaves the store as it was', async () => {
    const path = newFile();
    const broken: Migration = {
      version: migrations.length + 1,
      async up(transaction) {
        await later.up(transaction, 'sqlite');
        throw new Error('no further');
      },
    };
    await (await openStore(path))[Symbol.asyncDispose]();
    await withDatabase(path, async (database) => {
      await expect(migrate(database, [...migrations, broken])).rejects.toThrow('no further');
      await expect(sql`select owner from failures`.execute(database.db)).rejects.toThrow('owner');
    });
    await using store = await openStore(path);
    expect(await store.countFailures()).toBe(0);
  });

  test('a store that a newer version made is refused, and says what to do', async () => {
    const path = newFile();
    await withDatabase(path, (database) => migrate(database, [...migrations, { ...later, version: 1_000 }]));
    const refused = await openStore(path).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(RequestRefusedError);
    expect(refused).toMatchObject({
      message: expect.stringContaining('version 1000'),
      hint: expect.stringContaining('newer Tidemark'),
    });
  });

  test('processes that start together on a new store all find it ready, and wait for each other', async () => {
    const path = newFile();
    const script = await writeNew(
      'open.ts',
      `import { openStore } from ${JSON.stringify(import.meta.resolve('./open-store.ts'))};
       await using store = await openStore(process.argv[2]!);
       const failure = ${JSON.stringify(failure)};
       for (let time = 0; time < 50; time++) {
         await store.putFailures([failure]);
         await store.mergeIntoFailures(failure.sync, [failure]);
       }
       console.log((await store.checkpoints.acquire('contacts')).epoch);`,
    );
    const started = Array.from({ length: 4 }, () => promisify(execFile)(process.execPath, [script, path]));
    const epochs = (await Promise.all(started)).map(({ stdout }) => Number(stdout));
    expect(epochs.sort()).toEqual([1, 2, 3, 4]);
    await using store = await openStore(path);
    expect(await store.failures({})).toMatchObject([{ key: 'a', attempts: 200 }]);
  });

  async function withDatabase(path: string, use: (database: Awaited<ReturnType<typeof openDatabase>>) => Promise<void>) {
    const database = await openDatabase(path);
    await use(database);
    await database.db.destroy();
  }
});

describe('opening', () => {
  // Failures hold whole records of the customer's.                                                                  (P10)
  test.skipIf(process.platform === 'win32')('the file and what goes with it is readable by its owner alone', async () => {
    const path = join(folder, 'made', 'on', 'the way', 'state.db');
    await using store = await openStore(`sqlite:${path}`);
    await store.setValue('a', 'b');
    for (const file of [path, `${path}-wal`, `${path}-shm`]) expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'made'))).mode & 0o777).toBe(0o700);
  });

  test('a store in memory works, and is gone with its last user', async () => {
    for (let time = 0; time < 2; time++) {
      await using store = await openStore(':memory:');
      expect(await store.getValue('a')).toBeNull();
      await store.setValue('a', 'b');
    }
  });

  test.each([
    ['a folder', () => folder],
    ['no database', () => writeNew('text', 'this is no database, but long enough to be taken for one'.repeat(20))],
    ['a kind of database that we do not know', () => 'mysql://root:canary@db/state'],
    ['a file below a file', async () => join(await writeNew('plain', ''), 'state.db')],
  ])('%s is refused with a remedy', async (_, place) => {
    const error = await openStore(await place()).catch((refused: unknown) => refused);
    expect(error).toBeInstanceOf(RequestRefusedError);
    expect((error as RequestRefusedError).hint).toBeTruthy();
    expect(String(error)).not.toContain('canary');
  });

  test('a server that does not answer is not connected, and the password stays out of the message', async () => {
    const error = await openStore('postgres://user:canary@127.0.0.1:1/state').catch((refused: unknown) => refused);
    expect(error).toBeInstanceOf(NotConnectedError);
    expect(
      JSON.stringify([String(error), (error as NotConnectedError).hint, String((error as NotConnectedError).cause)]),
    ).not.toContain('canary');
  });

  test('a full disk is said to be one, and what was there before stays', async () => {
    const path = newFile();
    const database = await openDatabase(path);
    await migrate(database);
    await using store = sqlStore(database);
    await store.putFailures([failure]);
    await sql`pragma max_page_count = 20`.execute(database.db);
    const error = await store
      .putFailures([{ ...failure, key: 'b', row: { x: 'y'.repeat(500_000) } }])
      .catch((refused: unknown) => refused);
    expect(error).toBeInstanceOf(TransientError);
    expect((error as TransientError).hint).toContain('disk');
    expect((await store.failures({})).map(({ key }) => key)).toEqual(['a']);
    await store.setPaused('contacts', true);
  });
});
