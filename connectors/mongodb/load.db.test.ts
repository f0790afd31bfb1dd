import { type Block, type Load, type RejectedRow, TransientError } from '@tidemark/core';
import { contact, contactSchema, loadBlock, type StampedRow, upsert } from '@tidemark/testkit';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTargetFixture, isFerret, mongodb } from './fixture.ts';

const never = AbortSignal.timeout(120_000);
const commit = { epoch: 1, settle: async () => null };
const end = { gone: [], checkpoint: null, signal: never };

let fixture: Awaited<ReturnType<typeof createTargetFixture>>;

const stamped = (keys: readonly string[], Name: string): StampedRow[] =>
  keys.map((key) => ({ row: contact(key, { Name }), stampMs: 1000 }));
const blockOf = (rows: readonly StampedRow[]) => loadBlock(rows, contactSchema, () => 'values');

async function* blocksOf(blocks: readonly Block[], fails = false) {
  yield* blocks;
  if (fails) throw new TransientError('cut off');
}

async function begin(loadId = 'load', epoch = 1): Promise<Load> {
  const target = await fixture.open({ schema: contactSchema, deletes: 'mirror' });
  await target.prepare();
  return target.beginLoad!({ epoch, loadId, stampColumn: contactSchema.fields.length }, never);
}

async function write(
  load: Load,
  position: string,
  batches: readonly (readonly string[])[],
  fails = false,
): Promise<RejectedRow[]> {
  const rejected: RejectedRow[] = [];
  const blocks = batches.map((keys) => blockOf(stamped(keys, position)));
  const written = load.writePage(blocksOf(blocks, fails), position, async (rows) => void rejected.push(...rows), never);
  if (fails) await expect(written).rejects.toThrow('cut off');
  else await written;
  return rejected;
}

const names = async () => Object.fromEntries([...(await fixture.rows(contactSchema))].map(([key, { Name }]) => [key, Name]));
const collections = async () =>
  (await fixture.db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name).sort();

