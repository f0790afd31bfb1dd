import type { RowsQuery, RowsSpec } from '@tidemark/core';
import { contactSchema, describeRowsContract } from '@tidemark/testkit';
import { ObjectId } from 'mongodb';
import { describe, expect, test } from 'vitest';
import { createRowsFixture, createTargetFixture, mongodb } from './fixture.ts';
import { mongodbRows } from './rows-place.ts';

const never = new AbortController().signal;
const query = (over: Partial<RowsQuery>): RowsQuery => ({
  ...{ where: [], sort: [{ field: '_id', descending: false }], fields: ['_id', 'name'], after: null, limit: 10 },
  ...over,
});

describe.skipIf(mongodb.missing !== null)(
  `a collection, document by document${mongodb.missing === null ? '' : `: ${mongodb.missing}`}`,
  () => {
    describeRowsContract('mongodb', async () => {
      const fixture = await createRowsFixture('id');
      const { documents } = fixture;
      return {
        open: fixture.open,
        put: async (people) =>
          void (await documents.insertMany(
            people.map(({ at, ...each }) => ({ ...each, at: at === null ? null : new Date(at) })),
          )),
        change: async (id, name) => void (await documents.updateOne({ id }, { $set: { name } })),
        remove: async (ids) => void (await documents.deleteMany({ id: { $in: [...ids] } })),
        [Symbol.asyncDispose]: () => fixture[Symbol.asyncDispose](),
      };
    });

    test('documents are found by ids of any kind, told as texts, and listed whatever kinds they are', async () => {
      await using fixture = await createRowsFixture('_id');
      const id = new ObjectId();
      await fixture.documents.insertMany([
        { _id: id, name: 'object' },
        { _id: 'text' as never, name: 'text' },
        { _id: 7 as never, name: 'number' },
        { _id: 'gone' as never, name: 'gone', _tidemark_deleted_at: new Date() },
      ]);
      const rows = await fixture.open();
      const where = [{ field: '_id', is: 'in', values: [id.toHexString(), '7'] }] as const;
      expect((await rows.page(query({ where, fields: ['name'] }), never)).rows).toEqual([{ name: 'number' }, { name: 'object' }]);
      const seen: unknown[] = [];
      for (let after: string | null = null; ; ) {
        const page = await rows.page(query({ after, limit: 1 }), never);
        seen.push(...page.rows.map(({ _id }) => _id));
        if (page.next === null) break;
        after = page.next;
      }
      expect(seen).toEqual(['7', 'text', id.toHexString()]);
    });

    test('a collection that a sync writes has the types of its fields, before the first document shows them', async () => {
      await using fixture = await createTargetFixture();
      const target = await fixture.open({ schema: contactSchema, deletes: 'mirror' });
      await target.prepare();
      const at = { collection: 'contacts', key: '_id', fields: {} };
      const { schema } = await fixture.rowsOf({ name: 'contacts', at, watermark: null, mentions: [] });
      const types = new Map(schema.fields.map(({ name, type }) => [name, type]));
      for (const { name, type } of contactSchema.fields) expect([name, types.get(name)]).toEqual([name, type]);
    });

    test('an empty collection has the fields of which syncs speak; one that is not there too', async () => {
      await using fixture = await createRowsFixture('_id');
      const rows = await fixture.open({ mentions: ['phone'], watermark: 'updatedAt' });
      expect(rows.schema.fields.map(({ name, type }) => [name, type])).toEqual([
        ['_id', 'text'],
        ['phone', 'json'],
        ['updatedAt', 'datetime'],
      ]);
      expect(await rows.merge!(['a'], async () => [{ op: 'create', row: { _id: 'a', phone: '1' } }], never)).toEqual([
        { status: 'written', key: 'a' },
      ]);
      expect((await rows.page(query({ fields: ['phone'] }), never)).rows).toEqual([{ phone: '1' }]);
    });
  },
);

test('a collection is called by its name', () => {
  const config = { url: 'mongodb://h/d', selectMs: 1, decimals: 'double' } as const;
  const surroundings = { baseDir: '/', store: { kind: 'sqlite', file: '/s' } } as const;
  const side: Omit<RowsSpec, 'mentions'> | null = mongodbRows.place(
    config,
    { as: 'side', spec: { collection: 'accounts', key: 'sf', watermark: 'at' } },
    surroundings,
  );
  expect(side).toEqual({ name: 'accounts', at: { collection: 'accounts', key: 'sf', fields: {} }, watermark: 'at' });
});
