import { hostileTexts } from '@tidemark/testkit';
import pg from 'pg';
import { expect, test } from 'vitest';
import { arrayText, numbersText } from './array-text.ts';

test('an array as text is what the driver makes of it', () => {
  const { prepareValue } = (pg as unknown as { readonly utils: { prepareValue(value: unknown): string } }).utils;
  for (const values of [[], [null], [...hostileTexts], [null, 'NULL', null, '{}', '{a,b}']]) {
    expect(arrayText(values)).toBe(prepareValue(values));
  }
  expect(numbersText([0, -1, 2 ** 30])).toBe('{0,-1,1073741824}');
});
