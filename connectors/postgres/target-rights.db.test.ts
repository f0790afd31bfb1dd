import { type DatasetSchema, type DeleteRule, type Row, systemClock, type Target } from '@tidemark/core';
import { loadBlock } from '@tidemark/testkit';
import { beforeAll, expect, test } from 'vitest';
import { row } from './fixture.ts';
import { database, table } from './table-fixture.ts';

// What a run would fail at is said before, with the statement that mends it: what the sync needs, and nothing that it does not. So
// each right that is asked for is taken away again here, which has to be noticed and has to hurt.                       (P1, P2)

const never = new AbortController().signal;
const schema: DatasetSchema = {
  name: 'Contact',
  key: ['Id'],
  fields: [
    { name: 'Id', type: 'text', nullable: false },
    { name: 'Name', type: 'text', nullable: true },
  ],
};
/** So many go through a temporary table. */
const LARGE_BATCH = 400;

beforeAll(async () => {
  const [[name]] = (await database.sql('SELECT current_database()')) as [[string]];
  await database.script(`REVOKE TEMPORARY ON DATABASE ${name} FROM PUBLIC`);
});

/** A schema with a table of somebody else's, and a user who may do nothing but log in. */
class Clerk implements AsyncDisposable {
  readonly role = `clerk_${process.pid}_${systemClock.now()}_${table}`;
  readonly #owner = database.connect();
  readonly #connection: ReturnType<typeof database.connect>;
  #turn = 0;

  private constructor() {
    const url = Object.assign(new URL(database.url), { username: this.role, password: 'r' }).href;
    this.#connection = database.connect({ url });
  }

  /** @param columns  of the table, beside its key */
  static async of(columns: string, spec: Parameters<Clerk['target']>[0]): Promise<Clerk> {
    const clerk = new Clerk();
    await database.script(`CREATE ROLE ${clerk.role} LOGIN PASSWORD 'r'; CREATE SCHEMA of_${table};
      CREATE TABLE of_${table}.${table} (id text PRIMARY KEY, ${columns})`);
    await using owners = await clerk.target({ ...spec, history: undefined }, clerk.#owner);
    await owners.prepare();
    return clerk;
  }

  target(spec: { deletes: DeleteRule; history?: boolean | undefined }, connection = this.#connection): Promise<Target> {
    return connection.openTarget!({ to: { table, schema: `of_${table}` }, unit: table, schema, ...spec }, never);
  }

  /** The statements of what is lacking. */
  async lacking(spec: Parameters<Clerk['target']>[0], loads = true): Promise<string[]> {
    await using target = await this.target(spec);
    return (await target.lackingRights!(loads)).map(({ hint }) => hint!.split(';')[0]!);
  }

  /** A sync that comes upon new records, changed ones and deleted ones, is loaded and is compared. */
  async work(spec: Parameters<Clerk['target']>[0], loads = true): Promise<void> {
    await using target = await this.target(spec);
    await target.prepare();
    const { epoch } = await target.checkpoints!.acquire(table);
    const turn = ++this.#turn;
    const commit = { epoch, settle: async () => null };
    const records = (name: string) => Array.from({ length: LARGE_BATCH }, (_, i) => row({ Id: `${turn}-${i}`, Name: name }));
    const upserts = (name: string, stampMs: number) =>
      records(name).map((each) => ({ op: 'upsert' as const, key: String(each.Id), row: each, stampMs }));
    await target.write(upserts('new', 1000), commit, never);
    await target.write(upserts('changed', 2000), commit, never);
    await target.write([{ op: 'delete', key: `${turn}-0`, row: null, stampMs: 3000 }], commit, never);
    if (loads) await this.#load(target, epoch, records('loaded'), `${turn}`);
  }

  async #load(target: Target, epoch: number, rows: readonly Row[], loadId: string): Promise<void> {
    await using load = await target.beginLoad!({ epoch, loadId, stampColumn: schema.fields.length }, never);
    const block = loadBlock(
      rows.map((each) => ({ row: each, stampMs: 4000 })),
      schema,
      () => 'text',
    );
    const blocks = (async function* () {
      yield block;
    })();
    await load.writePage(blocks, 'p', async () => {}, never);
    for await (const _ of load.differences()) break;
    await load.finish({ gone: [`${Number(loadId) - 1}-1`], checkpoint: null, signal: never });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
    await database.script(`DROP SCHEMA of_${table} CASCADE; DROP OWNED BY ${this.role}; DROP ROLE ${this.role}`);
  }
}

const ofTable = (right: string, clerk: Clerk) => `GRANT ${right} ON "of_${table}"."${table}" TO "${clerk.role}"`;

