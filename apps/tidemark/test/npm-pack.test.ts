import { type ExecFileException, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Emulator, startEmulator } from '@tidemark/emulator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { blocksOf, modulesOf } from './guide-blocks.ts';

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
  const { npm_config_cache, npm_config_registry, NODE_EXTRA_CA_CERTS, HOME } = process.env;
  const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter);
  try {
    const kept = { PATH, HOME, npm_config_cache, npm_config_registry, NODE_EXTRA_CA_CERTS };
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

test('what of others is compiled into it comes with its licences', ({ skip }) => {
  if (missing !== null) skip(`no package registry here (${missing})`);
  const notices = readFileSync(installed('dist/dashboard/THIRD-PARTY-NOTICES.txt'), 'utf8');
  const carried = new Map(notices.split(/^─+$/m).map((text) => [/^\s*(\S+) \d/.exec(text)?.[1], text]));
  const sources = join(workspace, 'apps/dashboard/src');
  const imported = readdirSync(sources, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file))
    .flatMap((file) => [...readFileSync(join(sources, file), 'utf8').matchAll(/ from '((?:@[^/']+\/)?[^./'][^/']*)/g)])
    .map(([, name]) => name!)
    .filter((name) => !name.startsWith('@tidemark/'));
  expect(imported).toContain('react');
  // What is imported brings others along, and the bundler leaves something of its own.
  for (const name of [...imported, 'scheduler', '@floating-ui/dom', 'rolldown'])
    expect(carried.get(name), name).toMatch(/copyright|public domain/i);
  expect([...carried.keys()]).not.toContain('typescript');
  expect(readFileSync(installed('dist/THIRD-PARTY-NOTICES.txt'), 'utf8')).toMatch(/^rolldown \d/m);
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

/** What the types refuse. Where they do not, or are not there, the compiler complains of an expectation that is not met. */
const wrong = `
  import { type PolicyModule, RateLimitedError, type SourceBatch, type SourceModule, type StepModule } from 'tidemark';
  import { startEmulator } from 'tidemark/emulator';
  // @ts-expect-error there is no such type of field
  export const fields: SourceModule['fields'] = { id: 'string' };
  // @ts-expect-error a cursor is text
  export const batch: SourceBatch = { records: [], cursor: 1 };
  // @ts-expect-error records are objects
  export const texts: SourceBatch = { records: ['o-1'] };
  // @ts-expect-error it says how long to wait
  export const limited = () => new RateLimitedError('too many', {});
  // @ts-expect-error a date is text
  export const dated: StepModule['default'] = (orders, { now }) => orders.map((order) => ({ ...order, seen: now() }));
  // @ts-expect-error the context has no such member
  export const asking: StepModule['default'] = (orders, { query }) => orders;
  // @ts-expect-error there is no third side
  export const third: PolicyModule['default'] = ({ middle }) => middle;
  // @ts-expect-error there is no such fault
  export const misspelt = async () => (await startEmulator()).faults.add({ kind: 'unavailble' });
`;

test.concurrent("the guide's own functions have types, run, and say by our errors how to go on; its test runs on an emulated org", async ({
  skip,
}) => {
  if (missing !== null) skip(`no package registry here (${missing})`);
  const guide = readFileSync(join(workspace, 'docs/own-functions.md'), 'utf8');
  const block = (wanted: string) => blocksOf(guide).find(({ language }) => language === wanted)!.text;
  const settings = JSON.parse(block('json'));
  settings.compilerOptions.typeRoots = [join(workspace, 'node_modules/@types')];
  const files = {
    'package.json': '{ "type": "module" }',
    'tsconfig.json': JSON.stringify(settings),
    'tidemark.yaml': block('yaml'),
    'wrong.ts': wrong,
    ...Object.fromEntries(modulesOf(guide)),
  };
  const cwd = join(folder, 'own');
  mkdirSync(cwd);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);

  const replies = [503, 200];
  const shop = createServer((_, reply) => {
    const orders = [{ id: 'o-1', total: 300, placedAt: '2026-03-04T05:06:07Z' }];
    reply.writeHead(replies.shift() ?? 500).end(JSON.stringify({ orders, last: 'o-1' }));
  });
  await once(shop.listen(0, '127.0.0.1'), 'listening');
  try {
    const env = { ORDERS_URL: `http://127.0.0.1:${(shop.address() as AddressInfo).port}` };
    const node = (...argv: string[]) => call(process.execPath, argv, { cwd, env });
    const [complaints, ran] = await Promise.all([
      node(join(workspace, 'node_modules/typescript/bin/tsc')),
      node(installed('bin/tidemark.js'), 'run', 'orders', '--json'),
      node('org.test.ts'),
    ]);
    expect(complaints).toBe('');
    expect(JSON.parse(ran)).toMatchObject({ state: 'succeeded', counts: { created: 1, failed: 0 } });
  } finally {
    shop.close();
  }
});
