import {
  type Comparison,
  newRow,
  RequestRefusedError,
  type Row,
  type Rows,
  type RowsQuery,
  type SideWrite,
} from '@tidemark/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostileTexts } from './rows.ts';

/** A person of the table `people`: the key `id`, then fields of their types, of which all but the key may be null. */
export interface Person {
  readonly id: string;
  readonly name: string | null;
  readonly size: number | null;
  readonly price: number | null;
  readonly active: boolean | null;
  /** A canonical instant. */
  readonly at: string | null;
}

export interface TableRowsFixture extends AsyncDisposable {
  open(): Promise<Rows>;
  /** Puts people there as another program does, in the forms of that. */
  put(people: readonly Person[]): Promise<void>;
  change(id: string, name: string): Promise<void>;
  remove(ids: readonly string[]): Promise<void>;
}

const never = new AbortController().signal;

const FIELDS = ['id', 'name', 'size', 'price', 'active', 'at'] as const;
type Field = (typeof FIELDS)[number];

/** Small, so that values meet; lower case, so that any collation sorts them alike. */
const domain = {
  name: [null, '', 'ann', 'anna', 'bo', 'bob', 'a%b', 'a_b', 'a.b', "o'b"],
  size: [null, -3, 0, 7, 2_000_000_000, 9_007_199_254_740_991],
  price: [null, -0.5, 0, 12.5, 99.99],
  active: [null, true, false],
  at: [null, '1969-12-31T23:59:59.999Z', '2026-01-02T03:04:05.000Z', '2026-01-02T03:04:05.006Z'],
} as const;

const person = (id: string): fc.Arbitrary<Person> =>
  fc.record({
    id: fc.constant(id),
    name: fc.constantFrom(...domain.name),
    size: fc.constantFrom(...domain.size),
    price: fc.constantFrom(...domain.price),
    active: fc.constantFrom(...domain.active),
    at: fc.constantFrom(...domain.at),
  });

/** The same ones each time. */
function somePeople(): readonly Person[] {
  const each = Array.from({ length: 60 }, (_, i) => person(`p${String(i).padStart(2, '0')}`));
  return fc.sample(fc.tuple(...each), { numRuns: 1, seed: 7 })[0]!;
}

