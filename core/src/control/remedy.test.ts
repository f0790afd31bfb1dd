import { expect, test } from 'vitest';
import { remedies, remedyOf } from './remedy.ts';

const at = (code: string, place = 'target') => remedyOf({ code, place });

// Whoever is told of a failure is told what to do about it, in words.                                                     (P2)
test('a code that is named counts more than its family', () => {
  expect(at('22001')).toMatch(/too long/);
  expect(at('22P02')).toMatch(/does not fit/);
  expect(at('INSUFFICIENT_ACCESS_OR_READONLY')).toMatch(/tidemark check/);
  expect(at('HTTP_422')).toMatch(/HTTP API/);
});

test('a code that nobody knows has a way out all the same', () => {
  expect(at('SOMETHING_NEW')).toMatch(/Discard/);
  expect(at('D3030', 'score')).toMatch(/^score did not take this record/);
});

test('no code has two remedies', () => {
  const codes = remedies.flatMap((each) => each.codes);
  expect(new Set(codes).size).toBe(codes.length);
});
