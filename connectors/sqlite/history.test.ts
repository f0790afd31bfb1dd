import { DatabaseSync } from 'node:sqlite';
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
  row as rowOf,
  upsert,
} from '@tidemark/testkit';
import { expect, test } from 'vitest';
import { createFile } from './fixture.ts';

async function create(): Promise<HistoryFixture> {
  const file = await createFile();
  return {
    open: ({ history, deletes = 'mirror', schema = contactSchema, unit = 'contract', scope }) =>
      file.connection.openTarget!({ to: { table: 'contacts' }, unit, schema, deletes, scope, history }, never),
    openStreamWriter: (targets) => file.connection.openStreamWriter!(targets),
    ask: (sql) => {
      const database = new DatabaseSync(file.path, { timeout: 2000 });
      try {
        const statement = database.prepare(sql);
        statement.setReturnArrays(true);
        return statement.all() as unknown as (string | null)[][];
      } finally {
        database.close();
      }
    },
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}

describeHistoryContract('sqlite', create);

const place = { table: 'contacts', columns: ['id', 'name'] };

test("a table of the user's own: values that its collation takes for one are two versions, and REPLACE is an update", async () => {
  await using fixture = await create();
  await fixture.ask('CREATE TABLE contacts (Id TEXT COLLATE NOCASE PRIMARY KEY, Name VARCHAR COLLATE NOCASE, Theirs DATETIME)');
  await fixture.ask("INSERT INTO contacts VALUES ('a', 'ada', 1)");
  await (await fixture.open({ history: true })).prepare();
  await fixture.ask("UPDATE contacts SET Name = 'Ada'");
  await fixture.ask("INSERT OR REPLACE INTO contacts (Id, Name) VALUES ('a', 'Countess')");
  await fixture.ask("UPDATE contacts SET Id = 'A'");
  const versions = await readVersions(fixture.ask, place);
  expect(versions.map(({ values, operation, endedBy }) => [JSON.parse(values), operation, endedBy])).toEqual([
    [['A', 'Countess'], 'insert', null],
    [['a', 'ada'], 'insert', 'update'],
    [['a', 'Ada'], 'update', 'update'],
    [['a', 'Countess'], 'update', 'delete'],
  ]);
  expectSoundHistory(versions, await readCurrent(fixture.ask, place));
});

test('as many fields as an object of Salesforce can have', async () => {
  await using fixture = await create();
  const many = Array.from({ length: 900 }, (_, i) => ({ name: `Field_${i}__c`, type: 'text' as const, nullable: true }));
  const schema = { ...contactSchema, fields: [...contactSchema.fields, ...many] };
  const { write } = await ownTarget(fixture, { history: true, schema });
  for (const [i, value] of ['x', 'y', 'y'].entries()) {
    const row = rowOf(schema, { Id: 'a', Field_899__c: value });
    await write([{ op: 'upsert', key: 'a', row, stampMs: i }]);
  }
  expect(await fixture.ask('SELECT field_899__c, ended_by FROM contacts_history ORDER BY valid_from')).toEqual([
    ['x', 'update'],
    ['y', null],
  ]);
});

test('orgs that share a table share its history: each version says whose it is', async () => {
  await using fixture = await create();
  for (const value of ['acme', 'globex']) {
    const scope = { column: 'org_id', value };
    const { write } = await ownTarget(fixture, { history: true, unit: `contract@${value}`, scope });
    for (const [i, Name] of [value, `${value}!`].entries()) await write([upsert(contact('a', { Name }), i)]);
  }
  expect(await fixture.ask('SELECT org_id, name, valid_to IS NULL FROM contacts_history ORDER BY org_id, valid_from')).toEqual([
    ['acme', 'acme', 0],
    ['acme', 'acme!', 1],
    ['globex', 'globex', 0],
    ['globex', 'globex!', 1],
  ]);
});

test.each(['before', 'after'])(
  "a trigger of the user's, made %s ours, that writes the row once more: the version is what the table holds in the end",
  async (when) => {
    await using fixture = await create();
    const theirs =
      'CREATE TRIGGER again AFTER INSERT ON contacts BEGIN UPDATE contacts SET name = upper(NEW.name) WHERE id = NEW.id; END';
    await (await fixture.open({ history: when === 'after' ? true : undefined })).prepare();
    await fixture.ask(theirs);
    await (await fixture.open({ history: true })).prepare();
    await fixture.ask("INSERT INTO contacts (id, name) VALUES ('a', 'one')");
    const versions = await readVersions(fixture.ask, place);
    expect(JSON.parse(versions.at(-1)!.values)).toEqual(['a', 'ONE']);
    expectSoundHistory(versions, await readCurrent(fixture.ask, place));
  },
);

test('a load still takes the place of an empty table, and its history goes on with it', async () => {
  await using fixture = await create();
  const owned = await ownTarget(fixture);
  const root = async () => (await fixture.ask("SELECT rootpage FROM sqlite_schema WHERE name = 'contacts'"))[0]![0];
  const before = await root();
  await loadWhole(owned, 'first', [{ row: contact('a', { Name: 'A' }), stampMs: 1000 }]);
  expect(await root()).not.toBe(before);
  await owned.write([upsert(contact('a', { Name: 'B' }), 2000)]);
  const versions = await readVersions(fixture.ask, place);
  expect(versions).toHaveLength(2);
  expectSoundHistory(versions, await readCurrent(fixture.ask, place));
});
