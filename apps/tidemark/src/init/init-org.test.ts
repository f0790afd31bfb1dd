import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Emulator, startEmulator } from '@tidemark/emulator';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, Workplace } from '../testing.ts';

// From nothing to a verified copy of an org by the command line alone; and a login that is refused takes nothing over. (P12)

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ records: 1000 });
});
afterAll(() => emulator.close());

let place: Workplace;
beforeEach(() => {
  const { loginUrl, clientId, clientSecret } = emulator.credentials;
  place = new Workplace({ SF_LOGIN_URL: loginUrl, SF_CLIENT_ID: clientId, SF_CLIENT_SECRET: clientSecret });
});
afterEach(() => place[Symbol.dispose]());
const json = (answer: Answer) => JSON.parse(answer.out);
const init = (...more: string[]) => place.call('init', '--yes', '--set', `app.path=${place.path('crm.db')}`, ...more);

test('init, check, plan, run, verify', async () => {
  expect(await init('--objects', 'Account,Contact')).toMatchObject({ exitCode: 0 });
  const yaml = readFileSync(place.path('tidemark.yaml'), 'utf8');
  expect(yaml).not.toContain(emulator.credentials.clientSecret);
  expect(readFileSync(place.path('.env.example'), 'utf8')).not.toContain(emulator.credentials.clientSecret);

  expect(json(await place.call('check', '--json'))).toEqual({ ok: true, problems: [] });
  expect(json(await place.call('plan', '--json')).syncs).toEqual([
    expect.objectContaining({ sync: 'accounts', kind: 'full' }),
    expect.objectContaining({ sync: 'contacts', kind: 'full' }),
  ]);
  expect(existsSync(place.path('crm.db'))).toBe(false);

  const { runs } = json(await place.call('run', '--all', '--json'));
  expect(runs.map((run: { state: string }) => run.state)).toEqual(['succeeded', 'succeeded']);
  expect(runs[0].counts.created).toBeGreaterThan(0);
  for (const sync of ['accounts', 'contacts']) {
    const verified = await place.call('verify', sync, '--json');
    expect(verified.exitCode, verified.err).toBe(0);
    expect(json(verified)).toMatchObject({ sync, differences: 0, failing: 0 });
    expect(json(verified).verified).toBeGreaterThan(0);
  }
});

test('init --live: check names what the org does not tell of, and selects it', async () => {
  const { out } = await init('--objects', 'Account,Contact', '--live');
  expect(out).toContain('first: tidemark check --select, which selects Account, Contact for Change Data Capture');
  expect(readFileSync(place.path('tidemark.yaml'), 'utf8')).toMatch(/ {2}contacts:\n.*\n.*\n {4}live: true\n/);
  const check = await place.call('check');
  expect(check).toMatchObject({ exitCode: 1, out: expect.stringContaining('Contact is not selected for Change Data Capture') });
  expect((await place.call('check', '--select')).exitCode).toBe(0);
  expect(emulator.events.selectedForChangeEvents()).toEqual(['Account', 'Contact']);
});

test('init for an HTTP API: a path for each object, and records arrive there', async () => {
  const paths: string[] = [];
  const api = createServer((request, response) => {
    paths.push(`${request.method} ${request.url}`);
    request.resume().on('end', () => response.end());
  });
  await new Promise<void>((done) => api.listen(0, '127.0.0.1', done));
  try {
    const url = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
    const flags = ['--target', 'http', '--set', `app.url=${url}`, '--set', 'app.allowPrivate=true', '--objects', 'Contact'];
    expect(await place.call('init', '--yes', ...flags)).toMatchObject({ exitCode: 0 });
    expect(readFileSync(place.path('tidemark.yaml'), 'utf8')).toContain('path: /contacts }');
    expect((await place.call('run', 'contacts')).exitCode).toBe(0);
    expect(paths.filter((path) => path === 'POST /contacts').length).toBeGreaterThan(0);
  } finally {
    api.close();
    api.closeAllConnections();
  }
});

