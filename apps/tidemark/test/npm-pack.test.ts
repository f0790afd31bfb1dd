import { type ExecFileException, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Emulator, startEmulator } from '@tidemark/emulator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { typedModules } from './typed-modules.ts';

// What a user gets: one package from `npm pack`, installed into an empty folder, without this workspace around it.

const workspace = fileURLToPath(new URL('../../..', import.meta.url));
const run = promisify(execFile);

let folder: string;
let org: Emulator;
/** Why nothing could be installed here; null when it is. */
let missing: string | null = null;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-npm-pack-'));
  org = await startEmulator({ records: 200 });
  await call('npm', ['pack', '--silent', '--workspace', 'tidemark', '--pack-destination', folder], { cwd: workspace });
  const [archive] = readdirSync(folder);
  try {
    const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--fetch-retries', '0'];
    await call('npm', ['install', ...flags, join(folder, archive!)]);
  } catch (error) {
    missing = /\b(ENOTFOUND|ECONNREFUSED|ECONNRESET|EAI_AGAIN|ETIMEDOUT|ENOTCACHED)\b/.exec(String(error))?.[0] ?? null;
    if (missing === null || process.env.CI) throw error;
  }
});
afterAll(async () => {
  await org.close();
  rmSync(folder, { recursive: true });
});

/** A program as a user's shell runs it, of whom nothing is known but the way to Node. */
async function call(program: string, argv: readonly string[], { cwd = folder, env = {} } = {}): Promise<string> {
  const { npm_config_cache, npm_config_registry, HOME } = process.env;
  const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter);
  try {
    const kept = { PATH, HOME, npm_config_cache, npm_config_registry };
    return (await run(program, argv, { cwd, env: { ...kept, ...env }, maxBuffer: 1 << 26 })).stdout;
  } catch (error) {
    const { stdout, stderr, message } = error as ExecFileException;
    throw new Error(`${message}\n${stdout}\n${stderr}`);
  }
}
const tidemark = (argv: readonly string[], options?: { cwd?: string; env?: object }) =>
  call('npx', ['tidemark', ...argv], options);

const installed = (path: string) => join(folder, 'node_modules/tidemark', path);

test('tells its version, brings no source, and needs nothing of ours from elsewhere', async ({ skip }) => {
  if (missing !== null) skip(`no package registry here (${missing})`);
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  expect(await tidemark(['--version'])).toBe(`${version}\n`);
  expect(readdirSync(installed('.')).sort()).toEqual(['LICENSE', 'README.md', 'bin', 'dist', 'package.json']);
  expect(readdirSync(join(folder, 'node_modules'))).not.toContain('@tidemark');
  // Types of what is imported, and of nothing behind it.
  expect(readdirSync(installed('dist/types/core/src')).sort()).toEqual(['base', 'model', 'modules.d.ts']);
});

test('a command loads no driver that it does not use', ({ skip }) => {
  if (missing !== null) skip(`no package registry here (${missing})`);
  const read = new Set<string>();
  const packages = new Set<string>();
  const follow = (file: string) => {
    if (read.has(file)) return;
    read.add(file);
    for (const [, name] of readFileSync(file, 'utf8').matchAll(/^(?:import|export) [^;]*?["']([^"']+)["'];$/gm)) {
      if (name!.startsWith('.')) follow(resolve(dirname(file), name!));
      else packages.add(name!);
    }
  };
  follow(installed('dist/main.js'));
  expect([...packages]).toContain('commander');
  for (const driver of ['mongodb', '@platformatic/kafka', 'redis', 'pg-copy-streams', '@grpc/grpc-js', 'cometd', 'fastify'])
    expect([...packages]).not.toContain(driver);
});

// It mostly waits: the others run meanwhile.
test.concurrent('the demo runs as it stands: every sync ends equal to its org', async ({ skip }) => {
  if (missing !== null) skip(`no package registry here (${missing})`);
  const report = JSON.parse(await tidemark(['demo', '--once', '--json']));
  expect(report).toMatchObject({ clean: true });
  expect(report.syncs.length).toBeGreaterThan(1);
});

test.concurrent('init writes a configuration that editors complete by the schema in the package, and it runs, dashboard and all', async ({
  skip,
}) => {
  if (missing !== null) skip(`no package registry here (${missing})`);
  const cwd = join(folder, 'mine');
  mkdirSync(cwd);
  const { loginUrl, clientId, clientSecret } = org.credentials;
  const env = { SF_LOGIN_URL: loginUrl, SF_CLIENT_ID: clientId, SF_CLIENT_SECRET: clientSecret };
  await tidemark(['init', '--yes', '--set', 'app.path=./crm.db', '--objects', 'Account'], { cwd, env });
  const [line] = readFileSync(join(cwd, 'tidemark.yaml'), 'utf8').split('\n');
  const schema = /^# yaml-language-server: \$schema=(.+)$/.exec(line!)?.[1];
  expect(resolve(cwd, schema!)).toMatch(installed(''));
  expect(JSON.parse(readFileSync(resolve(cwd, schema!), 'utf8'))).toMatchObject({ properties: { syncs: expect.anything() } });
  // A worker thread writes the database.
  const run = JSON.parse(await tidemark(['run', 'accounts', '--json'], { cwd, env }));
  expect(run).toMatchObject({ state: 'succeeded', counts: { created: 30, failed: 0 } });
  const started = spawn(process.execPath, [installed('bin/tidemark.js'), 'start', '--port', '0'], { cwd, env });
  const ended = once(started, 'exit');
  try {
    const url = await new Promise<string>((resolve, reject) => {
      let said = '';
      started.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        const found = /"url":"(http[^"]+)"[^\n]*"answering HTTP"/.exec(said)?.[1];
        if (found !== undefined) resolve(found);
      });
      ended.then(() => reject(new Error(said)));
    });
    const page = await fetch(url);
    const script = /<script[^>]+src="([^"]+)"/.exec(await page.text())?.[1];
    expect([page.status, (await fetch(new URL(script!, url))).status]).toEqual([200, 200]);
  } finally {
    started.kill();
    await ended;
  }
});

test.concurrent('own functions and tests on the emulator are written with types, and an error of ours means to them what it says', async ({
  skip,
}) => {
  if (missing !== null) skip(`no package registry here (${missing})`);
  const cwd = join(folder, 'own');
  mkdirSync(cwd);
  for (const [name, text] of Object.entries(typedModules)) writeFileSync(join(cwd, name), text);
  const compilerOptions = { module: 'nodenext', strict: true, exactOptionalPropertyTypes: true, noEmit: true, types: ['node'] };
  const typeRoots = [join(workspace, 'node_modules/@types')];
  writeFileSync(join(cwd, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...compilerOptions, typeRoots } }));
  const node = (...argv: string[]) => call(process.execPath, argv, { cwd });
  const [complaints, ran, status] = await Promise.all([
    node(join(workspace, 'node_modules/typescript/bin/tsc')),
    node(installed('bin/tidemark.js'), 'run', 'orders', '--json'),
    node('emulator.ts'),
  ]);
  expect(complaints).toBe('');
  expect(JSON.parse(ran)).toMatchObject({ state: 'succeeded', counts: { created: 1, failed: 0 } });
  expect(status).toBe('503\n');
});