test.each(['mirror', 'mark', 'ignore'] as const)('deletes: %s: every right that is needed, and no other', async (deletes) => {
  // `secret` is nothing to the sync: no right on it is asked for.
  await using clerk = await Clerk.of('name text, number serial, secret text', { deletes });
  const given: string[] = [];
  for (let lacking = await clerk.lacking({ deletes }); lacking.length > 0; lacking = await clerk.lacking({ deletes })) {
    expect(given).not.toEqual(expect.arrayContaining(lacking));
    for (const statement of lacking) {
      // As narrow as it can be given.
      const marked = deletes === 'mark' ? ', _tidemark_deleted_at' : '';
      const columns = { SELECT: `id, name, _tidemark_stamp${marked}`, INSERT: 'id, name, _tidemark_stamp' };
      const narrow = { ...columns, UPDATE: `name, _tidemark_stamp${marked}` };
      const right = (['SELECT', 'INSERT', 'UPDATE'] as const).find((each) => statement === ofTable(each, clerk));
      given.push(right === undefined ? statement : ofTable(`${right} (${narrow[right]})`, clerk));
    }
    for (const statement of given) await database.script(statement);
  }
  expect(given).toHaveLength(deletes === 'mirror' ? 9 : 8);
  await clerk.work({ deletes });

  for (const statement of given) {
    await database.script(statement.replace('GRANT', 'REVOKE').replace(' TO ', ' FROM '));
    const told = (await clerk.lacking({ deletes })).map((each) => each.replace(/ \(.*\)/, ''));
    expect(told).toEqual([statement.replace(/ \(.*\)/, '')]);
    await expect(clerk.work({ deletes })).rejects.toMatchObject({ code: 'access_denied' });
    if (statement.includes('CREATE')) {
      expect(await clerk.lacking({ deletes }, false)).toEqual([]);
      await clerk.work({ deletes }, false);
    }
    await database.script(statement);
  }
  await clerk.work({ deletes });
});

test('of a right that was given for some columns the others are named', async () => {
  await using clerk = await Clerk.of('name text', { deletes: 'ignore' });
  await database.script(`GRANT SELECT, INSERT, UPDATE ON _tidemark_checkpoints TO ${clerk.role};
    GRANT USAGE ON SCHEMA of_${table} TO ${clerk.role}; GRANT SELECT, INSERT ON of_${table}.${table} TO ${clerk.role}; ${ofTable('UPDATE (name)', clerk)}`);
  expect(await clerk.lacking({ deletes: 'ignore' })).toContain(ofTable('UPDATE ("_tidemark_stamp")', clerk));
});

test('a table that has to be altered names its owner and the statements; once they are run, nothing is left', async () => {
  await using clerk = await Clerk.of('name text', { deletes: 'mirror' });
  await database.script(`ALTER TABLE of_${table}.${table} DROP COLUMN name; GRANT USAGE, CREATE ON SCHEMA of_${table} TO ${clerk.role};
    GRANT SELECT, INSERT, UPDATE ON _tidemark_checkpoints TO ${clerk.role}; GRANT ALL ON of_${table}.${table} TO ${clerk.role};
    DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO ${clerk.role}', current_database()); END $$`);
  await using target = await clerk.target({ deletes: 'mirror' });
  const [lacking, ...more] = await target.lackingRights!(true);
  expect([lacking!.message, more]).toEqual([expect.stringContaining('belongs to "postgres"'), []]);
  await database.script(/Let its owner run: (.*;) Or: /.exec(lacking!.hint!)![1]!);
  expect(await target.lackingRights!(true)).toEqual([]);
  await clerk.work({ deletes: 'mirror' });

  // The versions of its rows are kept by triggers, which read all of a row.
  await database.script(`REVOKE TRIGGER ON of_${table}.${table} FROM ${clerk.role}`);
  expect(await clerk.lacking({ deletes: 'mirror', history: true })).toEqual([ofTable('TRIGGER', clerk)]);
  await database.script(ofTable('TRIGGER', clerk));
  await clerk.work({ deletes: 'mirror', history: true });

  // What is only widened needs no trigger.
  await database.script(`REVOKE TRIGGER ON of_${table}.${table} FROM ${clerk.role};
    ALTER TABLE of_${table}.${table}_history DROP COLUMN name`);
  await using widened = await clerk.target({ deletes: 'mirror', history: true });
  expect((await widened.plan()).map(({ summary }) => summary)).toContain(`add column name to ${table}_history`);
  expect(await clerk.lacking({ deletes: 'mirror', history: true })).toEqual([]);
  await clerk.work({ deletes: 'mirror', history: true });
});

test("an index in a table of others is its owner's to make, who needs the right to; nobody else does", async () => {
  await using clerk = await Clerk.of('name text', { deletes: 'mirror' });
  await database.script(`ALTER TABLE of_${table}.${table} DROP CONSTRAINT ${table}_pkey; GRANT USAGE ON SCHEMA of_${table} TO ${clerk.role};
    GRANT SELECT, INSERT, UPDATE ON _tidemark_checkpoints TO ${clerk.role}; GRANT ALL ON of_${table}.${table} TO ${clerk.role};
    DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO ${clerk.role}', current_database()); END $$`);
  expect(await clerk.lacking({ deletes: 'mirror' }, false)).toEqual([
    expect.stringContaining('Let its owner run: CREATE UNIQUE'),
  ]);
  await database.script(`ALTER TABLE of_${table}.${table} OWNER TO ${clerk.role}`);
  const create = `GRANT CREATE ON SCHEMA "of_${table}" TO "${clerk.role}"`;
  expect(await clerk.lacking({ deletes: 'mirror' }, false)).toEqual([create]);
  await expect(clerk.work({ deletes: 'mirror' }, false)).rejects.toMatchObject({ code: 'access_denied' });
  await database.script(create);
  await clerk.work({ deletes: 'mirror' }, false);
});

test('what is still to be made needs the right to make it, and to keep how far it has come (P1)', async () => {
  await using clerk = await Clerk.of('name text', { deletes: 'mirror' });
  await database.script(`DROP TABLE of_${table}.${table}; GRANT SELECT, INSERT, UPDATE ON _tidemark_checkpoints TO ${clerk.role};
    GRANT USAGE ON SCHEMA of_${table} TO ${clerk.role}`);
  expect(await clerk.lacking({ deletes: 'mirror' }, false)).toContain(`GRANT CREATE ON SCHEMA "of_${table}" TO "${clerk.role}"`);
});
