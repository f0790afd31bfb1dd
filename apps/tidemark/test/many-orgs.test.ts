import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Engine } from '@tidemark/core';
import { evidence } from '@tidemark/emulator';
import { createTestDatabase } from '@tidemark/testkit';
import pg from 'pg';
import { describe, expect, test, vi } from 'vitest';
import { clientSecret, contacts, insert, ManyOrgsWorld } from './many-orgs-world.ts';

// 001-1: one connection for each customer's org, established, maintained and watched. What happens to one org is nobody else's
// trouble: neither its rows (P4), nor its tokens (P10), nor its silence.

const inTable = 'select org_id as org, last from contacts where _tidemark_deleted_at is null order by org_id, last';

/** Runs until `stop` is called. */
function start(engine: Engine, more: { onRun?: (run: { sync: string; state: string }) => void } = {}) {
  const stop = new AbortController();
  const ended = engine.start({ stop: stop.signal, signal: new AbortController().signal, ...more });
  return async () => {
    stop.abort();
    await ended;
  };
}

describe('001-1 orgs in one table', () => {
  test('each has its rows, and a full run of one sweeps nothing of another (P4, P12)', async () => {
    await using world = new ManyOrgsWorld({ contacts });
    const acme = await world.connect('acme', ['Adler', 'Berg']);
    await world.connect('globex', ['Codd']);
    for (const sync of ['contacts@acme', 'contacts@globex']) expect((await world.place.call('run', sync)).exitCode).toBe(0);
    expect(world.rows(inTable)).toEqual([
      { org: 'acme', last: 'Adler' },
      { org: 'acme', last: 'Berg' },
      { org: 'globex', last: 'Codd' },
    ]);
    const [adler] = world.rows<{ id: string }>("select id from contacts where last = 'Adler'");
    acme.org.write((transaction) => transaction.delete('Contact', adler!.id));
    expect((await world.place.call('run', 'contacts@acme', '--full')).exitCode).toBe(0);
    expect(world.rows(inTable)).toEqual([
      { org: 'acme', last: 'Berg' },
      { org: 'globex', last: 'Codd' },
    ]);
    for (const sync of ['contacts@acme', 'contacts@globex']) {
      const verdict = JSON.parse((await world.place.call('verify', sync, '--json')).out);
      expect(verdict).toMatchObject({ differences: 0, verified: 1 });
    }
    const status = JSON.parse((await world.place.call('status', '--json')).out);
    expect(status.syncs.map(({ sync }: { sync: string }) => sync)).toEqual(['contacts@acme', 'contacts@globex']);
  });
});

test('001-1 a schema for each org is made by its first run, and no org touches that of another (P4)', async () => {
  const database = await createTestDatabase();
  const session = new pg.Client({ connectionString: database.url });
  await session.connect();
  const to = { connection: 'db', table: 'contacts', schema: 'org_{org}' };
  await using world = new ManyOrgsWorld({ contacts: { ...contacts, to } }, { db: { type: 'postgres', url: database.url } });
  try {
    const acme = await world.connect('acme', ['Adler']);
    await world.connect('globex', ['Codd', 'Dahl']);
    const held = async (org: string) =>
      (await session.query(`SELECT last FROM org_${org}.contacts ORDER BY last`)).rows.map(({ last }) => last);
    for (const sync of ['contacts@acme', 'contacts@globex']) expect((await world.place.call('run', sync)).exitCode).toBe(0);
    expect([await held('acme'), await held('globex')]).toEqual([['Adler'], ['Codd', 'Dahl']]);
    const [{ id }] = (await session.query('SELECT id FROM org_acme.contacts')).rows;
    acme.org.write((transaction) => transaction.delete('Contact', id));
    expect((await world.place.call('run', 'contacts@acme')).exitCode).toBe(0);
    expect([await held('acme'), await held('globex')]).toEqual([[], ['Codd', 'Dahl']]);
  } finally {
    await session.end();
    await database.drop();
  }
});

test('a table of all orgs that somebody dropped is filled anew by each of them, whoever makes it again (P1)', async () => {
  await using world = new ManyOrgsWorld({ contacts });
  await world.connect('acme', ['Adler']);
  await world.connect('globex', ['Codd']);
  const run = async (sync: string) => JSON.parse((await world.place.call('run', sync, '--json')).out);
  for (const sync of ['contacts@acme', 'contacts@globex']) expect(await run(sync)).toMatchObject({ state: 'succeeded' });
  world.rows('drop table contacts');
  // One that has read nothing yet makes it: neither of the others finds it lacking.
  await world.connect('initech', ['Dahl']);
  for (const org of ['initech', 'globex', 'acme']) {
    expect(await run(`contacts@${org}`)).toMatchObject({ state: 'succeeded', kind: 'full' });
  }
  expect(world.rows(inTable)).toMatchObject([{ last: 'Adler' }, { last: 'Codd' }, { last: 'Dahl' }]);
});

