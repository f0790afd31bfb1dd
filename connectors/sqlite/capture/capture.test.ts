import type { Batch, Change, Source, SourceSpec } from '@tidemark/core';
import { expect, test } from 'vitest';
import type { SqliteFrom } from '../config.ts';
import { createFile } from '../fixture.ts';

// Whatever is committed in a captured table is told: every statement that SQLite has, deletes that it makes in silence included.
//                                                                                                                   (P1, P4)

const signal = AbortSignal.timeout(600_000);
const plain = 'CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, data TEXT)';

async function createItems(create = plain) {
  const file = await createFile();
  file.sql(create);
  const from: SqliteFrom = { table: 'items', capture: true };
  await file.connection.prepareSource!(from, signal);
  return {
    file,
    sql: file.sql,
    open: (spec: Partial<SourceSpec<SqliteFrom>> = {}) =>
      file.connection.openSource!(
        { from, unit: 'sync', where: undefined, fields: null, exclude: [], startAtMs: null, ...spec },
        signal,
      ),
    /** What its triggers have told and nobody has put away yet. */
    logged: () => file.sql<{ op: string }>("SELECT op FROM _tidemark_log_items WHERE op <> '-' ORDER BY seq").map(({ op }) => op),
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}

async function readAll(source: Source, from: string): Promise<{ changes: Change[]; checkpoint: string }> {
  const batches: Batch[] = [];
  for await (const batch of source.readDelta!(from, signal)) batches.push(batch);
  return { changes: batches.flatMap(({ changes }) => changes), checkpoint: batches.at(-1)?.checkpoint ?? from };
}

const brief = (changes: readonly Change[]) =>
  changes.map(({ op, key, changed }) => [op, key, changed?.join()]).sort(([, a], [, b]) => (a! < b! ? -1 : 1));

test('inserts, updates and deletes are told with what changed, as rows are now', async () => {
  await using items = await createItems();
  await using source = await items.open();
  const mark = (await source.mark(signal))!;
  items.sql("INSERT INTO items VALUES (1, 'a', '{}'), (2, 'b', NULL), (3, 'c', NULL)");
  const first = await readAll(source, mark);
  expect(brief(first.changes)).toEqual([
    ['upsert', '1', undefined],
    ['upsert', '2', undefined],
    ['upsert', '3', undefined],
  ]);
  items.sql("UPDATE items SET name = 'x' WHERE id = 1");
  items.sql("UPDATE items SET data = '[1]' WHERE id = 1");
  items.sql('UPDATE items SET name = name');
  items.sql('DELETE FROM items WHERE id = 2');
  items.sql('UPDATE items SET id = 4 WHERE id = 3');
  const second = await readAll(source, first.checkpoint);
  expect(brief(second.changes)).toEqual([
    ['upsert', '1', 'name,data'],
    ['delete', '2', undefined],
    ['delete', '3', undefined],
    ['upsert', '4', undefined],
  ]);
  expect(second.changes.find(({ key }) => key === '1')!.row).toEqual({ id: 1, name: 'x', data: '[1]' });
  expect(await readAll(source, second.checkpoint)).toEqual({ changes: [], checkpoint: second.checkpoint });
});
