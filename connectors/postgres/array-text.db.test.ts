import { hostileTexts } from '@tidemark/testkit';
import { expect, test } from 'vitest';
import { integersBinary, textArray, timesBinary } from './array-text.ts';
import { database } from './table-fixture.ts';

// The server does not judge the bytes of an array as it judges a text: what it takes them for is to be what was meant.

const long = 'long '.repeat(1000);

test.each(['text', 'character varying', 'jsonb'])('an array of %s holds the texts that were given', async (type) => {
  const texts =
    type === 'jsonb' ? ['"ä"', '{"a": "\\\\"}'] : [...hostileTexts, '', 'NULL', '{a,b}', '日本語', '€'.repeat(200), long];
  for (const values of [[], [null], texts, [null, ...texts, null], texts.toReversed()]) {
    const rows = await database.sql(`SELECT given::text FROM unnest($1::${type}[]) AS given`, [textArray(values, type)]);
    expect(rows.map(([text]) => text)).toEqual(values);
  }
});

test('a text that no column can hold is refused', async () => {
  await expect(database.sql('SELECT $1::text[]', [textArray(['a', 'b\0'], 'text')])).rejects.toMatchObject({ code: '22021' });
});

test('arrays of numbers and of times', async () => {
  const numbers = Int32Array.of(0, 1, -1, 2 ** 30, 2 ** 31 - 1);
  expect(await database.sql('SELECT $1::integer[]', [integersBinary(numbers)])).toEqual([[`{${numbers.join(',')}}`]]);
  const times = [0, 946_684_800_000, 946_684_799_999, 1_790_000_000_123, -62_135_596_800_000];
  const rows = await database.sql('SELECT round(extract(epoch FROM at) * 1000)::text FROM unnest($1::timestamptz[]) AS at', [
    timesBinary(times),
  ]);
  expect(rows.map(([ms]) => Number(ms))).toEqual(times);
});