test('status counts the orgs that are well, and shows those that need somebody (001-1)', async () => {
  await using world = new ManyOrgsWorld({ contacts });
  const orgs = [];
  for (let i = 0; i < 7; i++) orgs.push(await world.connect(`org-${i}`));
  orgs[3]!.sessions.revokeAll({ refreshTokens: true });
  expect((await world.place.call('run', 'contacts@org-3')).exitCode).toBe(1);
  const { exitCode, out } = await world.place.call('status');
  expect(exitCode).toBe(1);
  expect(out).toContain('7 orgs (6 active, 1 revoked); 1 need somebody: org-3');
  expect(out).toContain('contacts@org-3');
  expect(out).not.toContain('contacts@org-4');
  const one = JSON.parse((await world.place.call('status', '--org', 'org-4', '--json')).out);
  expect(one.syncs.map(({ sync }: { sync: string }) => sync)).toEqual(['contacts@org-4']);
  expect((await world.place.call('status', '--org', 'nobody')).exitCode).toBe(2);
});

describe('001-1 orgs that come and go', () => {
  test('a running start takes up an org that is connected, leaves one that is paused, and goes on with it later', async () => {
    await using world = new ManyOrgsWorld({ contacts });
    await using store = await world.openStore();
    await using engine = await world.engine(store);
    const stop = start(engine);
    const acme = await world.connect('acme', ['Adler']);
    const inAcme = (last: string) => vi.waitFor(() => expect(world.rows(inTable)).toContainEqual({ org: 'acme', last }), 90_000);
    await inAcme('Adler');
    expect((await world.place.call('org', 'pause', 'customers', 'acme')).exitCode).toBe(0);
    await engine.refreshOrgs();
    await vi.waitFor(() => expect(engine.config.syncs.has('contacts@acme')).toBe(true));
    insert(acme, 'Berg');
    const globex = await world.connect('globex', ['Codd']);
    await vi.waitFor(() => expect(world.rows(inTable)).toContainEqual({ org: 'globex', last: 'Codd' }), 90_000);
    expect(world.rows(inTable)).not.toContainEqual({ org: 'acme', last: 'Berg' });
    expect((await world.place.call('org', 'resume', 'customers', 'acme')).exitCode).toBe(0);
    await inAcme('Berg');
    expect((await world.place.call('org', 'remove', 'customers', 'globex')).exitCode).toBe(0);
    await vi.waitFor(() => expect(engine.config.syncs.has('contacts@globex')).toBe(false), 90_000);
    // The token is given back: the org lists it no more.
    expect(globex.sessions.refresh(globex.credentials.refreshToken, false)).toBeUndefined();
    await stop();
  });

  test('what is set for one org alone is begun anew with it, and holds for no other', async () => {
    await using world = new ManyOrgsWorld({ contacts });
    await world.connect('acme', ['Adler']);
    await world.connect('globex', ['Codd']);
    const answer = await world.place.call('org', 'set', 'customers', 'acme', '--every', '5m', '--budget', '20%', '--json');
    expect(JSON.parse(answer.out).overrides).toEqual({ every: '5m', budget: { share: '20%' } });
    await using store = await world.openStore();
    await using engine = await world.engine(store);
    expect(engine.config.syncs.get('contacts@acme')!.schedule).toEqual({ kind: 'every', everyMs: 300_000 });
    expect(engine.config.syncs.get('contacts@globex')!.schedule).toEqual({ kind: 'every', everyMs: 1000 });
    expect(engine.config.connections.get('customers@acme')!.config).toMatchObject({ budget: { share: { share: 0.2 } } });
    const unset = await world.place.call(
      'org',
      'set',
      'customers',
      'acme',
      '--every',
      'default',
      '--pause-sync',
      'contacts',
      '--json',
    );
    expect(JSON.parse(unset.out).overrides).toEqual({ budget: { share: '20%' }, paused: ['contacts'] });
  });
});

