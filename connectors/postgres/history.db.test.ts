import {
  contact,
  contactSchema,
  describeHistoryContract,
  expectSoundHistory,
  type HistoryFixture,
  loadWhole,
  never,
  ownTarget,
  readCurrent,
  readVersions,
  upsert,
} from '@tidemark/testkit';
import { expect, test } from 'vitest';
import { query } from './driver.ts';
import { database } from './table-fixture.ts';

let made = 0;

/** A schema of its own, in which tables are found by their bare names. */
async function create(): Promise<HistoryFixture> {
  const schema = `history_${++made}`;
  await database.script(`CREATE SCHEMA ${schema}`);
  const connection = database.connect({ schema });
  return {
    open: ({ history, deletes = 'mirror', schema: fields = contactSchema, unit = 'contract', scope }) =>
      connection.openTarget!({ to: { table: 'contacts' }, unit, schema: fields, deletes, scope, history }, never),
    openStreamWriter: (targets) => connection.openStreamWriter!(targets),
    ask: async (sql) => {
      const client = await database.pool.connect();
      let isUsable = false;
      try {
        await client.query(`SET search_path = ${schema}`);
        // Several statements at once take no parameters and answer nothing.
        const answered = /^(SELECT|INSERT|UPDATE|DELETE)/.test(sql) ? (await query(client, sql)).rows : await client.query(sql);
        isUsable = true;
        return Array.isArray(answered) ? answered : [];
      } finally {
        client.release(!isUsable);
      }
    },
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
    },
  };
}

describeHistoryContract('postgres', create);

const place = { table: 'contacts', columns: ['id', 'name'] };

const bare = (...keys: string[]) => keys.map((key) => ({ row: contact(key), stampMs: 1000 }));

test('a load still takes the place of an empty table, and merges into it where somebody has hung a trigger of his own on it', async () => {
  await using fixture = await create();
  const owned = await ownTarget(fixture);
  const identity = async () => (await fixture.ask("SELECT 'contacts'::regclass::oid"))[0]![0];
  const before = await identity();
  await loadWhole(owned, 'one', bare('a', 'b'));
  expect(await identity()).not.toBe(before);
  const swapped = await identity();
  await fixture.ask('TRUNCATE contacts');
  expect((await readVersions(fixture.ask, place)).map(({ endedBy }) => endedBy)).toEqual(['delete', 'delete']);
  await fixture.ask(
    'CREATE TRIGGER theirs BEFORE UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
  );
  await loadWhole(owned, 'two', bare('b', 'c'));
  expect(await identity()).toBe(swapped);
  const versions = await readVersions(fixture.ask, place);
  expect(versions.map(({ key, operation, to }) => [key, operation, to === null])).toEqual([
    ['a', 'insert', false],
    ['b', 'insert', false],
    ['b', 'insert', true],
    ['c', 'insert', true],
  ]);
  expectSoundHistory(versions, await readCurrent(fixture.ask, place));
});

test('orgs that share a table share its history: each version says whose it is', async () => {
  await using fixture = await create();
  for (const value of ['acme', 'globex']) {
    const scope = { column: 'org_id', value };
    const { write } = await ownTarget(fixture, { history: true, unit: `contract@${value}`, scope });
    await write([upsert(contact('a', { Name: value }), 1000)]);
    await write([upsert(contact('a', { Name: `${value}!` }), 2000)]);
  }
  expect(await fixture.ask('SELECT org_id, name, valid_to IS NULL FROM contacts_history ORDER BY valid_from')).toEqual([
    ['acme', 'acme', 'f'],
    ['acme', 'acme!', 't'],
    ['globex', 'globex', 'f'],
    ['globex', 'globex!', 't'],
  ]);
});

