import { expect, test } from 'vitest';
import { lineTags } from './systems.ts';
import { renderSystems, type TaggedTest, taggedTests } from './systems-page.ts';

// The page of what Tidemark does names a test for every line, or there is no page.

const all: readonly TaggedTest[] = [{ file: 'examples/x.test.ts', name: 'all of it', tags: lineTags }];

test('a line without a test is named', () => {
  const tests = [{ ...all[0]!, tags: lineTags.filter((tag) => tag !== '002-4' && tag !== '004-10') }];
  expect(() => renderSystems(tests)).toThrow(/^no test shows 002-4, 004-10: /);
  expect(renderSystems(all)).toContain(
    '| 004-10 | What has not changed is not written. | all of it ([x.test.ts](../examples/x.test.ts))',
  );
});

test('the example’s own tests come first, each with its name and without its tags', () => {
  const own = { file: 'examples/delta-link/a.test.ts', name: 'a cursor | is kept (004-6, 004-7)', tags: ['004-6'] };
  expect(renderSystems([...all, own])).toContain(
    '| 004-6 | A cursor of the source’s own; a failed run’s is not taken over. | a cursor \\| is kept ([a.test.ts](../examples/delta-link/a.test.ts))<br>all of it (',
  );
});

test('tags are read from the names of what runs, in any of its forms', () => {
  const text = `
    test('one (000-1, 004-10)', () => {});
    test.skipIf(missing !== null)("it's two (001-2)", () => {});
    describe(\`002-3 three \${evidence('assumed')}\`, () => {});
    test.each([1])('four (003-4)', () => {});
    test('don\\'t: 000-5', () => {});
    test.skip('skipped (000-2)', () => {});
    test.todo('to do (000-2)');
    // test of (000-2)
    const date = new Date('2000-12-31'), other = '000-2';
    test('a date 2000-12-31 and an id 1000-2-3', () => {});`;
  expect(taggedTests('a.test.ts', text).map(({ name, tags }) => [name, ...tags])).toEqual([
    ['one (000-1, 004-10)', '000-1', '004-10'],
    ["it's two (001-2)", '001-2'],
    ['002-3 three', '002-3'],
    ['four (003-4)', '003-4'],
    ["don't: 000-5", '000-5'],
  ]);
});

test('a tag of no line is a typing error, and is told', () => {
  expect(() => taggedTests('a.test.ts', "test('one (003-9)', () => {})")).toThrow('a.test.ts: no system has a line 003-9');
});
