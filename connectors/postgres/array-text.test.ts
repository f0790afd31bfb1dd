import { hostileTexts } from '@tidemark/testkit';
import pg from 'pg';
import { expect, test } from 'vitest';
import { textArray } from './array-text.ts';

test('an array of a type that is not sent as bytes is what the driver makes of it', () => {
  const { prepareValue } = (pg as unknown as { readonly utils: { prepareValue(value: unknown): string } }).utils;
  for (const values of [[], [null], [...hostileTexts], [null, 'NULL', null, '{}', '{a,b}']]) {
    expect(textArray(values, 'jsonb')).toBe(prepareValue(values));
  }
});
