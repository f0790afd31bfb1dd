import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Workplace } from '../src/testing.ts';

// What a two-way sync cannot decide, or could not write, is listed with the reason, the place and the remedy, and somebody at a
// command line puts it right.                                                                                        (P2, P7)

let place: Workplace;
let crm: DatabaseSync;
let app: DatabaseSync;
beforeEach(() => {
  place = new Workplace();
  crm = new DatabaseSync(place.path('crm.db'));
  app = new DatabaseSync(place.path('app.db'));
  crm.exec('CREATE TABLE account (id INTEGER PRIMARY KEY, name TEXT, phone TEXT, app_id TEXT UNIQUE)');
  app.exec('CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, phone TEXT, crm_id TEXT UNIQUE)');
  place.write(
    'tidemark.yaml',
    JSON.stringify({
      connections: { crm: { type: 'sqlite', path: 'crm.db' }, app: { type: 'sqlite', path: 'app.db' } },
      syncs: {
        people: {
          between: [
            { connection: 'crm', table: 'account', link: 'app_id' },
            { connection: 'app', table: 'customer', link: 'crm_id' },
          ],
          fields: { name: 'name', phone: 'phone' },
          conflicts: 'manual',
        },
      },
    }),
  );
});
afterEach(() => {
  crm.close();
  app.close();
  place[Symbol.dispose]();
});

const json = async (...argv: string[]) => JSON.parse((await place.call(...argv, '--json')).out);
const phones = (database: DatabaseSync, table: string) =>
  database
    .prepare(`SELECT name, phone FROM ${table} ORDER BY name`)
    .all()
    .map((row) => Object.values(row));

async function disagree(): Promise<void> {
  crm.exec("INSERT INTO account (name, phone) VALUES ('Acme', '1'), ('Bolt', '1')");
  expect((await place.call('schema', 'apply')).exitCode).toBe(0);
  expect((await place.call('run', 'people')).exitCode).toBe(0);
  crm.exec("UPDATE account SET phone = '2'");
  app.exec("UPDATE customer SET phone = '3'");
  await place.call('run', 'people');
}

test('conflicts are listed page by page, shown and decided; what was decided stays on record', async () => {
  await disagree();
  const list = await place.call('conflicts', 'list', 'people');
  expect(list.out).toMatch(/phone +"1" +"2" +"3" +open/);
  expect(list.out).toContain('tidemark conflicts resolve <id> --take <connection>');
  const first = await json('conflicts', 'list', '--limit', '1');
  const second = await json('conflicts', 'list', '--limit', '1', '--before', first.next);
  expect(second.next).toBeNull();
  const ids = [first, second].map(({ conflicts }) => conflicts[0].id);
  expect(new Set(ids).size).toBe(2);
  expect((await place.call('conflicts', 'show', ids[0])).out).toMatch(/crm: +"2"\n +app: +"3"/);

  expect((await place.call('conflicts', 'resolve', ids[0])).exitCode).toBe(2);
  expect((await place.call('conflicts', 'resolve', ids[0], '--take', 'crm')).exitCode).toBe(0);
  expect((await place.call('conflicts', 'resolve', ids[1], '--value', '"4"')).exitCode).toBe(0);
  expect(phones(app, 'customer')).toEqual(phones(crm, 'account'));
  expect(phones(app, 'customer').map(([, phone]) => phone)).toEqual(['4', '2']);
  expect((await place.call('conflicts', 'list')).out).toBe('no open conflicts\n');
  expect((await json('conflicts', 'list', '--all')).conflicts).toHaveLength(2);
  expect((await place.call('conflicts', 'resolve', ids[0], '--take', 'crm')).exitCode).not.toBe(0);
});

test('a record that a side refuses is listed with its place and what to do, and is tried again once it is mended', async () => {
  // A side that lacks its triggers cannot be read yet: the plan says so and goes on.
  expect(await place.call('plan', 'people', '--records')).toMatchObject({ exitCode: 0, out: expect.stringContaining('people') });
  crm.exec("INSERT INTO account (name, phone) VALUES (NULL, '1')");
  await place.call('schema', 'apply');
  const { syncs } = await json('plan', 'people', '--records');
  expect(syncs[0].dryRun.writes).toMatchObject([{ side: 'app', effect: 'create' }, { side: 'crm' }]);
  expect((await place.call('run', 'people')).exitCode).toBe(1);
  const { failures } = await json('failures', 'list');
  expect(failures).toMatchObject([{ place: 'app', code: 'SQLITE_CONSTRAINT_NOTNULL' }]);
  expect(failures[0].remedy).toMatch(/required field is empty/);
  expect((await place.call('failures', 'list')).out).toContain(failures[0].remedy);
  crm.exec("UPDATE account SET name = 'Acme'");
  expect((await place.call('failures', 'retry', failures[0].id)).exitCode).toBe(0);
  expect(phones(app, 'customer')).toEqual([['Acme', '1']]);
  expect(await json('failures', 'list')).toEqual({ failures: [], next: null });
});
