import { describeLookupContract } from '@tidemark/testkit';
import { Decimal128, Long, ObjectId } from 'mongodb';
import { describe, expect, test } from 'vitest';
import { createLookupFixture, isFerret, mongodb } from './fixture.ts';

const never = AbortSignal.timeout(60_000);
const there = mongodb.missing === null;

describe.skipIf(!there)(`a collection in which is looked${there ? '' : `: ${mongodb.missing}`}`, () => {
  describeLookupContract('mongodb', createLookupFixture);

  test('however a value is kept, it is found by what it says; several ways of asking for it find it each', async () => {
    await using fixture = await createLookupFixture();
    const id = new ObjectId();
    const at = new Date('2026-01-02T03:04:05.000Z');
    await fixture.documents.insertOne({
      _id: id,
      short: '7',
      number: 7,
      long: Long.fromString('9007199254740993'),
      at,
      size: 1.5,
    });
    const find = async (key: string, values: readonly (string | number)[]) => {
      await using lookup = await fixture.open({ key, fields: ['size'] });
      return [...(await lookup.find(values, never)).keys()];
    };
    expect(await find('_id', [id.toHexString(), 'nobody'])).toEqual([id.toHexString()]);
    expect(await find('number', ['7', 'seven', '7.5'])).toEqual(['7']);
    expect(await find('short', [7])).toEqual(['7']);
    expect(await find('long', ['9007199254740993', '9007199254740992'])).toEqual(['9007199254740993']);
    const ways = ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000Z'];
    expect((await find('at', [...ways, 'soon'])).sort()).toEqual(ways.toSorted());
    if (isFerret) return;
    await fixture.documents.updateOne({}, { $set: { price: Decimal128.fromString('1.50') } });
    expect(await find('price', ['1.5'])).toEqual(['1.5']);
  });

  test('a field that no document shows yet is found once its type is said', async () => {
    await using fixture = await createLookupFixture();
    await using lookup = await fixture.open({ key: 'code', fields: ['size'] }, { types: { code: 'text', size: 'integer' } });
    expect(await lookup.find(['a'], never)).toEqual(new Map());
    await fixture.documents.insertOne({ code: 'a' });
    expect([...(await lookup.find(['a'], never))]).toEqual([['a', [expect.objectContaining({ size: null })]]]);
    expect(lookup.types.get('size')).toBe('integer');
  });
});
