import { randomBytes } from 'node:crypto';
import { seededRandom, systemClock } from '@tidemark/core';
import { contact, contactSchema, remove, upsert } from '@tidemark/testkit';
import fc from 'fast-check';
import type { Db } from 'mongodb';
import { describe, expect, test } from 'vitest';
import { createConnector } from './connector.ts';
import { createTargetFixture, mongodb } from './fixture.ts';
import { MongodbTarget } from './target.ts';

const never = AbortSignal.timeout(120_000);
const commit = { epoch: 1, settle: async () => null };

describe.skipIf(mongodb.missing !== null)('documents that several write', () => {
  test('writers of the same documents at once end in the newest of all versions (P3)', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.tuple(fc.constantFrom('a', 'b'), fc.nat({ max: 50 })), { maxLength: 6 }), {
          minLength: 2,
          maxLength: 4,
        }),
        async (writers) => {
          await using fixture = await createTargetFixture();
          const db = oneAtATime(fixture.db);
          const newest = new Map<string, number>();
          for (const [key, version] of writers.flat()) newest.set(key, Math.max(newest.get(key) ?? -1, version));
          await Promise.all(
            writers.map(async (versions) => {
              const spec = {
                to: { collection: 'contacts', validate: false },
                unit: 'u',
                schema: contactSchema,
                deletes: 'mirror',
              } as const;
              const target = new MongodbTarget(db, spec, systemClock, 'double');
              await target.prepare();
              for (const [key, version] of versions) {
                await target.write([upsert(contact(key, { Name: `version ${version}` }), 1000 + version)], commit, never);
              }
            }),
          );
          const rows = await fixture.rows(contactSchema);
          expect(new Map([...rows].map(([key, { Name }]) => [key, Name]))).toEqual(
            new Map([...newest].map(([key, version]) => [key, `version ${version}`])),
          );
        },
      ),
      { numRuns: 15 },
    ));

  test('a collection that somebody dropped is told as new, though the server has made it again for the next document (P1)', async () => {
    await using fixture = await createTargetFixture();
    const open = () => fixture.open({ schema: contactSchema, deletes: 'mirror' });
    const target = await open();
    await target.prepare();
    await target.write([upsert(contact('a', { Name: 'Ada' }), 1000)], commit, never);
    expect(await (await open()).plan()).toEqual([]);
    await fixture.db.dropCollection('contacts');
    const isNew = expect.objectContaining({ isNew: true, summary: expect.stringContaining('anew') });
    expect(await (await open()).plan()).toContainEqual(isNew);
    await target.write([upsert(contact('b', { Name: 'Bob' }), 2000)], commit, never);
    expect(await fixture.document('b')).toMatchObject({ Name: 'Bob' });
    const again = await open();
    expect(await again.plan()).toContainEqual(isNew);
    await again.prepare();
    expect(await (await open()).plan()).toEqual([]);
  });

  test('a document that its owner has changed keeps what no sync writes', async () => {
    await using fixture = await createTargetFixture();
    const target = await fixture.open({ schema: contactSchema, deletes: 'mirror' });
    await target.prepare();
    await target.write([upsert(contact('a', { Name: 'Ada' }), 1000)], commit, never);
    await fixture.change('a', { note: 'mine', Count: 7 });
    expect((await target.write([upsert(contact('a', { Name: 'Ada L.' }), 2000)], commit, never))[0]!.status).toBe('updated');
    expect(await fixture.document('a')).toMatchObject({ note: 'mine', Name: 'Ada L.', Count: null });
  });

  test('a unique index of the user refuses one record, and the others are written (P2)', async () => {
    await using fixture = await createTargetFixture();
    const target = await fixture.open({ schema: contactSchema, deletes: 'mirror' });
    await target.prepare();
    await fixture.makeUnique('Name');
    const results = await target.write(
      [
        upsert(contact('a', { Name: 'same' }), 1),
        upsert(contact('b', { Name: 'same' }), 1),
        upsert(contact('c', { Name: 'other' }), 1),
      ],
      commit,
      never,
    );
    expect(results.map(({ status }) => status).sort()).toEqual(['created', 'created', 'rejected']);
    const refused = results.find((result) => result.status === 'rejected');
    expect(refused).toMatchObject({ reason: { code: '11000', message: expect.stringContaining('duplicate key') } });
    expect((await target.write([remove('a', 2), remove('b', 2)], commit, never)).map(({ status }) => status).sort()).toEqual([
      'deleted',
      'unchanged',
    ]);
  });
});

test('a server that is not there is said so without a word of the password (P10)', async () => {
  const password = randomBytes(8).toString('hex');
  const connector = createConnector();
  const config = connector.config.parse({ url: `mongodb://u:${password}@127.0.0.1:1/app` });
  const quiet = { debug() {}, info() {}, warn() {}, error() {} };
  const context = { connection: 'm', clock: systemClock, random: seededRandom(1), log: quiet, fetch, baseDir: '.' };
  await using connection = connector.open({ ...config, selectMs: 200 }, context);
  const [problem] = await connection.check();
  expect(problem).toMatchObject({ place: 'connections.m', severity: 'error' });
  expect(problem!.message).toContain('127.0.0.1:1');
  expect(JSON.stringify(problem)).not.toContain(password);
});

test("a url without a database is refused, and none of the driver's own choice is written", async () => {
  const connector = createConnector();
  const quiet = { debug() {}, info() {}, warn() {}, error() {} };
  const context = { connection: 'm', clock: systemClock, random: seededRandom(1), log: quiet, fetch, baseDir: '.' };
  for (const url of ['mongodb://127.0.0.1:1', 'mongodb://127.0.0.1:1/', 'mongodb://127.0.0.1:1/?tls=false']) {
    await using connection = connector.open(connector.config.parse({ url, selectMs: 200 }), context);
    expect(await connection.check()).toMatchObject([{ severity: 'error', message: 'connections.m names no database' }]);
  }
});

/**
 * Commands of several clients in turn. MongoDB changes a document as one piece, condition included; FerretDB does not always, and it is
 * our reading and writing that is tried here, not that.
 */
function oneAtATime(db: Db): Db {
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work);
    last = mine.catch(() => {});
    return mine;
  };
  const collection = (name: string) => {
    const real = db.collection(name);
    return {
      find: (...args: Parameters<typeof real.find>) => ({ toArray: () => inTurn(() => real.find(...args).toArray()) }),
      bulkWrite: (...args: Parameters<typeof real.bulkWrite>) => inTurn(() => real.bulkWrite(...args)),
      findOne: (...args: unknown[]) => inTurn(() => real.findOne(...(args as []))),
      replaceOne: (...args: Parameters<typeof real.replaceOne>) => inTurn(() => real.replaceOne(...args)),
      updateOne: (...args: Parameters<typeof real.updateOne>) => inTurn(() => real.updateOne(...args)),
      indexes: () => inTurn(() => real.indexes()),
      createIndex: (...args: Parameters<typeof real.createIndex>) => inTurn(() => real.createIndex(...args)),
    };
  };
  const listCollections = (...args: Parameters<typeof db.listCollections>) => db.listCollections(...args);
  const createCollection = (name: string) => inTurn(() => db.createCollection(name));
  return { collection, listCollections, createCollection } as unknown as Db;
}
