import { describeLookupContract } from '@tidemark/testkit';
import { expect, test } from 'vitest';
import { database } from './table-fixture.ts';

const never = new AbortController().signal;
let tables = 0;

describeLookupContract('postgres', async () => {
  const table = `firms_${tables++}`;
  await database.script(`CREATE TABLE ${table} (id serial PRIMARY KEY, "Name" text, "Phone" text)`);
  const connection = database.connect();
  return {
    open: (spec) => connection.openLookup!({ lookup: { table }, ...spec }, never),
    async put(records) {
      for (const { name, phone } of records)
        await database.sql(`INSERT INTO ${table} ("Name", "Phone") VALUES ($1, $2)`, [name, phone]);
    },
    async [Symbol.asyncDispose]() {},
  };
});

// An index on the column serves only when it is asked in the column's own type, and a value of no such type is no error.
test.each([
  ['integer', '7', ['seven', '', '7.5', '99999999999', '9'.repeat(30)]],
  ['uuid', '0b8a4a1e-0000-4000-8000-00000000000a', ['none', '']],
  ['date', '2026-01-02', ['soon', '']],
  ['numeric', '1.5', ['much', '']],
])('a column of type %s is searched by text', async (type, value, others) => {
  const table = `typed_${tables++}`;
  await database.script(`CREATE TABLE ${table} (id serial PRIMARY KEY, by ${type}, size integer)`);
  await database.sql(`INSERT INTO ${table} (by, size) VALUES ($1, 40)`, [value]);
  await using lookup = await database.connect().openLookup!({ lookup: { table }, key: 'by', fields: ['size'] }, never);
  const found = await lookup.find([...others, value], never);
  expect([...found]).toMatchObject([[value, [{ size: 40 }]]]);
  expect(lookup.types.get('size')).toBe('integer');
});
