import { type Block, type DatasetSchema, keyOf, type Load, OwnershipLostError, type RejectedRow, type Row } from '@tidemark/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type BlockStyle,
  contact,
  contactSchema,
  hostileTexts,
  loadBlock,
  remove,
  row,
  type StampedRow,
  upsert,
  valuesByField,
} from './rows.ts';
import { type CreateTarget, type OpenTarget, openTarget, type TargetTraits, withTarget } from './target-fixture.ts';

const never = new AbortController().signal;
const nothingGone = { gone: [], checkpoint: null, signal: never };
const inText = (): BlockStyle => 'text';
const at = (stampMs: number, ...rows: Row[]): StampedRow[] => rows.map((each) => ({ row: each, stampMs }));

async function begin({ target, epoch }: OpenTarget, loadId = 'load 1', schema: DatasetSchema = contactSchema): Promise<Load> {
  return target.beginLoad!({ epoch, loadId, stampColumn: schema.fields.length }, never);
}

async function* blocksOf(blocks: readonly Block[]) {
  yield* blocks;
}

/** Stages rows as one page of one block; answers what was rejected. */
async function stage(
  load: Load,
  rows: readonly StampedRow[],
  position: string,
  style: (column: number) => BlockStyle = inText,
  schema: DatasetSchema = contactSchema,
): Promise<RejectedRow[]> {
  const rejected: RejectedRow[] = [];
  const reject = async (part: readonly RejectedRow[]) => void rejected.push(...part);
  const counts = await load.writePage(blocksOf([loadBlock(rows, schema, style)]), position, reject, never);
  expect(counts).toEqual({ rows: rows.length - rejected.length, rejected: rejected.length });
  return rejected;
}

