import type { Batch, Change, Source, SourceSpec } from '@tidemark/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PostgresFrom } from '../config.ts';
import { type TestDatabase, testDatabase } from '../fixture.ts';

// Whatever is committed in a captured table is told, once its transaction has ended and in whatever order that happens.   (P1)

let database: TestDatabase;
let made = 0;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.drop());

const signal = AbortSignal.timeout(600_000);

async function createTable(columns = 'id integer PRIMARY KEY, name text, data jsonb') {
  const schema = `capture_${++made}`;
  await database.script(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.items (${columns})`);
  return openTable(schema);
}

async function openTable(schema: string) {
  const connection = database.connect({ schema });
  const from: PostgresFrom = { table: 'items', capture: true };
  await connection.prepareSource!(from, signal);
  return {
    schema,
    table: `${schema}.items`,
    connection,
    open: (spec: Partial<SourceSpec<PostgresFrom>> = {}) =>
      connection.openSource!(
        { from, unit: 'sync', where: undefined, fields: null, exclude: [], startAtMs: null, ...spec },
        signal,
      ),
    logged: async () => Number((await database.sql(`SELECT count(*) FROM ${schema}._tidemark_log_items`))[0]![0]),
  };
}

async function readAll(source: Source, from: string): Promise<{ changes: Change[]; checkpoint: string }> {
  const batches: Batch[] = [];
  for await (const batch of source.readDelta!(from, signal)) batches.push(batch);
  return { changes: batches.flatMap(({ changes }) => changes), checkpoint: batches.at(-1)?.checkpoint ?? from };
}

const brief = (changes: readonly Change[]) => changes.map(({ op, key, changed }) => [op, key, changed?.join()]);

test('inserts, updates and deletes are told with what changed, as rows are now', async () => {
  const items = await createTable();
  await using source = await items.open();
  const mark = (await source.mark(signal))!;
  await database.script(`INSERT INTO ${items.table} VALUES (1, 'a', '{}'), (2, 'b', NULL), (3, 'c', NULL)`);
  const first = await readAll(source, mark);
  expect(brief(first.changes)).toEqual([
    ['upsert', '1', undefined],
    ['upsert', '2', undefined],
    ['upsert', '3', undefined],
  ]);
  await database.script(`
    UPDATE ${items.table} SET name = 'x' WHERE id = 1; UPDATE ${items.table} SET data = '[1]' WHERE id = 1;
    UPDATE ${items.table} SET name = name; DELETE FROM ${items.table} WHERE id = 2; UPDATE ${items.table} SET id = 4 WHERE id = 3`);
  const second = await readAll(source, first.checkpoint);
  expect(brief(second.changes).sort()).toEqual([
    ['delete', '2', undefined],
    ['delete', '3', undefined],
    ['upsert', '1', 'name,data'],
    ['upsert', '4', undefined],
  ]);
  expect(second.changes.find(({ key }) => key === '1')!.row).toEqual({ id: 1, name: 'x', data: [1] });
  expect(await readAll(source, second.checkpoint)).toEqual({ changes: [], checkpoint: second.checkpoint });
  expect(await items.logged()).toBe(0);
});