/** What every table that is served row by row promises, in the words of the `Rows` interface. */
export function describeRowsContract(name: string, create: () => Promise<TableRowsFixture>): void {
  describe(`${name} keeps the rows contract`, () => {
    const people = somePeople();
    let fixture: TableRowsFixture;
    let rows: Rows;
    beforeAll(async () => {
      fixture = await create();
      await fixture.put(people);
      rows = await fixture.open();
    });
    afterAll(() => fixture[Symbol.asyncDispose]());

    const query = (asked: Partial<RowsQuery> = {}): RowsQuery => ({
      where: [],
      sort: [{ field: 'id', descending: false }],
      fields: FIELDS,
      after: null,
      limit: 1000,
      ...asked,
    });
    const page = (asked?: Partial<RowsQuery>) => rows.page(query(asked), never);
    const idsOf = (found: readonly Row[]) => found.map(({ id }) => id);
    const refusedOnly = async (work: Promise<unknown>) => {
      const error = await work.then(
        () => null,
        (reason: unknown) => reason,
      );
      if (error !== null) expect(error).toBeInstanceOf(RequestRefusedError);
    };

    test('the table is described by itself: its key, its fields and their types', async () => {
      expect(rows.schema.key).toEqual(['id']);
      expect(Object.fromEntries(rows.schema.fields.map((field) => [field.name, field.type]))).toMatchObject({
        ...{ id: 'text', name: 'text', size: 'integer', active: 'boolean', at: 'datetime' },
        price: expect.stringMatching(/^(decimal|double)$/),
      });
      const writable = rows.schema.fields.filter((field) => field.writable).map((field) => field.name);
      expect(writable).toEqual(expect.arrayContaining([...FIELDS]));
      expect(rows.schema.fields.find(({ name: field }) => field === 'name')).toMatchObject({ nullable: true, required: false });
    });

    test('a row is as it was put, and holds the fields that are asked for', async () => {
      const { rows: found } = await page();
      expect(found.map((row) => ({ ...row }))).toEqual(people.map((each) => ({ ...each })));
      const { rows: some } = await page({ fields: ['at', 'name'], limit: 1 });
      expect(some.map((row) => ({ ...row }))).toEqual([{ at: people[0]!.at, name: people[0]!.name }]);
    });

    test('a comparison finds the rows for which it holds, and no other', () =>
      fc.assert(
        fc.asyncProperty(fc.array(comparison, { maxLength: 2 }), async (where) => {
          const { rows: found } = await page({ where });
          expect(idsOf(found)).toEqual(people.filter((each) => where.every((one) => holds(each, one))).map(({ id }) => id));
        }),
        { numRuns: 60 },
      ));

    test('a text is searched for as it is, whatever patterns mean elsewhere', async () => {
      for (const value of ['a.b', 'a%b', '_', '.*', '^a', "o'", '\\', '(', '[']) {
        for (const is of ['starts', 'contains'] as const) {
          const where = [{ field: 'name', is, value }];
          const expected = people.filter((each) => holds(each, where[0]!)).map(({ id }) => id);
          expect([is, value, idsOf((await page({ where })).rows)]).toEqual([is, value, expected]);
        }
      }
    });

    test('pages come in the order that is asked for, null first as the smallest, and each row comes once', () =>
      fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(sorted, { maxLength: 3, selector: ({ field }) => field }),
          fc.integer({ min: 7, max: 40 }),
          async (by, limit) => {
            const sort = by.some(({ field }) => field === 'id') ? by : [...by, { field: 'id', descending: false }];
            const found: unknown[] = [];
            for (let after: string | null = null, pages = 0; ; pages++) {
              expect(pages).toBeLessThan(10);
              const got = await page({ sort, after, limit });
              expect(got.rows.length).toBeLessThanOrEqual(limit);
              found.push(...idsOf(got.rows));
              if (got.next === null) break;
              after = got.next;
            }
            expect(found).toEqual(people.toSorted((a, b) => compared(a, b, sort)).map(({ id }) => id));
          },
        ),
        { numRuns: 15 },
      ));

    test('what is written between two pages makes them repeat nothing and leave out nothing that stays', async () => {
      await using own = await create();
      await own.put(people);
      const table = await own.open();
      const seen: unknown[] = [];
      const sort = [
        { field: 'size', descending: true },
        { field: 'id', descending: false },
      ];
      for (let after: string | null = null, i = 0; ; i++) {
        const got = await table.page(query({ sort, after, limit: 9 }), never);
        seen.push(...idsOf(got.rows));
        // Of what was told, and of what comes: the rows on the page's border go as well.
        await own.remove([String(got.rows.at(-1)!.id)]);
        await own.put([{ id: `new${i}`, name: null, size: 2_000_000_001, price: null, active: null, at: null }]);
        if (got.next === null) break;
        after = got.next;
      }
      expect(new Set(seen).size).toBe(seen.length);
      const stayed = idsOf((await table.page(query(), never)).rows).map(String);
      expect(seen).toEqual(expect.arrayContaining(stayed.filter((id) => id.startsWith('p'))));
    });

    test('a row is decided upon as it is at that moment, made, changed field by field and deleted', async () => {
      await using own = await create();
      await own.put(people.slice(0, 1));
      const table = await own.open();
      const seen: unknown[] = [];
      const write = (key: string, write_: SideWrite) =>
        table.merge!(
          [key],
          async (found) => {
            seen.push(found.get(key)?.row.name ?? null);
            return [write_];
          },
          never,
        );
      const values = Object.assign(newRow(), { ...people[1], id: 'q', name: 'quinn' });
      expect(await write('q', { op: 'create', row: values })).toEqual([{ status: 'written', key: 'q' }]);
      await own.change('q', 'theirs');
      expect(await write('q', { op: 'update', key: 'q', row: { size: 5 } })).toEqual([{ status: 'written', key: 'q' }]);
      const where: Comparison[] = [{ field: 'id', is: 'eq', value: 'q' }];
      expect({ ...(await table.page(query({ where }), never)).rows[0] }).toEqual({ ...values, name: 'theirs', size: 5 });
      expect(await write('q', { op: 'create', row: values })).toMatchObject([{ status: 'rejected' }]);
      expect(await write('q', { op: 'delete', key: 'q' })).toEqual([{ status: 'written', key: 'q' }]);
      expect(await write('q', { op: 'update', key: 'q', row: { size: 6 } })).toEqual([{ status: 'gone' }]);
      expect(await write('q', { op: 'delete', key: 'q' })).toEqual([{ status: 'gone' }]);
      expect(seen).toEqual([null, 'theirs', 'theirs', 'theirs', null, null]);
      expect(idsOf((await table.page(query(), never)).rows)).toEqual([people[0]!.id]);
    });

    test('hostile values find what they name or are refused, and do nothing else', async () => {
      for (const value of [...hostileTexts, "'; DROP TABLE people; --", '$where', '{"$gt":""}', '.*', '\\', '%']) {
        for (const is of ['eq', 'gt', 'contains'] as const) {
          await refusedOnly(page({ where: [{ field: 'name', is, value }], limit: 3 }));
        }
        await refusedOnly(page({ where: [{ field: 'id', is: 'in', values: [value, 'p00'] }] }));
        await refusedOnly(page({ after: value }));
      }
      expect((await page()).rows).toHaveLength(people.length);
    });

    test('a position that somebody made up is refused, or is one', () =>
      fc.assert(
        fc.asyncProperty(
          fc.oneof(
            fc.json({ maxDepth: 3 }),
            fc.array(fc.jsonValue({ maxDepth: 1 }), { minLength: 2, maxLength: 2 }).map((each) => JSON.stringify(each)),
          ),
          (after) =>
            refusedOnly(
              page({
                after,
                sort: [
                  { field: 'size', descending: true },
                  { field: 'id', descending: false },
                ],
              }),
            ),
        ),
        { numRuns: 60 },
      ));
  });
}

