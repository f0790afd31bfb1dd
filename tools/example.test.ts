import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { readGuide } from './example-guide.ts';
import { root } from './run-command.ts';
import { systems } from './systems.ts';

// What an example's README tells is what `npm run example` types, so that it cannot go wrong unseen.

const run = promisify(execFile);
const example = (...argv: string[]) => run(process.execPath, [join(root, 'tools/example.ts'), ...argv]);

describe.each(systems)('$example', ({ example }) => {
  const read = (file: string) => readFileSync(join(root, 'examples', example, file), 'utf8');
  test('tells to set what its configuration needs, and to run it', () => {
    const { variables, commands } = readGuide(read('README.md'));
    const needed = [...read('tidemark.yaml').matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name);
    expect(variables).toEqual(expect.arrayContaining([...new Set(needed)]));
    expect(commands.length).toBeGreaterThan(1);
    expect(read('README.md')).toContain(`npm run example -- ${example}`);
  });
});

test('commands and variables are those of the first block', () => {
  const readme =
    '# X\n\n```\nnpx tidemark no\n```\n\n```sh\nexport A_B=… C=$(x)  # D=1\nnpx tidemark run a --full -c x/tidemark.yaml   # why\ncurl x\n```\n\n```sh\nnpx tidemark no\n```\n';
  expect(readGuide(readme)).toEqual({ variables: ['A_B', 'C'], commands: [['run', 'a', '--full']] });
});

test('an example runs from beginning to end as its README tells', async () => {
  const { stdout } = await example('delta-link', '--once');
  expect(stdout).toMatch(/\$ npx tidemark run accounts --full\n[\s\S]*full run succeeded/);
  expect(stdout.trim()).toMatch(/\* the warehouse holds Acme, Bad, Globex, Good, Initech$/);
});

test('the list of examples, and a name that is none', async () => {
  const { stdout } = await example('--help');
  for (const { example: name } of systems) expect(stdout).toContain(`  ${name} `);
  await expect(example('delta')).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('there is no example delta\n'),
  });
});