describe('nothing is written when', () => {
  const refused: readonly [what: string, env: NodeJS.ProcessEnv, flags: string[], expected: RegExp, exitCode: number][] = [
    [
      'the secret is wrong',
      { SF_CLIENT_SECRET: 'wr0ng-s3cret' },
      [],
      /connections.crm: .*refused[\s\S]*to do: [\s\S]*nothing was written/,
      1,
    ],
    ['the address leads nowhere', { SF_LOGIN_URL: 'http://127.0.0.1:1' }, [], /connections.crm: [\s\S]*nothing was written/, 1],
    ['the address is not safe', { SF_LOGIN_URL: 'http://example.com' }, [], /connections.crm.loginUrl: must be https/, 2],
    ['the org has no such object', {}, ['--objects', 'Contakt'], /has no Contakt.*\n {2}to do: did you mean Contact\?/, 2],
  ];
  test.each(refused)('%s', async (_, env, flags, expected, exitCode) => {
    Object.assign(place.env, env);
    const answer = await init(...flags);
    expect(answer.out + answer.err).toMatch(expected);
    expect(answer.exitCode).toBe(exitCode);
    expect(answer.out + answer.err).not.toContain('wr0ng-s3cret');
    expect([existsSync(place.path('tidemark.yaml')), existsSync(place.path('.env.example'))]).toEqual([false, false]);
  });
});

describe('bad input that only the systems can judge', () => {
  const configure = (sync: string, app = `{ type: sqlite, path: ./crm.db }`) =>
    place.write(
      'tidemark.yaml',
      `connections:
  crm: { type: salesforce, loginUrl: "\${SF_LOGIN_URL}", auth: { flow: client-credentials, clientId: "\${SF_CLIENT_ID}", clientSecret: "\${SF_CLIENT_SECRET}" } }
  app: ${app}
syncs:
  contacts:
    ${sync.replaceAll('; ', '\n    ')}
    to: { connection: app, table: contacts }
    retry: { attempts: 1 }
`,
    );
  const contact = 'from: { connection: crm, object: Contact }';
  const cases: readonly [what: string, sync: string, app: string | undefined, expected: RegExp][] = [
    ['an unknown object', 'from: { connection: crm, object: Contakt }', undefined, /syncs.contacts: .*Contakt/],
    ['an unknown field', `${contact}; fields: { id: Id, x: Emial }`, undefined, /syncs.contacts: .*Emial/],
    [
      'SOQL that the org refuses',
      'from: { connection: crm, query: "SELECT Id FROM Contact WHERE" }',
      undefined,
      /syncs.contacts: /,
    ],
    ['a database that is down', contact, '{ type: postgres, url: "postgres://me@127.0.0.1:1/x" }', /connections.app: /],
    ['a database file in no folder', contact, '{ type: sqlite, path: ./no/such/folder/crm.db }', /app/],
  ];
  test.each(cases)(
    '%s: check names the place and the remedy, and so does run',
    async (_, sync, app, expected) => {
      configure(sync, app);
      const check = await place.call('check');
      expect(check.out + check.err).toMatch(expected);
      expect(check.out + check.err).toMatch(/to do: \S/);
      expect(check.exitCode).toBe(1);
      const run = await place.call('run', 'contacts', '--json');
      expect(run.exitCode).toBe(1);
      expect(json(run)).toMatchObject({
        state: 'failed',
        error: { code: expect.any(String), message: expect.any(String) },
        counts: { created: 0 },
      });
    },
    120_000,
  );

  test('a filter that the org refuses: run says what the org said', async () => {
    configure(`${contact}; where: Email !!= null`);
    const run = await place.call('run', 'contacts');
    expect(run.exitCode).toBe(1);
    expect(run.out).toMatch(/contacts: full run failed[\s\S]*error: .*\S[\s\S]*code: request_refused/);
  });
});
