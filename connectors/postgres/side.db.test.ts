import { expect, test } from 'vitest';
import { database, table } from './table-fixture.ts';

// An org keeps an e-mail address in small letters, and the application as it was typed: on a first meeting they are one.        (P7)

test('records are found whatever their capitals, where these tell nothing apart, by an index of them', async () => {
  await database.script(`CREATE TABLE ${table} (id int PRIMARY KEY, mail varchar(80), city text);
    INSERT INTO ${table} VALUES (1, 'Ann.Ö@X.com', 'Ulm'), (2, 'annxö@x.com', 'Ulm'), (3, 'ann.ö@x.com', 'ulm')`);
  await using connection = database.connect();
  const { signal } = new AbortController();
  const fields = ['id', 'mail', 'city'];
  const spec = { side: { table, capture: false }, link: null, fields, writes: fields, unit: 'people' };
  await using side = await connection.openSide!(spec, signal);
  const found = async (caseless?: ReadonlySet<string>) =>
    (await side.find([{ mail: 'ANN.ö@x.com', city: 'Ulm' }], signal, caseless)).map(({ key }) => key);
  expect(await found(new Set(['mail']))).toEqual(['1']);
  expect((await found(new Set(['mail', 'city']))).sort()).toEqual(['1', '3']);
  expect(await found()).toEqual([]);
});
