import { expect, test } from 'vitest';
import { collectCodes } from './collect-codes.ts';
import { compareWithSource } from './error-reference.ts';

// A code that somebody meets and nobody explains is half an error message.

const codesOf = (...texts: string[]) => [...collectCodes(texts.map((text, i) => ({ path: `${i}.ts`, text }))).keys()];

test('a code is found wherever it may stand', () => {
  expect(codesOf("class A extends SyncError { readonly code = 'of_class'; }")).toEqual(['of_class']);
  expect(codesOf("class A extends B { override readonly code: string = 'of_subclass'; }")).toEqual(['of_subclass']);
  expect(codesOf("throw { code: 'of_object', message: 'm' };")).toEqual(['of_object']);
  expect(codesOf("const code = a === null ? 'one' : 'other';")).toEqual(['one', 'other']);
  expect(codesOf("interface R { readonly code: 'this' | 'that' }")).toEqual(['this', 'that']);
  expect(codesOf("type FaultCode = 'told' | 'known';")).toEqual(['told', 'known']);
});

test('a function that takes a code gives it to whoever calls it, in its own file and where it is imported', () => {
  const taker = 'export function refuse(reply: Reply, code: string) {}';
  expect(codesOf(`${taker} refuse(r, 'called');`)).toEqual(['called']);
  expect(codesOf(taker, "import { refuse } from './0.ts'; refuse(r, 'imported');")).toEqual(['imported']);
  expect(codesOf(taker, "const refuse = (a, b) => {}; refuse(r, 'of another function');")).toEqual([]);
});

test('a code without an entry, and an entry without a code, stop the check and name the place', () => {
  const found = new Map([['brand_new', 'core/src/new.ts']]);
  expect(() => compareWithSource(found)).toThrow(/core\/src\/new\.ts has the code brand_new/);
  expect(() => compareWithSource(found)).toThrow(/nothing has the code "access_denied" any more/);
});
