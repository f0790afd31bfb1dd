import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { loadConnectors } from '../src/connectors.ts';

// A secret that is planted in each credential of each connector turns up nowhere: whoever refuses us, says what we have sent, cannot be
// found or hangs up, and however the process ends.                                                                        (P10)

const bin = fileURLToPath(new URL('../bin/tidemark.js', import.meta.url));

let folder: string;
let echo: HttpServer;
let parrot: TcpServer;
const planted: Record<string, string> = {};
const children = new Set<ChildProcess>();

/** Plants a secret: the configuration names its variable, as a user's does. Some of its characters are spelled otherwise in a URL. */
function plant(name: string, value = `canary/${name}+${randomBytes(9).toString('hex')}=`): string {
  planted[name] = value;
  return `\${${name}}`;
}

/** A connection of each kind, each credential planted, at a host. `at` has neither scheme nor path. */
function connections(kind: string, at: string): Record<string, Record<string, unknown>> {
  const name = (what: string) => `${what}_${kind}`.toUpperCase();
  /** A URL as a whole is one variable, as people write it: its password is the secret. */
  const url = (scheme: string, path: string, what: string) => {
    const password = `canary${what}${randomBytes(9).toString('hex')}`;
    planted[`${name(what)}_PASSWORD`] = password;
    planted[name(what)] = `${scheme}://tidemark:${password}@${at}/${path}`;
    return `\${${name(what)}}`;
  };
  const loginUrl = `http${at.startsWith('127.') ? '' : 's'}://${at}`;
  const salesforce = (auth: object) => ({ type: 'salesforce', loginUrl, auth });
  const http = (auth: object) => ({ type: 'http', url: loginUrl, auth, allowPrivate: true });
  const clientId = 'app';
  return {
    [`sf-client-${kind}`]: salesforce({ flow: 'client-credentials', clientId, clientSecret: plant(name('sf_client')) }),
    [`sf-password-${kind}`]: salesforce({
      ...{ flow: 'password', username: 'u@x.example', clientId },
      password: plant(name('sf_password')),
      securityToken: plant(name('sf_security_token')),
      clientSecret: plant(name('sf_password_client')),
    }),
    [`sf-soap-${kind}`]: salesforce({
      ...{ flow: 'password', username: 'u@x.example' },
      password: plant(name('sf_soap')),
      securityToken: plant(name('sf_soap_token')),
    }),
    [`sf-refresh-${kind}`]: salesforce({
      ...{ flow: 'refresh-token', clientId },
      refreshToken: plant(name('sf_refresh')),
      clientSecret: plant(name('sf_refresh_client')),
    }),
    [`sf-jwt-${kind}`]: salesforce({
      flow: 'jwt',
      clientId,
      username: 'u@x.example',
      privateKey: plant(name('sf_jwt'), newKey()),
    }),
    [`postgres-${kind}`]: { type: 'postgres', url: url('postgres', 'app', 'postgres') },
    [`mongodb-${kind}`]: { type: 'mongodb', url: url('mongodb', 'app', 'mongodb'), selectMs: 500 },
    [`redis-${kind}`]: { type: 'queue', url: url('redis', '0', 'redis') },
    // Its client is the one of topics, which is refused in every way below; here it is about its url.
    ...(kind === 'refused' && { [`kafka-queue-${kind}`]: { type: 'queue', url: url('kafka', '', 'kafka_queue') } }),
    [`queue-${kind}`]: { type: 'queue', url: url('postgres', 'q', 'queue') },
    [`http-bearer-${kind}`]: http({ type: 'bearer', token: plant(name('http_bearer')) }),
    [`http-basic-${kind}`]: http({ type: 'basic', username: 'u', password: plant(name('http_basic')) }),
    [`http-header-${kind}`]: http({ type: 'header', name: 'X-Api-Key', value: plant(name('http_header')) }),
    [`http-hmac-${kind}`]: http({ type: 'hmac', secret: plant(name('http_hmac')) }),
    ...(connectorNames.has('kafka') && {
      [`kafka-${kind}`]: {
        ...{ type: 'kafka', brokers: at },
        sasl: { mechanism: 'plain', username: 'u', password: plant(name('kafka')) },
      },
    }),
  };
}

let connectorNames: ReadonlySet<string>;

function newKey(): string {
  return generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  }).privateKey;
}

