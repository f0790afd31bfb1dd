import { describe, expect, test } from 'vitest';
import { findViolations, importsOf, type Manifest } from './floors.ts';

const manifests: readonly Manifest[] = [
  { folder: '', name: 'tidemark-workspace', dependencies: ['vitest'] },
  { folder: 'core', name: '@tidemark/core', dependencies: ['kysely'] },
  { folder: 'emulator', name: '@tidemark/emulator', dependencies: [] },
  { folder: 'testkit', name: '@tidemark/testkit', dependencies: ['vitest'] },
  { folder: 'connectors/file', name: '@tidemark/connector-file', dependencies: [] },
  { folder: 'connectors/memory', name: '@tidemark/connector-memory', dependencies: [] },
  { folder: 'apps/tidemark', name: 'tidemark', dependencies: [] },
];

const judge = (path: string, specifier: string) =>
  findViolations([{ path, text: `import { x } from '${specifier}';\n` }], manifests).map(({ message }) => message);

// One import the wrong way, and engine and emulator can be wrong together, or a vendor's name is in the engine for good.
describe('imports point one way only', () => {
  test.each([
    ['core/src/store/a.ts', '../base/b.ts'],
    ['core/src/store/a.ts', './b.ts'],
    ['core/src/store/a.test.ts', '../pipeline/b.ts'],
    ['core/src/store/a.test.ts', '@tidemark/testkit'],
    ['core/src/index.ts', './control/b.ts'],
    ['core/src/store/a.ts', 'kysely'],
    ['core/src/store/a.ts', 'node:fs'],
    ['core/src/store/a.test.ts', 'vitest'],
    ['connectors/file/a.ts', '@tidemark/core'],
    ['connectors/file/a.test.ts', '@tidemark/connector-memory'],
    ['connectors/file/fixture.ts', '@tidemark/testkit'],
    ['connectors/file/a.test.ts', './fixture.ts'],
    ['testkit/src/a.ts', '@tidemark/core'],
    ['testkit/src/a.ts', './target-fixture.ts'],
    ['apps/tidemark/src/a.ts', '@tidemark/connector-file'],
    ['tools/a.ts', '../core/src/base/b.ts'],
  ])('%s may import %s', (path, specifier) => {
    expect(judge(path, specifier)).toEqual([]);
  });

  test.each([
    ['core/src/base/a.ts', '../model/b.ts', 'base stands below model'],
    ['core/src/model/a.ts', '../store/b.ts', 'move the code down'],
    ['core/src/store/a.ts', '../index.ts', 'import the file itself'],
    ['core/src/cellar/a.ts', '../base/b.ts', 'say in tools/floors.ts'],
    ['core/src/store/a.ts', '../cellar/b.ts', 'cellar'],
    ['core/src/store/a.ts', '@tidemark/connector-file', 'core knows no vendor'],
    ['core/src/store/a.ts', '../../../connectors/file/b.ts', 'by its name'],
    ['core/src/store/a.ts', '@tidemark/core', 'by its path'],
    ['core/src/store/a.ts', 'pg', 'declare it in core/package.json'],
    ['core/src/store/a.ts', 'vitest', 'declare it'],
    ['core/src/store/a.ts', 'fs/promises', 'node:fs/promises'],
    ['connectors/file/a.ts', '@tidemark/connector-memory', 'move what two of them share into core'],
    ['connectors/file/a.ts', '../memory/b.ts', 'by its name'],
    ['connectors/file/a.ts', '@tidemark/emulator', 'its driver only'],
    ['connectors/file/a.ts', './fixture.ts', 'only they may import it'],
    ['emulator/src/a.ts', '@tidemark/core', 'imports nothing of ours'],
    ['emulator/src/a.test.ts', '@tidemark/core', 'imports nothing of ours'],
    ['testkit/src/a.ts', '@tidemark/connector-memory', 'testkit knows @tidemark/core only'],
  ])('%s may not import %s', (path, specifier, message) => {
    expect(judge(path, specifier)).toEqual([expect.stringContaining(message)]);
  });

  test('the place is named by file and line', () => {
    const text = "/** Why. */\nimport type { A } from './a.ts';\nimport {\n  b,\n} from '../store/b.ts';\n";
    expect(findViolations([{ path: 'core/src/base/c.ts', text }], manifests)).toMatchObject([{ place: 'core/src/base/c.ts:3' }]);
  });
});

test('every form of import is seen, and no text that looks like one', () => {
  const text = [
    "import a from 'a';",
    "import type { B } from 'b';",
    "import {\n  c,\n} from 'c';",
    "import 'd';",
    "export * from 'e';",
    "export { f } from 'f';",
    `  const g = await ${'import'}('g');`,
    "// import h from 'h';",
    'const text = \'from "i"\';',
    " * import j from 'j';",
    "export const k = 'k';",
    "export function from(l = 'l') {}",
  ].join('\n');
  expect(importsOf(text).map(({ specifier }) => specifier)).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
});
