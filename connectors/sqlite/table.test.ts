import {
  type Change,
  NO_STAMP,
  newRow,
  OwnershipLostError,
  type RejectedRow,
  RequestRefusedError,
  type Row,
  type Target,
} from '@tidemark/core';
import { contact, contactSchema, loadBlock, row, upsert } from '@tidemark/testkit';
import { expect, test } from 'vitest';
import { createFile } from './fixture.ts';

// A target may be a table that the user made and keeps rules, indexes and triggers for. Tidemark follows them: what it cannot
// keep exactly it refuses by name, and what the table refuses concerns one record only.                                  (P2)

const never = new AbortController().signal;
type File = Awaited<ReturnType<typeof createFile>>;

/** Over a connection of its own, if none is given: what shares one takes turns, and others wait for the file's lock. */
async function openTarget(
  file: File,
  schema = contactSchema,
  tablePrefix = '',
  connection = file.connect({ tablePrefix }),
): Promise<{ target: Target; epoch: number }> {
  const target = await connection.openTarget!({ to: { table: 'contacts' }, unit: 'sync', schema, deletes: 'mirror' }, never);
  await target.prepare();
  return { target, epoch: (await target.checkpoints!.acquire('sync')).epoch };
}

const write = ({ target, epoch }: { target: Target; epoch: number }, changes: readonly Change[]) =>
  target.write(changes, { epoch, settle: async () => null }, never);

async function load({ target, epoch }: { target: Target; epoch: number }, rows: readonly Row[], schema = contactSchema) {
  const rejected: RejectedRow[] = [];
  async function* blocks() {
    yield loadBlock(
      rows.map((each) => ({ row: each, stampMs: 1000 })),
      schema,
      () => 'text',
    );
  }
  const begun = await target.beginLoad!({ epoch, loadId: String(Math.random()), stampColumn: schema.fields.length }, never);
  await begun.writePage(blocks(), 'page', async (part) => void rejected.push(...part), never);
  return { rejected, counts: await begun.finish({ gone: [], checkpoint: null, signal: never }) };
}

const slim = {
  ...contactSchema,
  fields: contactSchema.fields.filter(({ name }) => ['Id', 'Name', 'Count', 'Amount'].includes(name)),
};
const slimRow = (id: string, values: { [field: string]: Row[string] } = {}) => row(slim, { Id: id, ...values });

test('a column that would change values is refused, with the column, the field and the remedy', async () => {
  for (const [column, field] of [
    ['Name INTEGER', 'Name'],
    ['Count REAL', 'Count'],
    ['Name AS (1)', 'Name'],
  ] as const) {
    await using file = await createFile();
    file.sql(`CREATE TABLE contacts (Id TEXT PRIMARY KEY, ${column})`);
    const error = await openTarget(file, slim).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RequestRefusedError);
    expect((error as RequestRefusedError).message).toContain(`Column ${field} of table contacts`);
    expect((error as RequestRefusedError).hint).toContain('exclude it');
  }
});

test('a table of the user is widened, its rows and its own columns stay, and its key is made unique', async () => {
  await using file = await createFile();
  file.sql('CREATE TABLE contacts (ID VARCHAR(18), Note DEFAULT 17, Count NUMERIC)');
  file.sql("INSERT INTO contacts (ID, Note) VALUES ('own', 'mine')");
  const opened = await openTarget(file, slim);
  await write(opened, [upsert(slimRow('a', { Name: 'Ada', Count: 3, Amount: '12345678901234567890.5' }), 1000)]);
  expect(file.sql('SELECT ID, Note, Count, Name, Amount, _tidemark_stamp AS stamp FROM contacts ORDER BY ID')).toEqual([
    { ID: 'a', Note: 17, Count: 3, Name: 'Ada', Amount: '12345678901234567890.5', stamp: '1970-01-01T00:00:01.000Z' },
    { ID: 'own', Note: 'mine', Count: null, Name: null, Amount: null, stamp: null },
  ]);
  expect(() => file.sql("INSERT INTO contacts (ID) VALUES ('a')")).toThrow(/UNIQUE/);
});

