import { expect, test } from 'vitest';
import { moreOf, pageOf } from './list-page.ts';

// A list that is cut says so, and how to go on: nobody takes a part for the whole.                                          (P2)
test.each([
  [2, ['3', '4'], '4'],
  [3, ['3', '4', '5'], null],
  [4, ['3', '4', '5'], null],
])('of three the first %i', (limit, shown, next) => {
  const found = ['3', '4', '5'].map((id) => ({ id })).slice(0, limit + 1);
  const page = pageOf(found, limit);
  expect(page).toEqual({ shown: shown.map((id) => ({ id })), next });
  const said = moreOf(page, '--after', (_, text) => text);
  expect(said).toBe(next === null ? '' : `the first 2; go on with --after ${next}, or show more with --limit\n`);
});