const sorted = fc.record({ field: fc.constantFrom<Field>(...FIELDS), descending: fc.boolean() });

const comparison: fc.Arbitrary<Comparison> = fc.constantFrom('name', 'size', 'price', 'active', 'at').chain((field) => {
  const value = fc.constantFrom(
    ...(domain[field] as readonly (string | number | boolean | null)[]).filter((each) => each !== null),
  );
  const texts = field === 'name' ? (['starts', 'contains'] as const) : [];
  return fc.oneof(
    fc.record({ field: fc.constant(field), is: fc.constantFrom('eq', 'ne', 'lt', 'lte', 'gt', 'gte', ...texts), value }),
    fc.record({
      field: fc.constant(field),
      is: fc.constant('in' as const),
      values: fc.array(value, { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ field: fc.constant(field), is: fc.constantFrom('null' as const, 'notNull' as const) }),
  ) as fc.Arbitrary<Comparison>;
});

function holds(each: Person, comparison: Comparison): boolean {
  const held = each[comparison.field as Field];
  if (comparison.is === 'null') return held === null;
  if (comparison.is === 'notNull') return held !== null;
  if (comparison.is === 'in') return held !== null && comparison.values.includes(held);
  const { value } = comparison as { value: string | number | boolean };
  if (comparison.is === 'ne') return held !== value;
  if (held === null) return false;
  switch (comparison.is) {
    case 'eq':
      return held === value;
    case 'lt':
      return held < value;
    case 'lte':
      return held <= value;
    case 'gt':
      return held > value;
    case 'gte':
      return held >= value;
    case 'starts':
      return String(held).startsWith(String(value));
    case 'contains':
      return String(held).includes(String(value));
  }
}

function compared(a: Person, b: Person, sort: RowsQuery['sort']): number {
  for (const { field, descending } of sort) {
    const [x, y] = [a[field as Field], b[field as Field]];
    if (x === y) continue;
    const less = x === null ? true : y === null ? false : x < y;
    return less === descending ? 1 : -1;
  }
  return 0;
}
