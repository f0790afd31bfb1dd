import { DatabaseSync } from 'node:sqlite';
import { type Change, systemClock } from '@tidemark/core';
import { LogFollower, readerDies } from '@tidemark/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SqliteClient } from '../client.ts';
import { createFile } from '../fixture.ts';
import { lookup } from './lookup.ts';
import { CaptureReader } from './reader.ts';
import { installCapture } from './schema.ts';

// Whatever programs write, replace, roll back and commit, and wherever readers die: each reader's copy ends equal to the table,
// and never sees a row go back to an older state.                                                                    (P1, P3)

const id = fc.integer({ min: 1, max: 6 });
/** A value that no two rows may have: REPLACE pushes rows aside for it. */
const slot = fc.integer({ min: 1, max: 4 });
const statement = fc.oneof(
  fc.record({ kind: fc.constant('replace' as const), id, slot }),
  fc.record({ kind: fc.constant('upsert' as const), id, slot }),
  fc.record({ kind: fc.constant('ignore' as const), id, slot }),
  fc.record({ kind: fc.constant('move' as const), id, slot }),
  fc.record({ kind: fc.constant('rename' as const), id, to: id }),
  fc.record({ kind: fc.constant('delete' as const), id }),
  fc.record({ kind: fc.constant('all' as const), id }),
);
type Statement = typeof statement extends fc.Arbitrary<infer T> ? T : never;
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      program: fc.integer({ min: 0, max: 1 }),
      statements: fc.array(statement, { minLength: 1, maxLength: 5 }),
      end: fc.constantFrom('COMMIT', 'COMMIT', 'ROLLBACK'),
    }),
  },
  {
    weight: 2,
    arbitrary: readerDies,
  },
);

function sqlOf(each: Statement, version: number): string {
  switch (each.kind) {
    case 'replace':
      return `REPLACE INTO items VALUES (${each.id}, ${each.slot}, ${version})`;
    case 'upsert':
      return `INSERT INTO items VALUES (${each.id}, NULL, ${version}) ON CONFLICT DO UPDATE SET version = excluded.version`;
    case 'ignore':
      return `INSERT OR IGNORE INTO items VALUES (${each.id}, ${each.slot}, ${version})`;
    case 'move':
      return `UPDATE OR REPLACE items SET slot = ${each.slot}, version = ${version} WHERE id = ${each.id}`;
    case 'rename':
      return `UPDATE OR REPLACE items SET id = ${each.to}, version = ${version} WHERE id = ${each.id}`;
    case 'delete':
      return `DELETE FROM items WHERE id = ${each.id}`;
    case 'all':
      return `UPDATE items SET version = ${version}`;
  }
}

test('copies end equal, and no row goes back', () =>
  fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      await using file = await createFile();
      file.sql('PRAGMA journal_mode = WAL');
      file.sql('CREATE TABLE items (id INTEGER PRIMARY KEY, slot INTEGER UNIQUE, version INTEGER)');
      const client = new SqliteClient({ path: file.path, busyTimeoutMs: 2000 }, async (_, work) => work());
      const programs = [new DatabaseSync(file.path), new DatabaseSync(file.path)];
      try {
        await installCapture(client, 'items');
        // One of them is told of what it pushes aside by its own deletes.
        programs[1]!.exec('PRAGMA recursive_triggers = ON');
        const facts = await client.call('describeCapture', 'items');
        const readCurrent = async (keys: readonly (readonly unknown[])[]) => {
          const rows = await lookup(client, 'SELECT id, version FROM items', []);
          return keys.map(([key]): Change => {
            const found = rows.find(([one]) => one === key);
            const row = found === undefined ? null : { id: Number(key), version: Number(found[1]) };
            return { op: row === null ? 'delete' : 'upsert', key: String(key), row, stampMs: 0 };
          });
        };
        const openReader = (unit: string) =>
          new CaptureReader({
            client,
            facts,
            unit,
            ignoreOwn: false,
            clock: systemClock,
            pageRows: 3,
            readCurrent,
            refuseNullKeys: async () => {},
          });
        const followers = await LogFollower.pair(openReader);
        let version = 0;
        for (const each of steps) {
          if ('reader' in each) {
            await followers[each.reader].follow(each.batches, each.keptLess);
            continue;
          }
          const program = programs[each.program]!;
          program.exec('BEGIN');
          for (const one of each.statements) program.exec(sqlOf(one, ++version));
          program.exec(each.end);
        }
        const rows = file.sql<{ id: number; version: number }>('SELECT id, version FROM items ORDER BY id');
        for (const follower of Object.values(followers)) {
          await follower.endsEqualTo(rows.map((row) => [String(row.id), row.version]));
        }
        expect(file.sql('SELECT * FROM _tidemark_log_items').length).toBe(1);
      } finally {
        for (const program of programs) program.close();
        await client.close();
      }
    }),
    { numRuns: 60 },
  ));