/** A sync that reads or writes each, so that every one of them is logged in to. */
function syncsOf(all: Record<string, Record<string, unknown>>): Record<string, object> {
  const local = { connection: 'local', table: 'people' };
  return Object.fromEntries(
    Object.entries(all).map(([connection, { type }], i) => {
      const out = { connection: 'local', table: `t${i}` };
      const ways: Record<string, object> = {
        salesforce: { from: { connection, object: 'Contact' }, to: out },
        postgres: { from: { connection, table: 'people', watermark: 'at' }, to: out },
        mongodb: { from: local, to: { connection, collection: 'people' } },
        queue: { from: local, to: { connection, queue: 'people' } },
        kafka: { from: local, to: { connection, topic: 'people' } },
        http: { from: local, to: { connection, path: '/people', method: 'POST', key: 'id' } },
      };
      return [connection, { ...ways[type as string], every: '1s', retry: { attempts: 1 } }];
    }),
  );
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-canary-'));
  const { connectors } = await loadConnectors();
  connectorNames = new Set(connectors.map(({ name }) => name));
  // Refuses, and says all that it was sent: as a proxy does that is set to debug, or a server that quotes the request.
  echo = createHttpServer((request, reply) => {
    let body = '';
    request.on('data', (part) => {
      body += part;
    });
    request.on('end', () => {
      const message = `${request.method} ${request.url} ${JSON.stringify(request.headers)} ${body} ${decodeURIComponent(body.replaceAll('+', ' ').replaceAll(/%(?![0-9a-f]{2})/gi, ''))}`;
      reply.writeHead(401, { 'content-type': 'application/json' });
      reply.end(JSON.stringify({ error: 'invalid_client', error_description: message, message }));
    });
  });
  // And one that answers in no language, with what it was told.
  parrot = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => void socket.end(data));
  });
  await Promise.all([echo, parrot].map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))));
});
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  echo.close();
  parrot.close();
  rmSync(folder, { recursive: true, force: true });
});

const portOf = (server: HttpServer | TcpServer) => (server.address() as AddressInfo).port;

function tidemark(...argv: string[]) {
  const child = spawn(process.execPath, [bin, ...argv], {
    env: { PATH: process.env.PATH ?? '', ...planted, TIDEMARK_CONFIG: join(folder, 'tidemark.yaml') },
  });
  children.add(child);
  const told = { text: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      told.text += part;
    });
  }
  const ended = new Promise<string>((resolve) =>
    child.on('close', () => {
      children.delete(child);
      resolve(told.text);
    }),
  );
  return { child, told, ended, commandLine: readFileSync(`/proc/${child.pid}/cmdline`, 'utf8') };
}

/** What was planted and is in the text, in any of the spellings in which it would still be read. */
function found(text: string): string[] {
  return Object.entries(planted).flatMap(([name, value]) => {
    // Of a key any line of it is enough.
    const parts = value.includes('\n')
      ? value.split('\n').filter((line) => line.length > 40 && !line.startsWith('-----'))
      : [value];
    const spellings = parts.flatMap((part) => [
      part,
      encodeURIComponent(part),
      JSON.stringify(part).slice(1, -1),
      Buffer.from(part).toString('base64').replace(/=+$/, '').slice(0, -2),
      Buffer.from(part).toString('hex'),
    ]);
    return spellings.some((spelling) => text.includes(spelling)) ? [name] : [];
  });
}

