import { type ConfigError, systemClock } from '@tidemark/core';
import { expect, test } from 'vitest';
import { database, table } from './table-fixture.ts';

// What a two-way sync would fail at with its first change is said before, field by field, with what mends it.        (P2, P7)

test('columns that the user may not read or set are named with the grant; once it is made, the side writes', async () => {
  const role = `clerk_${process.pid}_${systemClock.now()}`;
  await database.script(`CREATE TABLE ${table} (id int PRIMARY KEY, name text, phone text, secret text, crm_id text UNIQUE, size int,
      doubled int GENERATED ALWAYS AS (size * 2) STORED);
    INSERT INTO ${table} (id, name) VALUES (1, 'Ann');
    CREATE ROLE ${role} LOGIN PASSWORD 'r';
    GRANT SELECT (id, name, phone, crm_id, doubled), INSERT (id, name), UPDATE (id, name) ON ${table} TO ${role}`);
  const url = Object.assign(new URL(database.url), { username: role, password: 'r' }).href;
  const connection = database.connect({ url });
  const fields = ['id', 'name', 'phone', 'secret', 'doubled'];
  const open = (writes: readonly string[]) =>
    connection.openSide!(
      { side: { table, capture: false }, link: 'crm_id', fields, writes, unit: 'people' },
      new AbortController().signal,
    );
  const problems = await open(fields).then(
    () => [],
    (error: ConfigError) => error.problems,
  );
  expect(problems.map(({ place, message }) => `${place}: ${message}`)).toEqual([
    `syncs.people.fields.phone: "${role}" may not set "public"."${table}"."phone"`,
    `syncs.people.fields.secret: "${role}" may not read "public"."${table}"."secret"`,
    `syncs.people.between: "${role}" may not set "public"."${table}"."crm_id"`,
    `syncs.people.fields.doubled: PostgreSQL computes "public"."${table}"."doubled" itself`,
  ]);
  expect(problems[3]!.hint).toContain('to:');

  for (const { hint } of problems.slice(0, 3)) await database.script(hint!.split(';')[0]!);
  const side = await open(['id', 'name', 'phone', 'secret']);
  const row = { name: 'Ann B', phone: '1', secret: '2', crm_id: 'x' };
  expect(await side.merge(['1'], async () => [{ op: 'update', key: '1', row }], new AbortController().signal)).toEqual([
    { status: 'written', key: '1' },
  ]);
  await side[Symbol.asyncDispose]();
  await connection[Symbol.asyncDispose]();
  await database.script(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
});

test('rights to delete rows and to draw keys from a sequence are named; a side that needs neither writes without them', async () => {
  const role = `clerk_${process.pid}_${systemClock.now()}`;
  await database.script(`CREATE TABLE ${table} (id serial PRIMARY KEY, name text); INSERT INTO ${table} VALUES (7, 'Bea');
    CREATE ROLE ${role} LOGIN PASSWORD 'r'; GRANT SELECT, INSERT, UPDATE ON ${table} TO ${role}`);
  const url = Object.assign(new URL(database.url), { username: role, password: 'r' }).href;
  const connection = database.connect({ url });
  const never = new AbortController().signal;
  const open = (deletes: boolean) =>
    connection.openSide!(
      { side: { table, capture: false }, link: null, fields: ['id', 'name'], writes: ['name'], deletes, unit: 'people' },
      never,
    );
  const sequence = expect.stringContaining(`"${role}" lacks USAGE on the sequence "public"."${table}_id_seq"`);
  const careful = await open(false);
  expect((await careful.lackingRights!(never)).map(({ message }) => message)).toEqual([sequence]);
  await careful[Symbol.asyncDispose]();
  const side = await open(true);
  const lacking = await side.lackingRights!(never);
  expect(lacking.map(({ message }) => message)).toEqual([expect.stringContaining('lacks DELETE on'), sequence]);
  expect(await side.merge(['7'], async () => [{ op: 'update', key: '7', row: { name: 'Bee' } }], never)).toEqual([
    { status: 'written', key: '7' },
  ]);
  for (const { hint } of lacking) await database.script(hint!.split(';')[0]!);
  expect(await side.lackingRights!(never)).toEqual([]);
  const [made] = await side.merge([], async () => [{ op: 'create', row: { name: 'Ann' } }], never);
  expect(made).toEqual({ status: 'written', key: '1' });
  expect(await side.merge(['1'], async () => [{ op: 'delete', key: '1' }], never)).toEqual([{ status: 'written', key: '1' }]);
  await side[Symbol.asyncDispose]();
  await connection[Symbol.asyncDispose]();
  await database.script(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
});