describe(`tokens ${evidence('documented', 'Salesforce Help, "Manage OAuth Access Policies": refresh token rotation')}`, () => {
  test('an org that gives a new token for each that is spent is not lost, whatever number of processes spend it at once (P11)', async () => {
    await using world = new ManyOrgsWorld({ contacts });
    const acme = await world.connect('acme', ['Adler'], true);
    await using store = await world.openStore();
    const engines = await Promise.all([1, 2, 3, 4].map(() => world.engine(store)));
    const refreshes = () => acme.requests.entries().filter(({ kind }) => kind === 'oauth.token').length;
    const before = refreshes();
    for (let round = 0; round < 3; round++) {
      acme.sessions.revokeAll();
      const problems = await Promise.all(engines.map((engine) => engine.testConnection('customers@acme')));
      expect(problems.flat()).toEqual([]);
    }
    expect(refreshes() - before).toBeGreaterThanOrEqual(12);
    expect((await engines[0]!.orgs.list())[0]).toMatchObject({ state: 'active' });
    for (const engine of engines) await engine[Symbol.asyncDispose]();
  });

  test('bad input: a token that was taken back makes its org stand aside with what to do, and no other', async () => {
    await using world = new ManyOrgsWorld({ contacts });
    const acme = await world.connect('acme', ['Adler']);
    await world.connect('globex', ['Codd']);
    acme.sessions.revokeAll({ refreshTokens: true });
    const refused = await world.place.call('run', 'contacts@acme');
    expect(refused.exitCode).toBe(1);
    expect(refused.out + refused.err).toContain('tidemark org invite customers acme');
    expect((await world.place.call('run', 'contacts@globex')).exitCode).toBe(0);
    const { orgs } = JSON.parse((await world.place.call('org', 'list', '--json')).out);
    expect(orgs.map(({ name, state }: { name: string; state: string }) => [name, state])).toEqual([
      ['acme', 'revoked'],
      ['globex', 'active'],
    ]);
    expect((await world.place.call('org', 'list')).out).toContain('tidemark org invite customers acme');
    const resumed = await world.place.call('org', 'resume', 'customers', 'acme');
    expect(resumed.err).toContain('org invite customers acme');
  });
});

describe('the key', () => {
  test('is changed without any org being connected again', async () => {
    await using world = new ManyOrgsWorld({ contacts });
    await world.connect('acme', ['Adler']);
    await world.connect('globex', ['Codd']);
    const former = world.place.env.TIDEMARK_KEY!;
    const current = randomBytes(32).toString('base64');
    world.place.env.TIDEMARK_KEY = `${current},${former}`;
    const rotated = await world.place.call('rotate-key', '--json');
    expect(JSON.parse(rotated.out)).toMatchObject({ rotated: 2, unreadable: [] });
    world.place.env.TIDEMARK_KEY = current;
    for (const sync of ['contacts@acme', 'contacts@globex']) expect((await world.place.call('run', sync)).exitCode).toBe(0);
    expect(JSON.parse((await world.place.call('rotate-key', '--json')).out)).toMatchObject({ rotated: 0, unreadable: [] });
  });

  test('bad input: one that is lost is named with the remedy, org by org, and shows in the list', async () => {
    await using world = new ManyOrgsWorld({ contacts });
    await world.connect('acme', ['Adler']);
    world.place.env.TIDEMARK_KEY = randomBytes(32).toString('base64');
    const refused = await world.place.call('run', 'contacts@acme');
    expect(refused.exitCode).toBe(1);
    expect(refused.out + refused.err).toMatch(/encrypted with the key [0-9a-f]{8}, which TIDEMARK_KEY does not hold/);
    expect((await world.place.call('org', 'list')).out).toContain('key lost');
    const rotated = await world.place.call('rotate-key');
    expect(rotated.exitCode).toBe(1);
    expect(rotated.out).toContain('acme (customers)');
  });

  test.each([
    ['none', undefined, 'is not set'],
    ['one that is none', 'hunter2-canary', '32 bytes in base64'],
  ])('bad input: %s is refused with the place in the file and a way to make one', async (_, key, message) => {
    await using world = new ManyOrgsWorld({ contacts });
    if (key === undefined) delete world.place.env.TIDEMARK_KEY;
    else world.place.env.TIDEMARK_KEY = key;
    const { exitCode, err } = await world.place.call('org', 'list');
    expect(exitCode).toBe(2);
    expect(err).toContain(message);
    expect(err).toContain('openssl rand -base64 32');
    expect(err).toContain('connections.customers.orgs');
    expect(err).not.toContain('hunter2-canary');
  });
});

