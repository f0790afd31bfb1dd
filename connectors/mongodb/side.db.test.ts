import type { Row, Side, SideWrite } from '@tidemark/core';
import { ObjectId } from 'mongodb';
import { describe, expect, test } from 'vitest';
import { createSideFixture, isFerret, mongodb } from './fixture.ts';

const never = AbortSignal.timeout(60_000);

/** Writes that take no look at what is there. */
const write = (side: Side, writes: readonly SideWrite[], keys: readonly string[] = []) =>
  side.merge(keys, async () => writes, never);

describe.skipIf(mongodb.missing !== null)(
  `a collection as a side${mongodb.missing === null ? '' : `: ${mongodb.missing}`}`,
  () => {
    test('records are made, updated field by field, and deleted; what is not there is said to be gone', async () => {
      await using fixture = await createSideFixture();
      const side = await fixture.open();
      const [made] = await write(side, [{ op: 'create', row: { name: 'Ada', score: 7, sf_id: '001A' } }]);
      const { key } = made as { key: string };
      expect(made).toEqual({ status: 'written', key: expect.stringMatching(/^[0-9a-f]{24}$/) });
      await fixture.documents.updateOne({}, { $set: { own: 'stays' } });
      expect(await write(side, [{ op: 'update', key, row: { name: 'Ada L.' } }])).toEqual([{ status: 'written', key }]);
      expect(await fixture.documents.findOne()).toEqual({
        _id: ObjectId.createFromHexString(key),
        name: 'Ada L.',
        score: 7,
        sf_id: '001A',
        own: 'stays',
      });
      expect(await write(side, [{ op: 'delete', key }])).toEqual([{ status: 'written', key }]);
      expect(
        await write(side, [
          { op: 'delete', key },
          { op: 'update', key: 'nobody', row: { name: 'x' } },
        ]),
      ).toEqual([{ status: 'gone' }, { status: 'gone' }]);
    });

    test('an edit of an application between our read and our write is never overwritten unseen (P7)', async () => {
      for (const [edit, op] of [
        [{ $set: { name: 'theirs' } }, 'update'],
        [{ $set: { phone: '1' } }, 'update'],
        [{ $unset: { name: '' } }, 'delete'],
        [{ $set: { at: new Date(9) } }, 'delete'],
      ] as const) {
        await using fixture = await createSideFixture();
        await fixture.documents.insertMany([
          { _id: 'a' as never, name: 'Ada', at: new Date(5), sf_id: '1' },
          { _id: 'b' as never, name: 'Bob', at: new Date(5), sf_id: '2' },
        ]);
        const side = await fixture.open();
        const results = await side.merge(
          ['a', 'b'],
          async (rows) => {
            expect([...rows.keys()].sort()).toEqual(['a', 'b']);
            await fixture.documents.updateOne({ _id: 'a' as never }, edit);
            return ['a', 'b'].map((key): SideWrite => (op === 'delete' ? { op, key } : { op, key, row: { name: 'ours' } }));
          },
          never,
        );
        expect(results).toEqual([{ status: 'moved' }, { status: 'written', key: 'b' }]);
        const held = await fixture.documents.findOne({ _id: 'a' as never });
        expect(held?.name).not.toBe('ours');
        expect(held).not.toBeNull();
        // Looked at again, it is written.
        expect(await write(side, [{ op: 'update', key: 'a', row: { name: 'ours' } }], ['a'])).toEqual([
          { status: 'written', key: 'a' },
        ]);
      }
    });

    test('whatever a document holds, it counts as unchanged while it is, and its key is found in every form', async () => {
      await using fixture = await createSideFixture();
      const values: unknown[] = [
        null,
        0,
        -1.5,
        2 ** 40,
        '',
        'a',
        true,
        new Date(7),
        [1, 'x'],
        { x: { y: null } },
        new ObjectId(),
      ];
      // FerretDB hangs up on these.
      if (!isFerret) values.push(Number.NaN, [[1]]);
      const ids = [1, 'text', new ObjectId(), 9007199254740991];
      const documents = values.flatMap((name, i) => ids.map((id, k) => ({ _id: (i === 0 ? id : `${i} ${k}`) as never, name })));
      await fixture.documents.insertMany([...documents, { _id: 'absent' as never }]);
      const side = await fixture.open({ fields: { name: 'text', _id: 'text' } });
      const keys = [...documents.map(({ _id }) => String(_id)), 'absent'];
      const results = await write(
        side,
        keys.map((key) => ({ op: 'update', key, row: { name: 'ours' } })),
        keys,
      );
      expect(results).toEqual(keys.map((key) => ({ status: 'written', key })));
      expect(await fixture.documents.countDocuments({ name: 'ours' })).toBe(keys.length);
    });

    test('records are found by the values of their fields; a null matches nothing', async () => {
      await using fixture = await createSideFixture();
      await fixture.documents.insertMany([
        { name: 'Ada', score: 1, sf_id: '001A' },
        { name: 'Ada', score: 2, sf_id: null },
        { name: 'Bob', score: 2, sf_id: '001B' },
      ]);
      const side = await fixture.open();
      const found = async (...wanted: Row[]) =>
        (await side.find(wanted, never)).map(({ row }) => `${row.name} ${row.score}`).sort();
      expect(await found({ sf_id: '001A' }, { sf_id: '001B' })).toEqual(['Ada 1', 'Bob 2']);
      expect(await found({ name: 'Ada', score: 2 })).toEqual(['Ada 2']);
      expect(await found({ sf_id: null }, { name: null, score: 2 })).toEqual([]);
    });

    // An org keeps an e-mail address in small letters, and the application as it was typed.
    test('records are found whatever their capitals, where these tell nothing apart (P7)', async () => {
      await using fixture = await createSideFixture();
      await fixture.documents.insertMany([{ name: 'Ada.Ö' }, { name: 'AdaxÖ' }, { name: 'Ada.Öx' }]);
      const side = await fixture.open();
      const found = async (caseless?: ReadonlySet<string>) =>
        (await side.find([{ name: 'ADA.ö' }], never, caseless)).map(({ row }) => row.name);
      expect(await found(new Set(['name']))).toEqual(['Ada.Ö']);
      expect(await found()).toEqual([]);
    });

    test('without a unique index on the link no record is made, and the remedy is told', async () => {
      await using fixture = await createSideFixture({ isUnique: false });
      const side = await fixture.open();
      expect(side.creates).toMatchObject({ ok: false, hint: expect.stringContaining('createIndex({ "sf_id": 1 }') });
      expect(await write(side, [{ op: 'create', row: { name: 'Ada', sf_id: '1' } }])).toMatchObject([
        { status: 'rejected', reason: { code: 'cannot_create' } },
      ]);
      expect(await fixture.documents.countDocuments()).toBe(0);
    });

    test('a record made twice is refused by the index, and takes no other with it (P2)', async () => {
      await using fixture = await createSideFixture();
      const side = await fixture.open();
      const create = (name: string, sf_id: string): SideWrite => ({ op: 'create', row: { name, sf_id } });
      await write(side, [create('Ada', '1')]);
      const results = await write(side, [create('twice', '1'), create('Bob', '2')]);
      expect(results).toMatchObject([{ status: 'rejected', reason: { code: '11000' } }, { status: 'written' }]);
      expect(await fixture.documents.countDocuments()).toBe(2);
    });

    test('a field that a condition cannot name is refused before anything is read', async () => {
      await using fixture = await createSideFixture();
      await expect(fixture.open({}, ['a.b'])).rejects.toThrow('the field a.b of accounts cannot take part');
      await expect(fixture.open({}, ['$x'])).rejects.toThrow('the field $x of accounts cannot take part');
    });

    test('the server tells its time', async () => {
      await using fixture = await createSideFixture();
      const side = await fixture.open();
      expect(Math.abs((await side.now!(never)) - Date.now())).toBeLessThan(60_000);
    });
  },
);
