import { connectEndpoints, type Engine, startHttpServer } from '@tidemark/core';
import { type Emulator, evidence } from '@tidemark/emulator';
import { afterEach, describe, expect, test } from 'vitest';
import { clientSecret, contacts, ManyOrgsWorld, quiet } from './many-orgs-world.ts';

// A customer connects their own org, and nobody else's name: by an invitation that only we can make, in the browser that began, once.

const disposables: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of disposables.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

interface Setting {
  readonly world: ManyOrgsWorld;
  readonly engine: Engine;
  readonly acme: Emulator;
  readonly url: string;
  readonly log: string[];
  /** The link of an invitation. */
  invite(name: string, more?: { ttlMs?: number; org?: Emulator }): string;
  list(): Promise<readonly (readonly [string, string])[]>;
}

async function setting(): Promise<Setting> {
  const world = new ManyOrgsWorld({ contacts });
  disposables.push(world);
  const acme = await world.open('acme', ['Adler']);
  const store = await world.openStore();
  disposables.push(store);
  const lines: string[] = [];
  const log = (data: object & { err?: unknown }, message: string) =>
    void lines.push(`${JSON.stringify(data)} ${message} ${data.err instanceof Error ? data.err.message : ''}`);
  const engine = await world.engine(store, { log: { ...quiet, info: log, warn: log } });
  disposables.push(engine);
  const { orgs } = engine;
  const endpoints = [connectEndpoints({ orgs, log: { ...quiet, info: log, warn: log }, stop: new AbortController().signal })];
  const server = await startHttpServer({ host: null, port: 0, log: quiet, endpoints });
  disposables.push(server);
  return {
    ...{ world, engine, acme, url: server.url, log: lines },
    invite: (name, { ttlMs = 60_000, org = acme } = {}) =>
      orgs.invite({ connection: 'customers', name }, { baseUrl: server.url, ttlMs, loginUrl: org.credentials.loginUrl }).url,
    list: async () => (await orgs.list()).map(({ name, state }) => [name, state] as const),
  };
}

/** Cookies of one browser, which follows no redirect by itself. */
class Browser {
  readonly #cookies = new Map<string, string>();
  async open(url: string): Promise<{ status: number; location: string | null; text: string; headers: Headers }> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const reply = await fetch(url, { redirect: 'manual', headers: cookie === '' ? {} : { cookie } });
    for (const set of reply.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(set)!;
      this.#cookies.set(name!, value!);
    }
    return { status: reply.status, location: reply.headers.get('location'), text: await reply.text(), headers: reply.headers };
  }
}

/** From the link to where the org sends its user back. */
async function signIn(browser: Browser, link: string): Promise<string> {
  const toOrg = (await browser.open(link)).location!;
  return (await browser.open(toOrg)).location!;
}

describe(`the web server flow ${evidence('documented', 'Salesforce Help, "OAuth 2.0 Web Server Flow for Web App Integration"')}`, () => {
  test('001-1 whoever is invited connects their org, and its records come', async () => {
    const { invite, list, engine, world, log } = await setting();
    const browser = new Browser();
    const begun = await browser.open(invite('acme'));
    expect(begun.status).toBe(302);
    const authorize = new URL(begun.location!);
    expect(Object.fromEntries(authorize.searchParams)).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      state: expect.stringMatching(/^[\w-]{43}$/),
    });
    expect(begun.location).not.toContain(clientSecret);
    expect(begun.headers.get('set-cookie')).toMatch(/HttpOnly; SameSite=Lax/);
    const done = await browser.open((await browser.open(begun.location!)).location!);
    expect(done.status).toBe(200);
    expect(done.text).toContain('connected as acme');
    expect(done.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(done.headers.get('referrer-policy')).toBe('no-referrer');
    expect(await list()).toEqual([['acme', 'active']]);
    await engine.refreshOrgs();
    await engine.run('contacts@acme', { full: false, signal: new AbortController().signal });
    expect(world.rows('select org_id as org, last from contacts')).toEqual([{ org: 'acme', last: 'Adler' }]);
    // Neither code nor state nor token stands in the log.
    expect(log.join()).not.toMatch(/aPrx|5Aep861|state=/);
  });

  test('an org whose token was taken back is connected again by another invitation, and keeps what is set for it', async () => {
    const { invite, list, engine, acme } = await setting();
    const browser = new Browser();
    await browser.open(await signIn(browser, invite('acme')));
    await engine.orgs.set({ connection: 'customers', name: 'acme' }, { every: '5m' });
    acme.sessions.revokeAll({ refreshTokens: true });
    await engine.refreshOrgs();
    const report = await engine.run('contacts@acme', { full: false, signal: new AbortController().signal });
    expect(report.error).toMatchObject({ code: 'access_denied', hint: expect.stringContaining('org invite customers acme') });
    expect(await list()).toEqual([['acme', 'revoked']]);
    expect((await browser.open(await signIn(browser, invite('acme')))).status).toBe(200);
    expect(await list()).toEqual([['acme', 'active']]);
    expect((await engine.orgs.list())[0]!.overrides).toEqual({ every: '5m' });
    await engine.refreshOrgs();
    expect((await engine.run('contacts@acme', { full: false, signal: new AbortController().signal })).state).toBe('succeeded');
  });
});

