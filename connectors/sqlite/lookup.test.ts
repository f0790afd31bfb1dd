import { describeLookupContract } from '@tidemark/testkit';
import { expect, test } from 'vitest';
import { createFile } from './fixture.ts';

const never = new AbortController().signal;

describeLookupContract('sqlite', () => createFixture('TEXT'));
describeLookupContract('sqlite with NOCASE', () => createFixture('TEXT COLLATE NOCASE'), { foldsCase: true });

async function createFixture(type: string) {
  const file = await createFile();
  file.sql(`CREATE TABLE firms (Id INTEGER PRIMARY KEY, Name ${type}, Phone TEXT)`);
  return {
    open: (spec: { key: string; fields: readonly string[] }) =>
      file.connection.openLookup!({ lookup: { table: 'firms' }, ...spec }, never),
    async put(records: readonly { name: string; phone: string | null }[]) {
      for (const { name, phone } of records) file.sql('INSERT INTO firms (Name, Phone) VALUES (?, ?)', name, phone);
    },
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}

test('numbers are found by their text, and keep their type; what no number is finds nothing', async () => {
  await using file = await createFile();
  file.sql('CREATE TABLE firms (Id INTEGER PRIMARY KEY, Size INTEGER)');
  file.sql('INSERT INTO firms VALUES (7, 40)');
  await using lookup = await file.connection.openLookup!({ lookup: { table: 'firms' }, key: 'Id', fields: ['Size'] }, never);
  const found = await lookup.find(['7', 'seven', ''], never);
  expect([...found]).toMatchObject([['7', [{ Size: 40 }]]]);
  expect(lookup.types.get('Size')).toBe('integer');
});