function files(at: string): string[] {
  return readdirSync(at, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

type Connections = ReturnType<typeof connections>;

function everywhere(): Connections {
  return {
    ...connections('refused', '127.0.0.1:1'),
    ...connections('nowhere', 'nowhere.invalid:443'),
    ...connections('echo', `127.0.0.1:${portOf(echo)}`),
    ...connections('parrot', `127.0.0.1:${portOf(parrot)}`),
  };
}

function configure(all: Connections, more: { syncs?: object } = {}): void {
  writeFileSync(
    join(folder, 'tidemark.yaml'),
    JSON.stringify({
      connections: { local: { type: 'sqlite', path: './local.db' }, ...all },
      log: { level: 'debug' },
      store: { url: './state.db' },
      syncs: {
        ...syncsOf(all),
        hook: {
          from: { hook: { auth: { type: 'bearer', token: plant('HOOK_TOKEN') }, key: 'id', fields: { id: 'text' } } },
          to: { connection: 'local', table: 'hooked' },
        },
        signed: {
          from: { hook: { auth: { type: 'hmac', secret: [plant('HOOK_SECRET')] }, key: 'id', fields: { id: 'text' } } },
          to: { connection: 'local', table: 'signed' },
        },
        ...more.syncs,
      },
    }),
  );
}

async function makeTable(): Promise<void> {
  const { DatabaseSync } = await import('node:sqlite');
  using database = new DatabaseSync(join(folder, 'local.db'));
  database.exec(
    "CREATE TABLE IF NOT EXISTS people (id TEXT PRIMARY KEY, name TEXT); INSERT OR IGNORE INTO people VALUES ('1', 'Kent')",
  );
}

test('in commands, logs, replies, files and process lists, whatever goes wrong', async () => {
  await makeTable();
  const all = everywhere();
  const names = Object.keys(all);
  configure(all);
  const checked = tidemark('check');
  expect(found(checked.commandLine)).toEqual([]);
  const check = await checked.ended;
  // It has been to every one of them, or this shows nothing.
  for (const name of names) expect(check).toContain(name);
  expect(found(check)).toEqual([]);

  const running = tidemark('start', '--port', '0');
  const replies: string[] = [];
  await vi.waitFor(() => expect(running.told.text).toMatch(/"url":"(http:\/\/127\.0\.0\.1:\d+)"/), 90_000);
  const url = /"url":"(http:\/\/127\.0\.0\.1:\d+)"/.exec(running.told.text)![1]!;
  await vi.waitFor(() => expect(names.filter((name) => !running.told.text.includes(`"sync":"${name}"`))).toEqual([]), {
    timeout: 90_000,
    interval: 500,
  });
  for (const path of [
    '/metrics',
    '/healthz',
    '/readyz',
    '/api/v1/syncs',
    '/api/v1/connections',
    '/hooks/hook',
    '/hooks/signed',
  ]) {
    replies.push(await (await fetch(`${url}${path}`)).text());
    replies.push(
      await (await fetch(`${url}${path}`, { method: 'POST', headers: { authorization: 'Bearer wrong' }, body: '{}' })).text(),
    );
  }
  expect(found(replies.join('\n'))).toEqual([]);
  expect(found(readFileSync(`/proc/${running.child.pid}/cmdline`, 'utf8'))).toEqual([]);
  running.child.kill('SIGTERM');
  expect(found(await running.ended)).toEqual([]);

  for (const argv of [
    ['status', '--json'],
    ['runs', '--json'],
    ['failures', 'list', '--json'],
    ['docs', '--out', join(folder, 'docs.html')],
  ]) {
    expect(found(await tidemark(...argv).ended), argv.join(' ')).toEqual([]);
  }
  for (const file of files(folder)) expect(found(readFileSync(file, 'latin1')), file).toEqual([]);
});

// A module of the user's reads the environment as it likes, and may fail with what it read.
test.each([
  ['throws', "export default () => { throw new Error('the step says: ' + process.env.MODULE_SECRET); };"],
  [
    'throws later, and takes the process with it',
    "export default () => { setTimeout(() => { throw new Error('the step says: ' + process.env.MODULE_SECRET); }); return new Promise(() => {}); };",
  ],
  [
    'leaves a promise that fails',
    "export default () => { Promise.reject(new Error('the step says: ' + process.env.MODULE_SECRET)); return new Promise(() => {}); };",
  ],
])('nor when a step of the user’s %s', async (_, module) => {
  await makeTable();
  writeFileSync(join(folder, 'step.ts'), module);
  const connection = { type: 'http', url: 'https://127.0.0.1:1', auth: { type: 'bearer', token: plant('MODULE_SECRET') } };
  const from = { connection: 'local', table: 'people' };
  const crash = { from, steps: [{ run: './step.ts' }], to: { connection: 'local', table: 'crashed' }, retry: { attempts: 1 } };
  configure({ known: connection }, { syncs: { crash } });
  const { ended, child } = tidemark('run', 'crash');
  const text = `${await ended}${await tidemark('failures', 'list').ended}`;
  expect(text).toContain('the step says: ');
  expect(child.exitCode).not.toBe(0);
  expect(found(text)).toEqual([]);
  for (const file of files(folder)) expect(found(readFileSync(file, 'latin1')), file).toEqual([]);
});