describe('bad input', () => {
  const refused = async ({ list }: Setting, reply: { status: number; text: string }, words: string) => {
    expect(reply.text).toContain(words);
    expect(reply.status).toBeGreaterThanOrEqual(400);
    expect(reply.text).toContain('was not connected');
    expect(await list()).toEqual([]);
  };

  test('an invitation that has expired', async () => {
    const all = await setting();
    await refused(all, await new Browser().open(all.invite('acme', { ttlMs: -1000 })), 'has expired');
  });

  test.each([
    ['made up', (link: URL) => link.searchParams.set('signature', Buffer.alloc(32, 1).toString('base64url'))],
    ['for another name', (link: URL) => link.searchParams.set('org', 'globex')],
    ['good for longer', (link: URL) => link.searchParams.set('expires', '9999999999')],
    ['to another login', (link: URL) => link.searchParams.set('login', 'https://evil.example')],
    ['to another login added', (link: URL) => link.searchParams.append('login', 'https://evil.example')],
    ['without its signature', (link: URL) => link.searchParams.delete('signature')],
    ['of nobody', (link: URL) => link.searchParams.delete('org')],
  ])('an invitation %s', async (what, change) => {
    const all = await setting();
    const link = new URL(all.invite('acme'));
    change(link);
    const reply = await new Browser().open(link.href);
    // The first of two values is the one that was signed.
    if (what === 'to another login added') expect(reply.location).toContain(all.acme.credentials.loginUrl);
    else await refused(all, reply, 'this link is no invitation');
  });

  test('a state that comes twice, one that is made up, and a sign-in in another browser', async () => {
    const all = await setting();
    const browser = new Browser();
    const back = await signIn(browser, all.invite('acme'));
    await refused(all, await new Browser().open(back), 'begun in another browser');
    // Whoever tried it in another browser has spent it.
    await refused(all, await browser.open(back), 'ended before');
    const again = await signIn(browser, all.invite('acme'));
    expect((await browser.open(again)).status).toBe(200);
    expect((await browser.open(again)).text).toContain('ended before');
    const madeUp = new URL(again);
    madeUp.searchParams.set('state', 'x'.repeat(43));
    expect((await browser.open(madeUp.href)).text).toContain('ended before');
  });

  test('a user who does not agree, and an answer that carries a page', async () => {
    const all = await setting();
    for (const [error, words] of [
      ['access_denied', 'you have not agreed'],
      ['<script>alert(1)</script>', 'the org has refused it'],
    ] as const) {
      const browser = new Browser();
      const back = new URL(await signIn(browser, all.invite('acme')));
      back.searchParams.delete('code');
      back.searchParams.set('error', error);
      back.searchParams.set('error_description', '"><img src=x onerror=alert(1)>');
      const reply = await browser.open(back.href);
      await refused(all, reply, words);
      expect(reply.text).not.toMatch(/<script>|<img/);
    }
  });

  test('a code that the org does not know: the page says so without a word of ours, and the log has the reason', async () => {
    const all = await setting();
    const browser = new Browser();
    const back = new URL(await signIn(browser, all.invite('acme')));
    back.searchParams.set('code', 'aPrxmade-up');
    await refused(all, await browser.open(back.href), 'Ask whoever sent you the invitation');
    expect(all.log.join()).toContain('invalid authorization code');
    expect(all.log.join()).not.toContain(clientSecret);
  });

  test('the name of another customer, and an org that is connected already: no page tells of other customers', async () => {
    const all = await setting();
    const browser = new Browser();
    expect((await browser.open(await signIn(browser, all.invite('acme')))).status).toBe(200);
    const other = await all.world.open('other');
    const wrongName = await browser.open(await signIn(browser, all.invite('acme', { org: other })));
    expect(wrongName.status).toBe(409);
    const twice = await browser.open(await signIn(browser, all.invite('globex')));
    expect(twice.status).toBe(409);
    expect(twice.text).not.toContain('acme');
    expect(all.log.join()).toContain('connected already, as acme');
    expect(await all.list()).toEqual([['acme', 'active']]);
  });
});