describe('bad input', () => {
  test('an org or a connection that there is not, and a name that cannot be used', async () => {
    await using world = new ManyOrgsWorld({ contacts });
    const unknown = await world.place.call('org', 'pause', 'customers', 'nobody');
    expect(unknown.err).toContain('there is no org nobody of customers');
    expect((await world.place.call('org', 'pause', 'db', 'acme')).err).toContain('is no connection that stands for many orgs');
    expect((await world.place.call('org', 'invite', 'customers', 'a@b')).err).toContain('not a usable name');
    expect((await world.place.call('run', 'contacts@nobody')).err).toContain('there is no sync contacts@nobody');
    expect((await world.place.call('org', 'set', 'customers', 'nobody', '--every', '5m')).err).toContain(
      'there is no org nobody',
    );
  });

  test('a name that stands for another org, and an org that has another name', async () => {
    await using world = new ManyOrgsWorld({ contacts });
    const acme = await world.connect('acme');
    const other = await world.open('other');
    const taken = await world.add('acme', other);
    expect(taken.exitCode).not.toBe(0);
    expect(taken.err).toContain('stands for another org already');
    const twice = await world.add('acme-again', acme);
    expect(twice.err).toContain('connected already, as acme');
    expect(JSON.parse((await world.place.call('org', 'list', '--json')).out).orgs).toHaveLength(1);
  });

  test('a token that is none, none at all, and a value that does not fit', async () => {
    await using world = new ManyOrgsWorld({ contacts });
    const acme = await world.connect('acme');
    world.place.env.TIDEMARK_REFRESH_TOKEN = '5Aep861canary-that-is-no-token';
    const wrong = await world.place.call('org', 'add', 'customers', 'globex', '--login-url', acme.credentials.loginUrl);
    expect(wrong.exitCode).toBe(1);
    expect(wrong.err).toContain('invalid_grant');
    expect(wrong.err).not.toContain('canary-that-is-no-token');
    world.place.env.TIDEMARK_REFRESH_TOKEN = ' ';
    expect((await world.place.call('org', 'add', 'customers', 'globex')).exitCode).toBe(2);
    const set = await world.place.call('org', 'set', 'customers', 'acme', '--every', 'often');
    expect(set.exitCode).toBe(2);
    expect(set.err).toContain('is not a duration');
    expect((await world.place.call('org', 'set', 'customers', 'acme', '--pause-sync', 'nothing')).err).toContain(
      'nothing is no sync',
    );
  });

  test.each([
    [
      'orgs that would write one table',
      { contacts: { ...contacts, to: { connection: 'db', table: 'contacts' } } },
      'one place for all orgs',
    ],
    [
      'a sync that uses the connection as if it were one org',
      { contacts: { ...contacts, forEach: undefined } },
      'stands for many orgs',
    ],
    [
      'a sync for each org of nothing',
      { contacts: { ...contacts, from: { connection: 'db', table: 'x' } } },
      'names no connection that stands for many',
    ],
    [
      'a hook for each org',
      {
        contacts: {
          forEach: 'org',
          from: { hook: { auth: { bearer: 'canary-bearer-token' }, key: 'Id', fields: { Id: 'text' } } },
          to: { connection: 'customers', object: 'Contact', key: 'Id' },
        },
      },
      'is not for a hook',
    ],
    ['forEach of something else', { contacts: { ...contacts, forEach: 'customer' } }, 'takes org'],
  ])('%s', async (_, syncs, message) => {
    await using world = new ManyOrgsWorld(syncs);
    const { exitCode, err } = await world.place.call('check');
    expect(exitCode).toBe(2);
    expect(err).toContain(message);
    expect(err).toMatch(/tidemark\.yaml:\d+:\d+/);
  });
});

test('canary: what lets us into orgs is nowhere in the clear: not in the store, the copy, the log, or what commands print (P10)', async () => {
  await using world = new ManyOrgsWorld({ contacts });
  const acme = await world.connect('acme', ['Adler'], true);
  const secrets = [acme.credentials.refreshToken, clientSecret, world.key];
  let printed = '';
  const lines: string[] = [];
  const log = (data: object, message: string) => void lines.push(JSON.stringify(data) + message);
  await using store = await world.openStore();
  await using engine = await world.engine(store, { log: { debug: log, info: log, warn: log, error: log } });
  for (let round = 0; round < 3; round++) {
    acme.sessions.revokeAll();
    await engine.run('contacts@acme', { full: true, signal: new AbortController().signal });
    // Those that rotation made meanwhile count as well.
    const kept = (await store.orgs.credential('customers', 'acme'))!;
    secrets.push(engine.config.orgs!.vault.open(kept, ['org', 'customers', 'acme']));
  }
  for (const command of [
    ['org', 'list'],
    ['org', 'list', '--json'],
    ['status', '--json'],
    ['org', 'invite', 'customers', 'x'],
    ['run', 'contacts@acme', '--verbose'],
  ]) {
    const { out, err } = await world.place.call(...command);
    printed += out + err;
  }
  acme.sessions.revokeAll({ refreshTokens: true });
  const { out, err } = await world.place.call('run', 'contacts@acme', '--verbose');
  printed += out + err;
  const files = ['state.db', 'state.db-wal', 'copy.db', 'copy.db-wal'].map((name) => read(world.place.path(name)));
  for (const secret of new Set(secrets)) {
    for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')]) {
      expect(printed.includes(form)).toBe(false);
      expect(lines.some((line) => line.includes(form))).toBe(false);
      for (const bytes of files) expect(bytes.includes(form)).toBe(false);
    }
  }
  expect(new Set(secrets).size).toBeGreaterThan(4);
});

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch {
    return Buffer.alloc(0);
  }
}