describe.skipIf(mongodb.missing !== null)(`loads${mongodb.missing === null ? '' : `: ${mongodb.missing}`}`, () => {
  beforeEach(async () => {
    fixture = await createTargetFixture();
  });
  afterEach(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  test('a load becomes the collection that there is none of, with its index, and leaves nothing else', async () => {
    const load = await begin();
    await write(load, 'page 1', [['a', 'b']]);
    expect(await collections()).not.toContain('contacts');
    await load.finish(end);
    expect(await collections()).toEqual(['_tidemark_collections', '_tidemark_loads', 'contacts']);
    const indexes = await fixture.db.collection('contacts').indexes();
    expect(indexes.map(({ key }) => Object.keys(key).join())).toContain('ParentId');
    // And writes go on in it.
    const target = await fixture.open({ schema: contactSchema, deletes: 'mirror' });
    await target.write([upsert(contact('b', { Name: 'later' }), 2000)], commit, never);
    expect(await names()).toEqual({ a: 'page 1', b: 'later' });
  });

  // Nothing but their order ties a page's documents to its position.                                                        (P1, P12)
  test('pages that break off, and processes that end within one, leave what was kept and no more', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            batches: fc.array(fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 4 }), { maxLength: 3 }),
            fate: fc.constantFrom('kept', 'kept', 'breaks off', 'begun anew'),
          }),
          { minLength: 1, maxLength: 6 },
        ),
        async (pages) => {
          await fixture[Symbol.asyncDispose]();
          fixture = await createTargetFixture();
          const expected = new Map<string, string>();
          let load = await begin();
          for (const [p, { batches, fate }] of pages.entries()) {
            await write(load, `page ${p}`, batches, fate === 'breaks off');
            if (fate === 'begun anew') load = await begin();
            if (fate !== 'breaks off') for (const key of batches.flat()) expected.set(key, `page ${p}`);
          }
          expect((await load.finish(end)).created).toBe(expected.size);
          expect(await names()).toEqual(Object.fromEntries([...expected].sort()));
        },
      ),
      { numRuns: 12 },
    ));

  test('a process that is killed within a page leaves its rows behind: whoever goes on takes them away first', async () => {
    const load = await begin();
    await write(load, 'page 1', [['a', 'b']]);
    const staging = (await collections()).find((name) => /^_tidemark_load_\w{16}$/.test(name))!;
    // What a page has sent before it was kept.
    await fixture.db.collection(`${staging}_keys`).insertOne({ page: 1, keys: ['c', 'd'] });
    await fixture.db.collection(staging).insertOne({ _id: 'c' as never, Name: 'never kept' });
    const resumed = await begin();
    expect([resumed.position, resumed.rows]).toEqual(['page 1', 2]);
    await write(resumed, 'page 2', [['d']]);
    await resumed.finish(end);
    expect(await names()).toEqual({ a: 'page 1', b: 'page 1', d: 'page 2' });
  });

  test('a staging that does not hold what was kept is begun anew, so that nothing is swept for it (P4)', async () => {
    await write(await begin(), 'page 1', [['a', 'b']]);
    const staging = (await collections()).find((name) => /^_tidemark_load_\w{16}$/.test(name))!;
    await fixture.db.collection(staging).deleteOne({ _id: 'a' as never });
    const again = await begin();
    expect([again.position, again.rows]).toEqual([null, 0]);
  });

  test('a former owner keeps no page of a load that another one goes on with (P11)', async () => {
    const former = await begin('load', 1);
    await write(former, 'page 1', [['a']]);
    const latest = await begin('load', 2);
    await expect(write(former, 'page 2', [['b']])).rejects.toThrow('another worker goes on with this load');
    await expect(begin('load', 1)).rejects.toThrow('another worker goes on with this load');
    await write(latest, 'page 2', [['c']]);
    await latest.finish(end);
    expect(await names()).toEqual({ a: 'page 1', c: 'page 2' });
  });

  test('a document over 16 MB is handed over, and the rows around it are loaded (P2)', async () => {
    const load = await begin();
    const rows = [...stamped(['a'], 'x'), ...stamped(['large'], 'x'.repeat(17 * 1024 * 1024)), ...stamped(['z'], 'x')];
    const rejected: RejectedRow[] = [];
    await load.writePage(blocksOf([blockOf(rows)]), 'page 1', async (part) => void rejected.push(...part), never);
    expect(rejected).toMatchObject([{ key: 'large', reason: { code: '10334' } }]);
    await load.finish(end);
    expect(Object.keys(await names())).toEqual(['a', 'z']);
  });

  test('what only the merge finds to be refused is handed over, and the rest is merged (P2)', async () => {
    const target = await fixture.open({ schema: contactSchema, deletes: 'mirror' });
    await target.prepare();
    await target.write([upsert(contact('a', { Name: 'taken' }), 1000)], commit, never);
    await fixture.makeUnique('Name');
    const load = await begin();
    await load.writePage(
      blocksOf([blockOf([...stamped(['a', 'b'], 'taken'), ...stamped(['c'], 'free')])]),
      'page 1',
      async () => {},
      never,
    );
    const rejected: RejectedRow[] = [];
    const counts = await load.finish({ ...end, reject: async (rows) => void rejected.push(...rows) });
    expect(counts).toEqual({ created: 1, updated: 0, unchanged: 1, deleted: 0 });
    expect(rejected).toMatchObject([{ key: 'b', reason: { code: '11000' } }]);
  });

  test.skipIf(isFerret)('a collection with a validator is loaded by it (FerretDB has none)', async () => {
    const load = await begin();
    await write(load, 'page 1', [['a']]);
    await load.finish(end);
    const target = await fixture.open({ schema: contactSchema, deletes: 'mirror', validate: true });
    await target.prepare();
    await expect(fixture.db.collection('contacts').insertOne({ Active: 'yes' })).rejects.toThrow('failed validation');
  });
});
