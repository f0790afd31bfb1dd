import { NotConnectedError, RequestRefusedError, systemClock, TransientError } from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import { HttpClient, type HttpRequest } from './client.ts';
import { httpConfig } from './config.ts';
import connector from './connector.ts';
import { configFor, createContext, SleepLog, startServer } from './fixture.ts';

const never = new AbortController().signal;
const get: HttpRequest = { method: 'GET', path: '/a' };

function createClient(url: string, more: object = {}, clock = new SleepLog()) {
  return { client: new HttpClient(configFor(url, more), createContext(clock)), clock };
}

describe('where requests go', () => {
  // The server is there and would answer: what keeps us from it is that it stands in our own network.
  test('an address inside the own network is refused, by number and by name, until it is allowed', async () => {
    await using server = await startServer(() => 200);
    const port = new URL(server.url).port;
    for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '0.0.0.0']) {
      const config = configFor(`http://${host}:${port}`);
      expect((await new HttpClient(config, createContext()).send(get, never)).status).toBe(200);
      const clock = new SleepLog();
      const refused = new HttpClient({ ...config, allowPrivate: false }, createContext(clock)).send(get, never);
      await expect(refused).rejects.toThrow(RequestRefusedError);
      await expect(refused).rejects.toMatchObject({ hint: expect.stringContaining('allowPrivate: true') });
      // No retry makes it another address.
      expect(clock.waitsMs).toEqual([]);
    }
    expect(server.received).toHaveLength(4);
  });

  test('redirects are followed to the same server with the same method and body, and to no other', async () => {
    await using elsewhere = await startServer(() => 200);
    await using server = await startServer(({ path }) => {
      if (path === '/away') return { status: 307, headers: { location: `${elsewhere.url}/a` } };
      if (path === '/moved') return { status: 308, headers: { location: '/a?b' } };
      if (path === '/seen') return { status: 303, headers: { location: '/a' } };
      return path === '/circle' ? { status: 307, headers: { location: '/circle' } } : 200;
    });
    const { client } = createClient(server.url, { auth: { type: 'bearer', token: 'a-bearer-token' } });
    const post = (path: string) => client.send({ method: 'POST', path, body: '{"a":1}' }, never);
    expect((await post('/moved')).status).toBe(200);
    expect(server.received.at(-1)).toMatchObject({ method: 'POST', path: '/a?b', body: '{"a":1}' });
    for (const path of ['/away', '/circle', '/seen']) await expect(post(path)).rejects.toThrow(RequestRefusedError);
    expect((await client.send({ method: 'GET', path: '/seen' }, never)).status).toBe(200);
    await expect(client.send({ method: 'GET', path: '/away' }, never)).rejects.toThrow('another address');
    expect(elsewhere.received).toEqual([]);
  });

  test('a name that nobody has is told without the path, which may be secret', async () => {
    const { client } = createClient('https://nobody.invalid', { retries: 0 });
    const sending = client.send({ ...get, path: '/hooks/T0P-SECRET' }, never);
    await expect(sending).rejects.toThrow(NotConnectedError);
    await expect(sending).rejects.toThrow(/^nobody\.invalid cannot be reached: /);
  });
});

describe('authentication', () => {
  test.each([
    [{ type: 'bearer', token: 'tok' }, { authorization: 'Bearer tok' }],
    [
      { type: 'basic', username: 'ada', password: 'p:ß' },
      { authorization: `Basic ${Buffer.from('ada:p:ß').toString('base64')}` },
    ],
    [{ type: 'header', name: 'X-Api-Key', value: 'key' }, { 'x-api-key': 'key' }],
  ])('%j', async (auth, expected) => {
    await using server = await startServer(() => 200);
    await createClient(server.url, { auth, headers: { 'X-Tenant': 'one' } }).client.send(get, never);
    expect(server.received[0]!.headers).toMatchObject({ ...expected, 'x-tenant': 'one' });
  });
});

