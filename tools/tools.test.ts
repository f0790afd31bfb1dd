import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { generate } from './generate.ts';
import { root } from './run-command.ts';

const run = promisify(execFile);

// A machine's own Node 20 lacks node:sqlite's half, and strips no types. Whoever starts a child by its name must not meet it.
test('Node 24 runs the tests, their worker threads and their children', async () => {
  const versions = [
    process.version,
    (await run(process.execPath, ['-p', 'process.version'])).stdout.trim(),
    (await run('node', ['-p', 'process.version'])).stdout.trim(),
    await new Promise((resolve, reject) => {
      const code = "require('node:worker_threads').parentPort.postMessage(process.version)";
      new Worker(code, { eval: true }).on('message', resolve).on('error', reject);
    }),
  ];
  expect(new Set(versions)).toEqual(new Set([process.version]));
  expect(Number(process.versions.node.split('.')[0])).toBeGreaterThanOrEqual(24);
});

test('on an older Node the start says what to do, instead of a parser error', async () => {
  const pretended = "Object.defineProperty(process.versions, 'node', { value: '20.20.2' })";
  const started = run(process.execPath, [
    '--import',
    `data:text/javascript,${encodeURIComponent(pretended)}`,
    join(root, 'tools/with-node-24.js'),
    join(root, 'tools/test.ts'),
  ]);
  await expect(started).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('needs Node 24 or newer; this is Node 20.20.2'),
  });
});

test('the right Node goes on to the script, with its arguments', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-tools-'));
  const script = join(folder, 'say.ts');
  await writeFile(script, 'const said: string[] = process.argv.slice(2);\nconsole.log(said.join("|"));\n');
  const { stdout } = await run(process.execPath, [join(root, 'tools/with-node-24.js'), script, 'a b', '--c']);
  await rm(folder, { recursive: true });
  expect(stdout).toBe('a b|--c\n');
});

test('a generated file that is missing or edited is named, and written on request', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-tools-'));
  const list = [
    { file: 'docs/a.md', make: async () => 'made\n' },
    { file: 'b.json', make: async () => '{}\n' },
  ];
  await writeFile(join(folder, 'b.json'), 'edited by hand');
  expect(await generate(list, folder, true)).toEqual(['docs/a.md', 'b.json']);
  expect(await readFile(join(folder, 'b.json'), 'utf8')).toBe('edited by hand');
  expect(await generate(list, folder, false)).toEqual(['docs/a.md', 'b.json']);
  expect(await readFile(join(folder, 'docs/a.md'), 'utf8')).toBe('made\n');
  expect(await generate(list, folder, true)).toEqual([]);
  await rm(folder, { recursive: true });
});
