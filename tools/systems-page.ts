import { glob, readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { root } from './run-command.ts';
import { lineTags, systems } from './systems.ts';

/** A test, or a group of tests, whose name says which lines it shows. */
export interface TaggedTest {
  readonly file: string;
  readonly name: string;
  readonly tags: readonly string[];
}

/** Something that runs: what is skipped or yet to be written shows nothing. */
const named = /\b(?:test|describe)(?!\.(?:skip|todo)\()\b[^'"`\n]*\(\s*(['"`])((?:\\.|(?!\1)[^\\])+)\1/g;
const tag = /(?<![\w-])00[0-4]-\d{1,2}(?![\w-])/g;

/** @throws naming tags of no line, which are typing errors */
export function taggedTests(file: string, text: string): TaggedTest[] {
  return [...text.matchAll(named)].flatMap(([, , written]) => {
    const name = written!.replace(/\\(.)/g, '$1').replace(/\s*\$\{.*$/s, '');
    const tags = [...new Set(name.match(tag))];
    for (const each of tags) if (!lineTags.includes(each)) throw new Error(`${file}: no system has a line ${each} ("${name}")`);
    return tags.length === 0 ? [] : [{ file, name, tags }];
  });
}

/** The page that tells of each line the tests that show it. @throws naming the lines that no test shows */
export function renderSystems(tests: readonly TaggedTest[]): string {
  const bare = lineTags.filter((line) => !tests.some(({ tags }) => tags.includes(line)));
  if (bare.length > 0) {
    throw new Error(`no test shows ${bare.join(', ')}: write one with the tag in its name (tools/systems.ts says what each is)`);
  }
  const parts = [
    '# What Tidemark does the work of',
    '',
    'Five systems that people build or buy to keep Salesforce and their own systems in sync. Each line is something that such a',
    'system does, with the tests that show Tidemark doing it. Made from the names of the tests: do not edit, run `npm run generate`.',
  ];
  for (const { tag, name, example, lines } of systems) {
    parts.push('', `## ${tag} ${name}`, '', `[examples/${example}](../examples/${example}/README.md)`, '');
    parts.push('| | what it does | shown by |', '|---|---|---|');
    lines.forEach((line, i) => {
      const own = `examples/${example}/`;
      const showing = tests
        .filter(({ tags }) => tags.includes(`${tag}-${i + 1}`))
        .sort((a, b) => Number(b.file.startsWith(own)) - Number(a.file.startsWith(own)) || a.file.localeCompare(b.file, 'en'));
      const links = showing.map((test) => `${cell(test.name)} ([${posix.basename(test.file)}](../${test.file}))`);
      parts.push(`| ${tag}-${i + 1} | ${line} | ${links.join('<br>')} |`);
    });
  }
  return `${parts.join('\n')}\n`;
}

/** As text within a table: without its tags, which the row says. */
function cell(name: string): string {
  return name
    .replace(/\s*\((?:00\d-\d+(?:, )?)+\)$/, '')
    .replace(/^(?:00\d-\d+(?:, )?)+:? /, '')
    .replaceAll('|', '\\|');
}

export const systemsPage = {
  file: 'docs/systems.md',
  async make(): Promise<string> {
    const tests: TaggedTest[] = [];
    const exclude = (path: string) => path.includes('node_modules');
    for await (const path of glob('{core,connectors,emulator,apps,examples}/**/*.test.{ts,tsx}', { cwd: root, exclude })) {
      tests.push(...taggedTests(path.replaceAll('\\', '/'), await readFile(join(root, path), 'utf8')));
    }
    return renderSystems(tests);
  },
};
