import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { evidence } from '@tidemark/emulator';
import { type Ask, expectSoundHistory, readCurrent, readVersions } from '@tidemark/testkit';
import fc from 'fast-check';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { LiveWorld } from './live-world.ts';
import { OrgWorld, type TargetKind } from './org-world.ts';

// Whatever people do in the org and faults do to us: the open versions are the rows, versions leave no hole and do not overlap, and
// what comes again leaves none.                                                                                       (P1, P3, P4)

const which = fc.nat(4);
const name = fc.constantFrom('x', 'y', 'z', null);
const write = fc.oneof(
  fc.record({ do: fc.constant('insert' as const), name }),
  fc.record({ do: fc.constant('update' as const), which, name }),
  fc.record({ do: fc.constant('update' as const), which, name }),
  fc.record({ do: fc.constant('delete' as const), which }),
  fc.record({ do: fc.constant('undelete' as const), which }),
);
type Write = typeof write extends fc.Arbitrary<infer W> ? W : never;

/** In one transaction of the org; what it refuses is left out. */
function apply(org: OrgWorld['org'], ids: string[], step: Write): void {
  try {
    org.write((transaction) => {
      const id = ids[(step.do === 'insert' ? 0 : step.which) % ids.length]!;
      if (step.do === 'insert') ids.push(transaction.insert('Contact', { LastName: 'New', Department: step.name }).id);
      else if (step.do === 'update') transaction.update('Contact', id, { Department: step.name });
      else transaction[step.do]('Contact', id);
    });
  } catch (error) {
    expect((error as Error).name).toBe('SalesforceError');
  }
}

const faults = [
  { kind: 'unavailable', match: { path: '/services/data', times: 2 } },
  { kind: 'drop', match: { path: '/services/data', after: 1, times: 1 } },
  { kind: 'truncate', match: { pattern: '/results|/composite', times: 1 }, params: { afterBytes: 60 } },
] as const;
const step = fc.oneof(
  { weight: 6, arbitrary: write },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('run' as const), full: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), seconds: fc.constantFrom(1, 90, 2000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fault' as const), fault: fc.nat(faults.length - 1) }) },
);

const fields = { id: 'Id', last: 'LastName', dept: 'Department' };

describe.each<TargetKind>(['sqlite', 'postgres'])(
  `polls into %s ${evidence('documented', 'REST API guide, query and queryAll')}`,
  (target) => {
    test('deltas, full runs and faults leave a sound history, and what is read again leaves nothing', () =>
      fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 10 }), fc.constantFrom('mirror', 'mark'), async (steps, deletes) => {
          await using world = await OrgWorld.open({
            target,
            sync: { history: true, deletes, fields, sweepMax: 1 },
            from: { pageRows: 3 },
          });
          const ids = ['One', 'Two'].map((LastName) => world.insert({ LastName }));
          const ask = askOf(world);
          const place = {
            table: 'copy',
            columns: [...Object.keys(fields), ...(deletes === 'mark' ? ['_tidemark_deleted_at'] : [])],
          };
          const sound = async () => {
            const versions = await readVersions(ask, place);
            expectSoundHistory(versions, await readCurrent(ask, place));
            return versions;
          };
          for (const each of steps) {
            if (each.do === 'run') {
              await world.run({ full: each.full });
              await sound();
            } else if (each.do === 'wait') world.org.clock.advance(each.seconds * 1000);
            else if (each.do === 'fault') world.emulator.faults.add(faults[each.fault]!);
            else apply(world.org, ids, each);
          }
          world.emulator.faults.clear();
          world.org.clock.advance(90_000);
          for (const full of [false, true])
            expect(await world.run({ full })).toMatchObject({ state: 'succeeded', openFailures: 0 });
          const versions = await sound();
          for (const full of [false, true]) await world.run({ full });
          expect(await sound()).toEqual(versions);
          expect(await world.verify()).toMatchObject({ differences: 0 });
        }),
        { numRuns: 4 },
      ));
  },
);

function askOf(world: OrgWorld): Ask {
  if (world.databaseUrl === null) {
    return (sql) => {
      const database = new DatabaseSync(join(world.folder, 'copy.db'));
      try {
        return rowsOf(database, sql);
      } finally {
        database.close();
      }
    };
  }
  return async (sql) => {
    const client = new pg.Client({ connectionString: world.databaseUrl! });
    await client.connect();
    try {
      return (await client.query({ text: sql, rowMode: 'array' })).rows as (string | null)[][];
    } finally {
      await client.end();
    }
  };
}

function rowsOf(database: DatabaseSync, sql: string): (string | null)[][] {
  const statement = database.prepare(sql);
  statement.setReturnArrays(true);
  return statement.all() as unknown as (string | null)[][];
}

test(`a stream, killed and begun again, leaves a sound history ${evidence('documented', 'Pub/Sub API, event replay')}`, () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          { weight: 5, arbitrary: write },
          { weight: 1, arbitrary: fc.constantFrom({ do: 'kill' as const }, { do: 'live' as const }) },
        ),
        {
          minLength: 4,
          maxLength: 14,
        },
      ),
      async (steps) => {
        await using world = await LiveWorld.open();
        const ids = ['One', 'Two'].map((LastName) => world.insert('Contact', { LastName }));
        const synced = { history: true, fields: { ...fields } };
        let life = await world.start('pubsub', synced);
        const place = { table: 'contacts', columns: Object.keys(fields) };
        const sound = async () => {
          const versions = await readVersions((sql) => rowsOf(world.database, sql), place);
          expectSoundHistory(versions, await readCurrent((sql) => rowsOf(world.database, sql), place));
          return versions;
        };
        await world.live(life);
        for (const each of steps) {
          if (each.do === 'kill') {
            await life.kill();
            await sound();
            life = await world.start('pubsub', synced);
          } else if (each.do === 'live') await world.live(life);
          else apply(world.org, ids, each);
        }
        await world.live(life);
        const truth = () =>
          world.org.query('SELECT Id, LastName, Department FROM Contact').page(0, 100, 'v62.0') as Record<
            string,
            string | null
          >[];
        await expect
          .poll(async () => new Set((await readCurrent((sql) => rowsOf(world.database, sql), place)).values()))
          .toEqual(new Set(truth().map(({ Id, LastName, Department }) => JSON.stringify([Id, LastName, Department ?? null]))));
        await life.stop();
        const versions = await sound();
        // The first version of each record, and one more at most for each write that named it.
        expect(versions.length).toBeLessThanOrEqual(2 + steps.length);
        expect(new Set(versions.map(({ key }) => key)).size).toBeLessThanOrEqual(ids.length);
      },
    ),
    { numRuns: 4 },
  ));