describe('limits', () => {
  test('no more requests than allowed begin within any stretch, in the order in which they were asked for', async () => {
    const clock = new SleepLog();
    const times: number[] = [];
    await using server = await startServer(() => {
      times.push(clock.now());
      return 200;
    });
    const { client } = createClient(server.url, { rateLimit: { requests: 3, per: '10s' } }, clock);
    for (let i = 0; i < 10; i++) await client.send(get, never);
    for (const [i, time] of times.entries()) if (i >= 3) expect(time - times[i - 3]!).toBeGreaterThanOrEqual(10_000);
    expect(times.at(-1)! - times[0]!).toBe(30_000);
  });

  test('a server that says nothing is given up after the timeout, and asked again', async () => {
    let release = () => {};
    const silent = new Promise<void>((resolve) => {
      release = resolve;
    });
    await using server = await startServer(async () => {
      await silent;
      return 200;
    });
    // The clock of this test does not wait for a timeout.
    const { client } = createClient(server.url, { timeout: '3s', retries: 2 });
    await expect(client.send(get, never)).rejects.toThrow(TransientError);
    await expect(client.send(get, never)).rejects.toThrow('within 3000 ms');
    release();
  });

  test('a call that is called off ends at once and is not sent again', async () => {
    const stop = new AbortController();
    await using server = await startServer(() => {
      stop.abort(new Error('called off'));
      return 'hang up';
    });
    await expect(createClient(server.url).client.send(get, stop.signal)).rejects.toThrow('called off');
    expect(server.received).toHaveLength(1);
  });

  test('an endless reason is cut', async () => {
    await using server = await startServer(() => ({ status: 400, body: 'x'.repeat(5_000_000) }));
    expect((await createClient(server.url).client.send(get, never)).body.length).toBeLessThanOrEqual(64 * 1024);
  });
});

describe('configuration', () => {
  const problems = (config: object) => httpConfig.safeParse(config).error?.issues.map(({ message }) => message) ?? [];
  test.each([
    [{ url: 'http://api.example.com' }, /must be https/],
    [{ url: 'ftp://api.example.com' }, /Invalid URL/],
    [{ url: 'https://a:b@api.example.com' }, /no user and password/],
    [{ url: 'https://api.example.com?key=1' }, /no query/],
    [{ url: 'https://a.b', headers: { 'X-A': 'b\r\nHost: c' } }, /no header can carry/],
    [{ url: 'https://a.b', headers: { 'Idempotency-Key': 'x' } }, /cannot set/],
    [{ url: 'https://a.b', auth: { type: 'hmac', secret: 'short' } }, /16 characters/],
    [{ url: 'https://a.b', timeout: 'soon' }, /not a duration/],
    [{ url: 'https://a.b', rateLimit: { requests: 0 } }, /Too small/],
  ])('%j is refused', (config, message) => expect(problems(config).join()).toMatch(message));

  test('https is enough; http takes the word that it is inside', () => {
    expect(problems({ url: 'https://api.example.com/v1' })).toEqual([]);
    expect(problems({ url: 'http://10.0.0.5', allowPrivate: true })).toEqual([]);
  });
});

describe('check', () => {
  const check = (url: string, more: object = {}) => connector.open(configFor(url, more), createContext(systemClock)).check();

  test('tells whether the server answers, and with checkPath whether the credentials are right', async () => {
    await using server = await startServer(({ path }) => (path === '/me' ? 401 : path === '/ok' ? 200 : 404));
    expect(await check(server.url)).toEqual([]);
    expect(await check(server.url, { checkPath: '/ok' })).toEqual([]);
    expect(await check(server.url, { checkPath: '/me' })).toMatchObject([
      {
        place: 'connections.hooks',
        severity: 'error',
        message: expect.stringContaining('401'),
        hint: expect.stringContaining('auth'),
      },
    ]);
    expect(await check(server.url, { checkPath: '/gone' })).toMatchObject([
      { severity: 'error', message: 'GET /gone: answered 404' },
    ]);
    expect(await check('http://127.0.0.1:1')).toMatchObject([
      { severity: 'error', message: expect.stringContaining('cannot be reached') },
    ]);
  });
});
