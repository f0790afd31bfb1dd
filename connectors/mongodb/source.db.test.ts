import { type Row, rowsOfBlock, type Source } from '@tidemark/core';
import { Binary, Long, ObjectId } from 'mongodb';
import { describe, expect, test } from 'vitest';
import { createSourceFixture, mongodb } from './fixture.ts';

const never = AbortSignal.timeout(60_000);

async function rowsOf(source: Source, resume: string | null = null): Promise<{ rows: Row[]; positions: string[] }> {
  const rows: Row[] = [];
  const positions: string[] = [];
  for await (const page of source.readFull(resume, never)) {
    for await (const block of page.blocks) rows.push(...rowsOfBlock(block, source.schema.fields));
    positions.push(page.position);
  }
  return { rows, positions };
}

describe.skipIf(mongodb.missing !== null)('a collection as its users keep it', () => {
  test('fields and their types are found by looking, and every value has its canonical form', async () => {
    await using fixture = await createSourceFixture();
    const id = new ObjectId();
    await fixture.documents.insertMany([
      {
        _id: id,
        text: 'x',
        flag: true,
        count: 1,
        big: Long.fromString('9007199254740993'),
        ratio: 1.5,
        at: new Date(5),
        raw: new Binary(Buffer.from('ab')),
      },
      { text: 7, count: 2.5, nested: { a: [1, null] }, late: 'only here' },
    ]);
    const source = await fixture.open({ from: { collection: 'contacts', key: '_id' } });
    expect(Object.fromEntries(source.schema.fields.map(({ name, type }) => [name, type]))).toEqual({
      _id: 'text',
      text: 'text',
      flag: 'boolean',
      count: 'double',
      big: 'integer',
      ratio: 'double',
      at: 'datetime',
      raw: 'bytes',
      nested: 'json',
      late: 'text',
    });
    const { rows } = await rowsOf(source);
    expect(rows[0]).toMatchObject({
      _id: id.toHexString(),
      text: 'x',
      flag: true,
      count: 1,
      big: '9007199254740993',
      ratio: 1.5,
      at: '1970-01-01T00:00:00.005Z',
      raw: 'YWI=',
      nested: null,
    });
    expect(rows[1]).toMatchObject({ text: '7', count: 2.5, nested: { a: [1, null] }, late: 'only here' });
    expect(await source.readKeys!([id.toHexString(), 'none'], never)).toMatchObject([{ op: 'upsert' }, { op: 'delete' }]);
    expect(await source.mark(never)).toBeNull();
    expect(source.readDelta).toBeUndefined();
  });

  test('keys of several types are all read, from whichever of them a read goes on (P1)', async () => {
    await using fixture = await createSourceFixture();
    const ids = [1, 2.5, Long.fromString('9007199254740993'), 'a', 'b', new ObjectId(), false, true, new Date(5)];
    await fixture.documents.insertMany(ids.map((_id) => ({ _id: _id as never })));
    const source = await fixture.open({ from: { collection: 'contacts', key: '_id' } });
    const { rows, positions } = await rowsOf(source);
    expect(rows).toHaveLength(ids.length);
    expect(positions).toHaveLength(1);
    for (const [i, { _id }] of rows.entries()) {
      const position = fixture.positionOf(ids.find((id) => textOf(id) === _id));
      expect((await rowsOf(source, position)).rows).toEqual(rows.slice(i + 1));
    }
  });

  test('a filter is JSON, and anything else is refused with an example', async () => {
    await using fixture = await createSourceFixture();
    await fixture.put([
      { id: 'a', name: 'x', stampMs: 1 },
      { id: 'b', name: 'y', stampMs: 2 },
    ]);
    const source = await fixture.open({ where: '{"Name": "y"}' });
    expect((await rowsOf(source)).rows).toMatchObject([{ Id: 'b' }]);
    await expect(fixture.open({ where: "Name = 'y'" })).rejects.toThrow('is no filter of MongoDB');
    await expect(fixture.open({ fields: ['Nam'] })).rejects.toThrow('Nam');
  });

  test('documents without the key are refused before anything is written', async () => {
    await using fixture = await createSourceFixture();
    await fixture.documents.insertOne({ Name: 'no key', ModifiedAt: new Date(5) });
    await expect(rowsOf(await fixture.open())).rejects.toThrow('documents without Id');
  });
});

const textOf = (id: unknown) => (id instanceof ObjectId ? id.toHexString() : id instanceof Date ? id.toISOString() : String(id));
