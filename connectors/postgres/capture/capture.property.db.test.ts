import { type Change, systemClock } from '@tidemark/core';
import { LogFollower, readerDies } from '@tidemark/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Client, query } from '../driver.ts';
import { database } from '../table-fixture.ts';
import { CaptureReader, openCapture } from './reader.ts';
import { installCapture } from './schema.ts';

// Whatever several sessions write, roll back and commit, in whatever order, and wherever readers die: each reader's copy ends equal
// to the table, never sees a row go back to an older state, and the log is empty once all have read it.               (P1, P3)

let made = 0;

const signal = AbortSignal.timeout(600_000);
const writers = 3;
/** Each session writes keys of its own, so that none waits for a lock of another. */
const keysEach = 4;

const key = fc.integer({ min: 0, max: keysEach - 1 });
const write = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('put' as const), key }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), key }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('rename' as const), key, to: key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('shift' as const), key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('savepoint' as const), key }) },
);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ who: fc.integer({ min: 0, max: writers - 1 }), write }) },
  {
    weight: 3,
    arbitrary: fc.record({ who: fc.integer({ min: 0, max: writers - 1 }), end: fc.constantFrom('COMMIT', 'COMMIT', 'ROLLBACK') }),
  },
  {
    weight: 4,
    arbitrary: readerDies,
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function world(run: (table: string, sessions: readonly Client[], open: (unit: string) => CaptureReader) => Promise<void>) {
  const schema = `property_${++made}`;
  await database.script(
    `CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.items (id integer PRIMARY KEY DEFERRABLE, version integer, note text)`,
  );
  const pool = database.open(writers + 2);
  const sessions: Client[] = [];
  try {
    await installCapture(pool, schema, 'items', signal);
    for (let i = 0; i < writers; i++) sessions.push(await pool.connect());
    const { table } = await openCapture(sessions[0]!, schema, 'items');
    const readCurrent = async (client: Client, keys: readonly (readonly string[])[]) => {
      const { rows } = await query(
        client,
        `SELECT wanted.id, s.version FROM unnest($1::int[]) WITH ORDINALITY AS wanted (id, place) LEFT JOIN ${schema}.items s USING (id) ORDER BY place`,
        [keys.map(([id]) => id)],
      );
      return rows.map(([id, version]): Change => {
        const gone = version === null;
        return {
          op: gone ? 'delete' : 'upsert',
          key: id!,
          row: gone ? null : { id: Number(id), version: Number(version) },
          stampMs: 0,
        };
      });
    };
    await run(
      `${schema}.items`,
      sessions,
      (unit) => new CaptureReader({ pool, table, unit, ignoreOwn: false, clock: systemClock, pageRows: 3, readCurrent }),
    );
    const left = await database.sql(`SELECT count(*) FROM ${schema}._tidemark_log_items`);
    expect(left[0]![0]).toBe('0');
  } finally {
    for (const session of sessions) session.release();
    await pool.end();
    await database.script(`DROP SCHEMA ${schema} CASCADE`);
  }
}

async function perform(
  session: Client,
  table: string,
  who: number,
  { write }: Extract<Step, { write: unknown }>,
  version: () => number,
) {
  const idOf = (n: number) => who * 100 + n;
  // A key that is checked at the end of a statement, so that two rows may change theirs, takes no `ON CONFLICT`.
  const put = () =>
    `WITH u AS (UPDATE ${table} SET version = ${version()} WHERE id = ${idOf(write.key)} RETURNING 1)
     INSERT INTO ${table} SELECT ${idOf(write.key)}, ${version()} WHERE NOT EXISTS (SELECT FROM u)`;
  const own = `id BETWEEN ${idOf(0)} AND ${idOf(keysEach - 1)}`;
  switch (write.kind) {
    case 'put':
      return session.query(put());
    case 'delete':
      return session.query(`DELETE FROM ${table} WHERE id = ${idOf(write.key)}`);
    case 'rename':
      return session.query(
        `UPDATE ${table} SET id = CASE id WHEN ${idOf(write.key)} THEN ${idOf(write.to)} ELSE ${idOf(write.key)} END, version = ${version()}
         WHERE id IN (${idOf(write.key)}, ${idOf(write.to)})`,
      );
    case 'shift':
      return session.query(`UPDATE ${table} SET version = ${version()} WHERE ${own}`);
    case 'savepoint':
      return session.query(`SAVEPOINT s; ${put()}; ROLLBACK TO s`);
  }
}

/** A transaction with an earlier id commits while a later one has been read in part. */
const lateBehindAPage: Step[] = [
  { who: 0, write: { kind: 'put', key: 0 } },
  ...[0, 1, 2, 3].map((key) => ({ who: 1, write: { kind: 'put' as const, key } })),
  { who: 1, end: 'COMMIT' },
  { reader: 'a', batches: 1, keptLess: 0 },
  { who: 0, end: 'COMMIT' },
];

test('copies end equal, and no row goes back', () =>
  fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) =>
      world(async (table, sessions, openReader) => {
        let last = 0;
        const version = () => ++last;
        const followers = await LogFollower.pair(openReader);
        const open = new Set<number>();
        const end = async (who: number, how: string) => {
          if (open.delete(who)) await sessions[who]!.query(how);
        };
        for (const each of steps) {
          if ('reader' in each) await followers[each.reader].follow(each.batches, each.keptLess);
          else if ('end' in each) await end(each.who, each.end);
          else {
            if (!open.has(each.who)) await sessions[each.who]!.query('BEGIN');
            open.add(each.who);
            await perform(sessions[each.who]!, table, each.who, each, version);
          }
        }
        for (const who of [...open].reverse()) await end(who, 'COMMIT');
        const rows = await database.sql(`SELECT id, version FROM ${table} ORDER BY id`);
        for (const follower of Object.values(followers)) await follower.endsEqualTo(rows.map(([id, v]) => [id!, Number(v)]));
      }),
    ),
    { numRuns: 40, examples: [[lateBehindAPage]] },
  ));