test('who may write the table need not see its history; a session that is cut off leaves no version (P1)', async () => {
  await using fixture = await create();
  const { write } = await ownTarget(fixture);
  await write([upsert(contact('a', { Name: 'A' }), 1000)]);
  const role = `writer_${made}`;
  const [[schema]] = (await fixture.ask('SELECT current_schema')) as [[string]];
  await fixture.ask(
    `CREATE ROLE ${role}; GRANT USAGE ON SCHEMA ${schema} TO ${role}; GRANT SELECT, UPDATE ON contacts TO ${role}`,
  );
  try {
    await fixture.ask(`BEGIN; SET LOCAL ROLE ${role}; UPDATE contacts SET name = 'theirs'; COMMIT`);
    await expect(fixture.ask(`BEGIN; SET LOCAL ROLE ${role}; SELECT * FROM contacts_history`)).rejects.toThrow(
      'permission denied',
    );
    const cut = `BEGIN; UPDATE contacts SET name = 'cut off'; SELECT pg_terminate_backend(pg_backend_pid())`;
    await expect(fixture.ask(cut)).rejects.toThrow();
    const versions = await readVersions(fixture.ask, place);
    expect(versions).toHaveLength(2);
    expectSoundHistory(versions, await readCurrent(fixture.ask, place));
  } finally {
    await fixture.ask(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  }
});

test('a column that is widened, or whose type somebody changes, is changed in the history as well', async () => {
  await using fixture = await create();
  await (await fixture.open({ history: true })).prepare();
  await fixture.ask("INSERT INTO contacts (id, count) VALUES ('a', 1)");
  await fixture.ask('ALTER TABLE contacts ALTER COLUMN count TYPE numeric(20,0)');
  const again = await fixture.open({ history: true });
  expect((await again.plan()).map(({ statement }) => statement)).toEqual([
    expect.stringMatching(/ALTER TABLE ".*"\."contacts_history" ALTER COLUMN "count" TYPE numeric\(20,0\) USING/),
  ]);
  await again.prepare();
  expect(await again.plan()).toEqual([]);
  await fixture.ask('UPDATE contacts SET count = 12345678901234567890');
  const place = { table: 'contacts', columns: ['id', 'count'] };
  const versions = await readVersions(fixture.ask, place);
  expect(versions).toHaveLength(2);
  expectSoundHistory(versions, await readCurrent(fixture.ask, place));
});

test('rows that were written while triggers were disabled are made good when they are made anew', async () => {
  await using fixture = await create();
  await (await fixture.open({ history: true })).prepare();
  await fixture.ask("INSERT INTO contacts (id, name) VALUES ('a', 'A'), ('b', 'B')");
  await fixture.ask('ALTER TABLE contacts DISABLE TRIGGER ALL');
  await fixture.ask("UPDATE contacts SET name = 'missed' WHERE id = 'a'");
  await fixture.ask("DELETE FROM contacts WHERE id = 'b'");
  await (await fixture.open({ history: true })).prepare();
  await fixture.ask("INSERT INTO contacts (id, name) VALUES ('c', 'told')");
  const versions = await readVersions(fixture.ask, place);
  expect(versions).toHaveLength(4);
  expectSoundHistory(versions, await readCurrent(fixture.ask, place));
});

test("a trigger of the user's that writes the row once more: the version is what the table holds in the end", async () => {
  await using fixture = await create();
  await (await fixture.open({ history: true })).prepare();
  await fixture.ask(`CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE contacts SET name = upper(NEW.name) WHERE id = NEW.id AND name <> upper(NEW.name); RETURN NULL; END $$;
    CREATE TRIGGER again AFTER INSERT OR UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION again()`);
  await fixture.ask("INSERT INTO contacts (id, name) VALUES ('a', 'one'), ('b', 'two')");
  await fixture.ask("UPDATE contacts SET name = 'three' WHERE id = 'a'");
  const versions = await readVersions(fixture.ask, place);
  expect(versions.map(({ values }) => JSON.parse(values))).toEqual([
    ['a', 'ONE'],
    ['a', 'THREE'],
    ['b', 'TWO'],
  ]);
  expectSoundHistory(versions, await readCurrent(fixture.ask, place));
});