const names = (rows: ReadonlyMap<string, Row>) => Object.fromEntries([...rows].map(([key, each]) => [key, each.Name]).sort());

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Called by `describeTargetContract`: loads beside the dataset. */
export function describeLoadContract(create: CreateTarget, traits: TargetTraits): void {
  test('load: readers see nothing before it is finished, then all of it', () =>
    withTarget(create, 'mirror', async (open) => {
      await using load = await begin(open);
      expect(load.position).toBeNull();
      await stage(load, at(1000, contact('a', { Name: 'A' }), contact('b', { Name: 'B' })), 'page 1');
      await stage(load, at(1000, contact('c', { Name: 'C' })), 'page 2');
      expect(load.rows).toBe(3);
      expect((await open.fixture.rows(contactSchema)).size).toBe(0);
      const counts = await load.finish({ gone: [], checkpoint: 'after the load', signal: never });
      expect(counts).toEqual({ created: 3, updated: 0, unchanged: 0, deleted: 0 });
      expect(names(await open.fixture.rows(contactSchema))).toEqual({ a: 'A', b: 'B', c: 'C' });
      if (traits.checkpoints) expect(await open.target.checkpoints!.read('contract')).toBe('after the load');
    }));

  test('load: an empty load is no error and deletes nothing by itself (P4)', () =>
    withTarget(create, 'mirror', async (open) => {
      await open.write([upsert(contact('a'), 1000)]);
      const load = await begin(open);
      expect(await load.countMissing()).toEqual({ missing: 1, total: 1 });
      expect(await load.finish(nothingGone)).toEqual({ created: 0, updated: 0, unchanged: 0, deleted: 0 });
      expect((await open.fixture.rows(contactSchema)).size).toBe(1);
    }));

  test('load: merged into filled rows, each is counted by what became of it, and only differing ones are written', () =>
    withTarget(create, 'mirror', async (open) => {
      await open.write(['same', 'changed', 'newer', 'gone', 'stays'].map((key) => upsert(contact(key, { Name: 'old' }), 2000)));
      await open.write([upsert(contact('newer', { Name: 'newer' }), 4000)]);
      const before = await open.fixture.writes?.();
      const load = await begin(open);
      await stage(load, at(2000, contact('same', { Name: 'old' })), 'page 1');
      await stage(load, at(3000, ...['changed', 'newer', 'added'].map((key) => contact(key, { Name: 'loaded' }))), 'page 2');
      const counts = await load.finish({ gone: ['gone', 'never was'], checkpoint: null, signal: never });
      // A dataset that keeps no stamps cannot know that its row is newer (P3): there the engine's closing delta puts it right.
      const kept = traits.compares ? 1 : 0;
      expect(counts).toEqual({ created: 1, updated: 2 - kept, unchanged: 1 + kept, deleted: 1 });
      expect(names(await open.fixture.rows(contactSchema))).toEqual({
        same: 'old',
        changed: 'loaded',
        newer: traits.compares ? 'newer' : 'loaded',
        added: 'loaded',
        stays: 'old',
      });
      if (before !== undefined) expect(await open.fixture.writes?.()).toBe(before + 3);
    }));

  test.runIf(traits.compares)('load: null and empty text are different values (P12)', () =>
    withTarget(create, 'mirror', async (open) => {
      await open.write([upsert(contact('a', { Name: '' }), 2000), upsert(contact('b', { Name: null }), 2000)]);
      const load = await begin(open);
      await stage(load, at(2000, contact('a', { Name: null }), contact('b', { Name: '' })), 'page 1');
      expect(await load.finish(nothingGone)).toMatchObject({ updated: 2, unchanged: 0 });
      expect(names(await open.fixture.rows(contactSchema))).toEqual({ a: null, b: '' });
    }),
  );

  test('load: a second load of equal rows writes nothing', () =>
    withTarget(create, 'mirror', async (open) => {
      const rows = Object.entries(valuesByField).flatMap(([field, values]) =>
        values.map((value, i) => contact(`${field}${i}`, { [field]: value })),
      );
      for (const style of ['text', 'values'] as const) {
        const before = await open.fixture.writes?.();
        const load = await begin(open, style);
        await stage(load, at(1000, ...rows), 'page 1', () => style);
        const counts = await load.finish(nothingGone);
        const found = await open.fixture.rows(contactSchema);
        for (const each of rows) expect(found.get(String(each.Id))).toEqual(each);
        if (style === 'text') continue;
        expect(counts).toEqual({ created: 0, updated: 0, unchanged: rows.length, deleted: 0 });
        expect(await open.fixture.writes?.()).toBe(before);
      }
      // And a batch recognises what a load wrote.
      expect(new Set((await open.write(rows.map((each) => upsert(each, 1000)))).map(({ status }) => status))).toEqual(
        new Set(['unchanged']),
      );
    }));

  test('load: text, value and constant columns, several blocks to a page', () =>
    withTarget(create, 'mirror', async (open) => {
      const load = await begin(open);
      const texts = hostileTexts.map((Name, i) => contact(`k${i}`, { Name, Count: i, Active: i % 2 === 0, ParentId: 'p' }));
      const odd = loadBlock(at(1000, ...texts.filter((_, i) => i % 2 === 1)), contactSchema, (c) =>
        c % 2 === 0 ? 'text' : 'values',
      );
      const even = loadBlock(at(1000, ...texts.filter((_, i) => i % 2 === 0)), contactSchema, (c) =>
        c % 2 === 1 ? 'text' : 'values',
      );
      const parent = contactSchema.fields.findIndex(({ name }) => name === 'ParentId');
      const constant = (block: Block): Block => ({
        ...block,
        columns: block.columns.map((column, c) => (c === parent ? { kind: 'constant', value: 'p' } : column)),
      });
      await load.writePage(blocksOf([constant(odd), constant(even)]), 'page 1', async () => {}, never);
      await load.finish(nothingGone);
      const found = await open.fixture.rows(contactSchema);
      expect(texts.map((each) => found.get(String(each.Id)))).toEqual(texts);
    }));

  test('load: rows of a source without stamps are compared by their values', () =>
    withTarget(create, 'mirror', async (open) => {
      for (const [loadId, Name] of [
        ['1', 'one'],
        ['2', 'two'],
      ] as const) {
        const load = await begin(open, loadId);
        const block = loadBlock(at(0, contact('a', { Name })), contactSchema, inText);
        const columns = block.columns.with(-1, { kind: 'constant', value: null });
        await load.writePage(blocksOf([{ ...block, columns }]), 'page 1', async () => {}, never);
        await load.finish(nothingGone);
        expect(names(await open.fixture.rows(contactSchema))).toEqual({ a: Name });
      }
      expect(await (await begin(open, '3')).countMissing()).toEqual({ missing: 1, total: 1 });
    }));

  test('load: abandoned after any page, it is resumed at that page by whoever comes next (P1)', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.nat(6), { maxLength: 4 }), { minLength: 1, maxLength: 5 }),
        fc.nat(5),
        async (pages, after) => {
          await using fixture = await create();
          const stagePages = async (load: Load, from: number, to: number) => {
            for (const [p, keys] of pages.entries()) {
              if (p < from || p >= to) continue;
              // A page holds a key once; other pages may hold it again.
              await stage(load, at(1000, ...[...new Set(keys)].map((k) => contact(`k${k}`, { Name: `page ${p}` }))), `page ${p}`);
            }
          };
          const cut = Math.min(after, pages.length);
          const first = await openTarget(fixture, 'mirror');
          const load = await begin(first);
          await stagePages(load, 0, cut);
          await load[Symbol.asyncDispose]();
          await first.target[Symbol.asyncDispose]();

          const second = await openTarget(fixture, 'mirror');
          const resumed = await begin(second);
          expect(resumed.position).toBe(cut === 0 ? null : `page ${cut - 1}`);
          await stagePages(resumed, cut, pages.length);
          expect(resumed.rows).toBe(pages.reduce((sum, keys) => sum + new Set(keys).size, 0));
          const counts = await resumed.finish(nothingGone);
          const expected = Object.fromEntries(pages.flatMap((keys, p) => keys.map((k) => [`k${k}`, `page ${p}`])).sort());
          expect(names(await fixture.rows(contactSchema))).toEqual(
            Object.fromEntries([...new Map(Object.entries(expected)).keys()].map((key) => [key, lastPage(pages, key)])),
          );
          expect(counts.created).toBe(Object.keys(expected).length);
        },
      ),
      { numRuns: traits.runs ?? 20 },
    ));

  test('load: another load begins empty', () =>
    withTarget(create, 'mirror', async (open) => {
      const first = await begin(open, 'load 1');
      await stage(first, at(1000, contact('left over')), 'page 1');
      await first[Symbol.asyncDispose]();
      const second = await begin(open, 'load 2');
      expect([second.position, second.rows]).toEqual([null, 0]);
      await stage(second, at(1000, contact('a')), 'page 1');
      await second.finish(nothingGone);
      expect([...(await open.fixture.rows(contactSchema)).keys()]).toEqual(['a']);
    }));

  test('load: a discarded load leaves nothing behind', () =>
    withTarget(create, 'mirror', async (open) => {
      const load = await begin(open);
      await stage(load, at(1000, contact('a')), 'page 1');
      await load.discard();
      await load[Symbol.asyncDispose]();
      expect((await open.fixture.rows(contactSchema)).size).toBe(0);
      expect((await begin(open)).position).toBeNull();
    }));

  test('load: nothing is kept of a page whose blocks break off, not even over an earlier page (P1, P13)', () =>
    withTarget(create, 'mirror', async (open) => {
      const load = await begin(open);
      await stage(load, at(1000, contact('a', { Name: 'page 1' })), 'page 1');
      async function* broken() {
        yield loadBlock(at(2000, contact('a', { Name: 'broken' }), contact('b', { Name: 'broken' })), contactSchema, inText);
        throw new RangeError('cut off');
      }
      await expect(load.writePage(broken(), 'page 2', async () => {}, never)).rejects.toThrow('cut off');
      expect([load.position, load.rows]).toEqual(['page 1', 1]);
      // What the target keeps says so too: whoever comes next reads page 2 again.
      const resumed = await begin(await openTarget(open.fixture, 'mirror'));
      expect([resumed.position, resumed.rows]).toEqual(['page 1', 1]);
      await stage(resumed, at(1000, contact('c', { Name: 'page 2' })), 'page 2');
      await resumed.finish(nothingGone);
      expect(names(await open.fixture.rows(contactSchema))).toEqual({ a: 'page 1', c: 'page 2' });
    }));

  test('load: a key that comes twice counts once, the later one', () =>
    withTarget(create, 'mirror', async (open) => {
      const load = await begin(open);
      await stage(
        load,
        at(1000, contact('a', { Name: '1' }), contact('b', { Name: '1' }), contact('a', { Name: '2' })),
        'page 1',
      );
      await stage(load, at(1000, contact('b', { Name: '3' })), 'page 2');
      expect(await load.finish(nothingGone)).toEqual({ created: 2, updated: 0, unchanged: 0, deleted: 0 });
      expect(names(await open.fixture.rows(contactSchema))).toEqual({ a: '2', b: '3' });
    }));

  if (traits.typed) {
    for (const style of ['text', 'values'] as const) {
      test(`load: bad rows in ${style} columns are handed over before the page is kept, the rest is loaded (P2)`, () =>
        withTarget(create, 'mirror', async (open) => {
          await open.write([upsert(contact('bad', { Name: 'before' }), 1000)]);
          const bad = contact('bad', { Name: 'after', Count: 'not a number' });
          const load = await begin(open);
          const rows = [contact('a', { Name: 'A', Count: 1 }), bad, contact('z', { Name: 'Z', Count: 2 })];
          const rejected = await stage(load, at(5000, ...rows), 'page 1', () => style);
          expect(rejected).toHaveLength(1);
          expect(rejected[0]).toMatchObject({ key: 'bad', stampMs: 5000 });
          expect(rejected[0]!.row.Name).toBe('after');
          expect(rejected[0]!.reason.message).toContain('Count');
          await load.finish(nothingGone);
          expect(names(await open.fixture.rows(contactSchema))).toEqual({ a: 'A', bad: 'before', z: 'Z' });
        }));
    }
  }

  test('load: a row without a key is handed over (P2)', () =>
    withTarget(create, 'mirror', async (open) => {
      const load = await begin(open);
      const rejected = await stage(load, at(1000, contact('a'), row(contactSchema, { Name: 'nobody' })), 'page 1');
      expect(rejected.map((each) => [each.key, each.row.Name])).toEqual([['', 'nobody']]);
      expect((await load.finish(nothingGone)).created).toBe(1);
    }));

  test('load: when handing bad rows over fails, the page is not kept (P2)', () =>
    withTarget(create, 'mirror', async (open) => {
      const load = await begin(open);
      const block = loadBlock(at(1000, contact('a'), row(contactSchema, { Name: 'nobody' })), contactSchema, inText);
      const reject = async () => {
        throw new RangeError('the store is full');
      };
      await expect(load.writePage(blocksOf([block]), 'page 1', reject, never)).rejects.toThrow('the store is full');
      expect([load.position, load.rows]).toEqual([null, 0]);
      expect(await load.finish(nothingGone)).toEqual({ created: 0, updated: 0, unchanged: 0, deleted: 0 });
    }));

  for (const deletes of ['mirror', 'mark', 'ignore'] as const) {
    test(`load: what is gone goes by the rule ${deletes}; what is merely missing stays (P4)`, () =>
      withTarget(create, deletes, async (open) => {
        await open.write(['kept', 'gone', 'missing'].map((key) => upsert(contact(key, { Name: key }), 1000)));
        const load = await begin(open);
        await stage(load, at(1000, contact('kept', { Name: 'kept' })), 'page 1');
        expect(await load.countMissing()).toEqual({ missing: 2, total: 3 });
        expect((await collect(load.missingKeys())).flat().sort()).toEqual(['gone', 'missing']);
        const counts = await load.finish({ gone: ['gone'], checkpoint: null, signal: never });
        expect(counts).toEqual({ created: 0, updated: 0, unchanged: 1, deleted: deletes === 'ignore' ? 0 : 1 });
        const left = [...(await open.fixture.rows(contactSchema)).keys()].sort();
        expect(left).toEqual(deletes === 'ignore' ? ['gone', 'kept', 'missing'] : ['kept', 'missing']);
        if (open.fixture.marked !== undefined) expect(await open.fixture.marked()).toEqual(deletes === 'mark' ? ['gone'] : []);
      }));
  }

  test('load: a marked row is neither missing nor ours to count, and comes back when the load holds it (P4)', () =>
    withTarget(create, 'mark', async (open) => {
      await open.write([
        upsert(contact('back', { Name: 'x' }), 1000),
        upsert(contact('away'), 1000),
        upsert(contact('here'), 1000),
      ]);
      await open.write([remove('back', 2000), remove('away', 2000)]);
      const load = await begin(open);
      await stage(load, at(3000, contact('back', { Name: 'x' }), contact('here')), 'page 1');
      expect(await load.countMissing()).toEqual({ missing: 0, total: 1 });
      expect((await collect(load.differences())).sort()).toEqual([{ key: 'back', kind: 'missing' }]);
      expect(await load.finish(nothingGone)).toEqual({ created: 0, updated: 1, unchanged: 1, deleted: 0 });
      expect([...(await open.fixture.rows(contactSchema)).keys()].sort()).toEqual(['back', 'here']);
    }));

  test('load: rows that no sync has written are never swept (P4)', () =>
    withTarget(create, 'mirror', async (open) => {
      if (open.fixture.insertForeign === undefined) return;
      await open.fixture.insertForeign(contact('own', { Name: 'mine' }), contactSchema);
      await open.write([upsert(contact('a'), 1000)]);
      const load = await begin(open);
      await stage(load, at(2000, contact('b')), 'page 1');
      expect(await load.countMissing()).toEqual({ missing: 1, total: 1 });
      expect(await collect(load.missingKeys())).toEqual([['a']]);
      expect((await collect(load.differences())).map(({ key }) => key).sort()).toEqual(['a', 'b']);
      expect((await load.finish({ gone: ['a', 'own'], checkpoint: null, signal: never })).deleted).toBe(1);
      expect([...(await open.fixture.rows(contactSchema)).keys()].sort()).toEqual(['b', 'own']);
    }));

  test('load: differences are told and nothing is changed (P12)', () =>
    withTarget(create, 'mirror', async (open) => {
      await open.write(['same', 'different', 'nulled', 'extra'].map((key) => upsert(contact(key, { Name: 'x' }), 1000)));
      const before = await open.fixture.writes?.();
      const load = await begin(open);
      await stage(
        load,
        at(2000, contact('same', { Name: 'x' }), contact('different', { Name: 'y' }), contact('nulled'), contact('new')),
        '1',
      );
      const found = (await collect(load.differences())).sort((a, b) => a.key.localeCompare(b.key));
      expect(found).toEqual([
        { key: 'different', kind: 'different' },
        { key: 'extra', kind: 'extra' },
        { key: 'new', kind: 'missing' },
        { key: 'nulled', kind: 'different' },
      ]);
      await load.discard();
      expect(await open.fixture.writes?.()).toBe(before);
    }));

  test('load: keys of several fields are missing and gone by the same spelling', async () => {
    const schema: DatasetSchema = {
      name: 'Price',
      key: ['Region', 'Code'],
      fields: [
        { name: 'Region', type: 'text', nullable: false },
        { name: 'Code', type: 'integer', nullable: false },
        { name: 'Name', type: 'text', nullable: true },
      ],
    };
    await using fixture = await create();
    const open = await openTarget(fixture, 'mirror', schema);
    const rows = ['it\'s "n"', '北'].flatMap((Region) => [1, 20].map((Code) => row(schema, { Region, Code, Name: `${Code}` })));
    const keys = rows.map((each) => keyOf(each, schema.key)!);
    const first = await begin(open, 'load 1', schema);
    await stage(first, at(1000, ...rows), 'page 1', inText, schema);
    await first.finish(nothingGone);
    expect([...(await fixture.rows(schema)).keys()].sort()).toEqual([...keys].sort());
    const second = await begin(open, 'load 2', schema);
    await stage(second, at(1000, rows[0]!), 'page 1', inText, schema);
    const missing = (await collect(second.missingKeys())).flat();
    expect(missing.sort()).toEqual(keys.slice(1).sort());
    expect((await second.finish({ gone: missing.slice(1), checkpoint: null, signal: never })).deleted).toBe(2);
    expect((await fixture.rows(schema)).size).toBe(2);
  });

  test('load: a wider schema is loaded into rows of a narrower one', () =>
    withTarget(create, 'mirror', async (open) => {
      await open.write([upsert(contact('a', { Name: 'A' }), 1000)]);
      const wider = {
        ...contactSchema,
        fields: [...contactSchema.fields, { name: 'Added__c', type: 'text', nullable: true } as const],
      };
      const second = await openTarget(open.fixture, 'mirror', wider);
      const load = await begin(second, 'load 1', wider);
      await stage(load, at(1000, row(wider, { Id: 'a', Name: 'A', Added__c: 'filled' })), 'page 1', inText, wider);
      expect((await load.finish(nothingGone)).updated).toBe(1);
      expect((await open.fixture.rows(wider)).get('a')).toMatchObject({ Name: 'A', Added__c: 'filled' });
    }));

  if (!traits.checkpoints) return;
  test('load: a former owner can neither begin, stage nor finish one (P11)', () =>
    withTarget(create, 'mirror', async (former) => {
      const load = await begin(former);
      await stage(load, at(1000, contact('a')), 'page 1');
      const latest = await openTarget(former.fixture, 'mirror');
      const late = () =>
        load.writePage(blocksOf([loadBlock(at(1000, contact('b')), contactSchema, inText)]), 'page 2', async () => {}, never);
      await expect(late()).rejects.toThrow(OwnershipLostError);
      await expect(load.finish({ gone: [], checkpoint: 'late', signal: never })).rejects.toThrow(OwnershipLostError);
      await expect(begin(former, 'load 2')).rejects.toThrow(OwnershipLostError);
      expect((await former.fixture.rows(contactSchema)).size).toBe(0);
      expect(await latest.target.checkpoints!.read('contract')).toBeNull();
      // What it had staged while it was the owner is not lost, and what it goes on to send does not mix with it.
      const resumed = await begin(latest);
      expect([resumed.position, resumed.rows]).toEqual(['page 1', 1]);
      async function* interrupted() {
        yield loadBlock(at(1000, contact('c')), contactSchema, inText);
        await expect(late()).rejects.toThrow(OwnershipLostError);
        yield loadBlock(at(1000, contact('d')), contactSchema, inText);
      }
      await resumed.writePage(interrupted(), 'page 2', async () => {}, never);
      expect((await resumed.finish(nothingGone)).created).toBe(3);
      expect([...(await former.fixture.rows(contactSchema)).keys()].sort()).toEqual(['a', 'c', 'd']);
    }));

  test('load: an owner that is replaced when all rows of its page are staged does not keep the page (P11)', () =>
    withTarget(create, 'mirror', async (former) => {
      const load = await begin(former);
      let latest: typeof former | undefined;
      async function* replaced() {
        yield loadBlock(at(1000, contact('a')), contactSchema, inText);
        latest = await openTarget(former.fixture, 'mirror');
      }
      await expect(load.writePage(replaced(), 'page 1', async () => {}, never)).rejects.toThrow(OwnershipLostError);
      const resumed = await begin(latest!);
      expect([resumed.position, resumed.rows]).toEqual([null, 0]);
      expect((await resumed.finish(nothingGone)).created).toBe(0);
    }));
}

function lastPage(pages: readonly (readonly number[])[], key: string): string {
  return `page ${pages.findLastIndex((keys) => keys.some((k) => `k${k}` === key))}`;
}