test("digits that the user's numeric column would drop are refused, not rounded (P2)", async () => {
  await using file = await createFile();
  file.sql('CREATE TABLE contacts (Id TEXT PRIMARY KEY, Amount DECIMAL(18,2))');
  const opened = await openTarget(file, slim);
  const results = await write(opened, [
    upsert(slimRow('a', { Amount: 1234.56 }), 1000),
    upsert(slimRow('b', { Amount: '12345678901234567890.5' }), 1000),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['created', 'rejected']);
});

test("the table's own constraints and triggers refuse single records, in a batch and in a load (P2)", async () => {
  await using file = await createFile();
  file.sql('CREATE TABLE contacts (Id TEXT PRIMARY KEY, Name TEXT UNIQUE, Count INT CHECK (Count < 10))');
  file.sql("INSERT INTO contacts (Id, Name) VALUES ('own', 'taken')");
  file.sql("CREATE TRIGGER no_x BEFORE INSERT ON contacts WHEN new.Name = 'x' BEGIN SELECT RAISE(ABORT, 'no x please'); END");
  const opened = await openTarget(file, slim);
  const bad = { b: { Count: 10 }, c: { Name: 'taken' }, d: { Name: 'x' } };
  const rows = [slimRow('a', { Count: 9 }), ...Object.entries(bad).map(([id, values]) => slimRow(id, values)), slimRow('e')];
  const results = await write(
    opened,
    rows.map((each) => upsert(each, 1000)),
  );
  expect(results.map((result) => (result.status === 'rejected' ? result.reason.code : result.status))).toEqual([
    'created',
    'SQLITE_CONSTRAINT_CHECK',
    'SQLITE_CONSTRAINT_UNIQUE',
    'SQLITE_CONSTRAINT_TRIGGER',
    'created',
  ]);
  const { rejected, counts } = await load(opened, [...rows, slimRow('f', { Name: 'fine' })], slim);
  expect(rejected.map(({ key, reason }) => [key, reason.code])).toEqual([
    ['b', 'SQLITE_CONSTRAINT_CHECK'],
    ['c', 'SQLITE_CONSTRAINT_UNIQUE'],
    ['d', 'SQLITE_CONSTRAINT_TRIGGER'],
  ]);
  expect(counts).toEqual({ created: 1, updated: 0, unchanged: 2, deleted: 0 });
  expect(file.sql<{ Id: string }>('SELECT Id FROM contacts ORDER BY Id').map(({ Id }) => Id)).toEqual(['a', 'e', 'f', 'own']);
});

test("a load into an empty table keeps the user's triggers, indexes and views", async () => {
  await using file = await createFile();
  const opened = await openTarget(file, slim);
  file.sql('CREATE INDEX by_name ON contacts (Name)');
  file.sql('CREATE VIEW named AS SELECT Id FROM contacts WHERE Name IS NOT NULL');
  await load(opened, [slimRow('a', { Name: 'Ada' }), slimRow('b')], slim);
  expect(file.sql('SELECT Id FROM named')).toEqual([{ Id: 'a' }]);
  expect(file.sql("SELECT tbl_name FROM sqlite_schema WHERE name = 'by_name'")).toEqual([{ tbl_name: 'contacts' }]);
  expect(file.sql("SELECT name FROM sqlite_schema WHERE name LIKE '\\_tidemark\\_load%' ESCAPE '\\'").length).toBe(1);

  await using other = await createFile();
  const withTrigger = await openTarget(other, slim);
  other.sql('CREATE TABLE seen (Id)');
  other.sql('CREATE TRIGGER see AFTER INSERT ON contacts BEGIN INSERT INTO seen VALUES (new.Id); END');
  await load(withTrigger, [slimRow('a'), slimRow('b')], slim);
  expect(other.sql('SELECT Id FROM seen ORDER BY Id')).toEqual([{ Id: 'a' }, { Id: 'b' }]);
});

test('tables are made under the prefix, with the types and indexes of the fields', async () => {
  await using file = await createFile();
  await openTarget(file, contactSchema, 'sf_');
  const columns = file.sql<{ name: string; type: string }>("SELECT name, type FROM pragma_table_info('sf_contacts')");
  expect(Object.fromEntries(columns.map(({ name, type }) => [name, type]))).toEqual({
    Id: 'TEXT',
    Name: 'TEXT',
    Active: 'INT',
    Count: 'INT',
    Amount: 'ANY',
    Ratio: 'REAL',
    Day: 'TEXT',
    At: 'TEXT',
    Clock: 'TEXT',
    Data: 'TEXT',
    Blob: 'BLOB',
    ParentId: 'TEXT',
    _tidemark_stamp: 'TEXT',
    _tidemark_deleted_at: 'TEXT',
  });
  expect(file.sql("SELECT name FROM pragma_index_list('sf_contacts') WHERE origin = 'c'")).toEqual([
    { name: 'sf_contacts_ParentId' },
  ]);
});

test('planning does not make the file', async () => {
  await using file = await createFile();
  const target = await file.connection.openTarget!({ to: { table: 't' }, unit: 'u', schema: slim, deletes: 'mirror' }, never);
  expect((await target.plan()).length).toBeGreaterThan(0);
  expect(await target.checkpoints!.read('u')).toBeNull();
  expect(await file.connection.discover!()).toEqual([]);
});

// A page comes over a network and may stall; the file must not stay locked meanwhile.
test('while a page is on its way, other syncs and other programs write to the file', async () => {
  await using file = await createFile();
  const { target, epoch } = await openTarget(file, slim);
  const other = await file.connection.openTarget!(
    { to: { table: 'others' }, unit: 'other', schema: slim, deletes: 'mirror' },
    never,
  );
  await other.prepare();
  const owner = await other.checkpoints!.acquire('other');
  const begun = await target.beginLoad!({ epoch, loadId: 'load', stampColumn: slim.fields.length }, never);
  async function* blocks() {
    for (const id of ['a', 'b', 'c']) {
      yield loadBlock([{ row: slimRow(id), stampMs: 1000 }], slim, () => 'text');
      await write({ target: other, epoch: owner.epoch }, [upsert(slimRow(id), NO_STAMP)]);
      file.sql('CREATE TABLE IF NOT EXISTS theirs (Id)');
      file.sql('INSERT INTO theirs VALUES (?)', id);
    }
  }
  expect(await begun.writePage(blocks(), 'page', async () => {}, never)).toEqual({ rows: 3, rejected: 0 });
  expect((await begun.finish({ gone: [], checkpoint: null, signal: never })).created).toBe(3);
  expect(file.sql('SELECT count(*) AS n FROM others NATURAL JOIN theirs')).toEqual([{ n: 3 }]);
});

// The main thread settles a batch while its transaction is open. Rows of a load that got into it would go with its rollback.   (P1)
test('blocks wait while another sync settles its batch, and its rollback takes none of them', async () => {
  await using file = await createFile();
  const { target, epoch } = await openTarget(file, slim, '', file.connection);
  const other = await file.connection.openTarget!(
    { to: { table: 'others' }, unit: 'other', schema: slim, deletes: 'mirror' },
    never,
  );
  await other.prepare();
  const owner = await other.checkpoints!.acquire('other');
  const begun = await target.beginLoad!({ epoch, loadId: 'load', stampColumn: slim.fields.length }, never);
  async function* blocks() {
    const block = (id: string) => loadBlock([{ row: slimRow(id), stampMs: 1000 }], slim, () => 'text');
    yield block('a');
    const open = Promise.withResolvers<void>();
    const outcome = Promise.withResolvers<string>();
    const settle = () => {
      open.resolve();
      return outcome.promise;
    };
    const written = other.write([upsert(slimRow('x'), NO_STAMP)], { epoch: owner.epoch, settle }, never);
    try {
      await Promise.race([open.promise, written]);
      yield block('b');
      yield block('c');
    } finally {
      // Whatever became of the blocks: while a batch is being settled, nothing else can be written.
      outcome.reject(new Error('cannot be settled'));
    }
    await expect(written).rejects.toThrow('cannot be settled');
  }
  expect(await begun.writePage(blocks(), 'page', async () => {}, never)).toEqual({ rows: 3, rejected: 0 });
  expect((await begun.finish({ gone: [], checkpoint: null, signal: never })).created).toBe(3);
  expect(file.sql('SELECT count(*) AS n FROM others')).toEqual([{ n: 0 }]);
});

test('two loads into one file go on side by side', async () => {
  await using file = await createFile();
  const loads = await Promise.all(
    ['one', 'two'].map(async (table) => {
      const target = await file.connection.openTarget!({ to: { table }, unit: table, schema: slim, deletes: 'mirror' }, never);
      await target.prepare();
      const { epoch } = await target.checkpoints!.acquire(table);
      return target.beginLoad!({ epoch, loadId: 'load', stampColumn: slim.fields.length }, never);
    }),
  );
  const broken = new Error('the second breaks off');
  async function* blocks(breaks: boolean) {
    for (let i = 0; i < 20; i++) {
      yield loadBlock([{ row: slimRow(`k${i}`), stampMs: 1000 }], slim, () => 'text');
      if (breaks && i === 10) throw broken;
    }
  }
  const outcomes = await Promise.allSettled(
    loads.map((each, i) => each.writePage(blocks(i === 1), 'page', async () => {}, never)),
  );
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  const counts = await Promise.all(loads.map((each) => each.finish({ gone: [], checkpoint: null, signal: never })));
  expect(counts.map(({ created }) => created)).toEqual([20, 0]);
});

test('rejected rows come back as they were, hostile field names too', async () => {
  await using file = await createFile();
  const schema = { ...slim, fields: [...slim.fields, { name: '__proto__', type: 'integer', nullable: true } as const] };
  const opened = await openTarget(file, schema);
  const bad = Object.assign(newRow(), slimRow('a', { Name: 'Ada' }), JSON.parse('{"__proto__": "x"}'));
  const { rejected } = await load(opened, [bad], schema);
  expect(rejected).toEqual([
    { key: 'a', row: bad, stampMs: 1000, reason: { code: 'datatype_mismatch', message: '__proto__ takes integer' } },
  ]);
  expect(contact('a').Id).toBe('a');
});

test("a former owner in another process adds nothing to its successor's page, and takes nothing from it (P11)", async () => {
  await using file = await createFile();
  const former = await openTarget(file, slim);
  const begin = ({ target, epoch }: typeof former) =>
    target.beginLoad!({ epoch, loadId: 'load', stampColumn: slim.fields.length }, never);
  const formerLoad = await begin(former);
  const latest = await openTarget(file, slim);
  const latestLoad = await begin(latest);
  const block = (id: string) => loadBlock([{ row: slimRow(id), stampMs: 1000 }], slim, () => 'text');
  async function* late() {
    yield block('late');
    // Commits what was staged so far, as the passing of time does. The first one may overtake the block.
    for (let i = 0; i < 2; i++) await formerLoad.countMissing();
    yield block('later');
  }
  async function* blocks() {
    yield block('a');
    await expect(formerLoad.writePage(late(), 'late', async () => {}, never)).rejects.toThrow(OwnershipLostError);
    yield block('b');
    await latestLoad.countMissing();
    expect(file.sql<{ n: number }>(`SELECT count(*) AS n FROM ${stagingOf(file)} WHERE Id LIKE 'late%'`)[0]!.n).toBe(0);
  }
  expect(await latestLoad.writePage(blocks(), 'page', async () => {}, never)).toEqual({ rows: 2, rejected: 0 });
  expect((await latestLoad.finish({ gone: [], checkpoint: null, signal: never })).created).toBe(2);
  expect(file.sql('SELECT Id FROM contacts ORDER BY Id')).toEqual([{ Id: 'a' }, { Id: 'b' }]);
});

const stagingOf = (file: File) => file.sql<{ staging: string }>('SELECT staging FROM _tidemark_loads')[0]!.staging;
