import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { createFetch, publicFetch, type Resolve } from './fetch.ts';
import { scrub } from './secrets.ts';

const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return (server.address() as AddressInfo).port;
}

const plainServer = () => listen(createServer((_, response) => response.end('plain')));
const secureServer = () => {
  const files = { key: readFileSync(fixture('test-only-server-key.pem')), cert: readFileSync(fixture('test-only-server.pem')) };
  return listen(createSecureServer(files, (_, response) => response.end('secure')) as unknown as Server);
};

/** A forward proxy: tunnels by CONNECT, and passes plain requests on. `seen` tells what went through it. */
async function proxyServer() {
  const seen: string[] = [];
  const say = (request: IncomingMessage) =>
    seen.push(
      `${request.method} ${request.url}${request.headers['proxy-authorization'] ? ` ${request.headers['proxy-authorization']}` : ''}`,
    );
  const server = createServer((request, response) => {
    say(request);
    response.end('by proxy');
  });
  server.on('connect', (request: IncomingMessage, socket: Duplex) => {
    say(request);
    const [host, port] = request.url!.split(':');
    const onward = connect(Number(port), host!, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  return { port: await listen(server), seen };
}

/** Another process, because Node reads NODE_EXTRA_CA_CERTS when it starts. */
async function fetchElsewhere(url: string, env: Record<string, string>): Promise<string> {
  const script = `import { createFetch } from ${JSON.stringify(import.meta.resolve('./fetch.ts'))};
    try { console.log(await (await createFetch(process.env)(process.argv[1])).text()); }
    catch (error) { console.log(error.cause?.code ?? error.message); }`;
  const { PATH } = process.env;
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, url], { env: { PATH, ...env } });
  return (await run).stdout.trim();
}

describe('proxy', () => {
  test('without one in the environment a request goes straight to its server', async () => {
    const fetched = await createFetch({})(`http://127.0.0.1:${await plainServer()}/`);
    expect(await fetched.text()).toBe('plain');
  });

  test('https goes through HTTPS_PROXY as a tunnel, so that the proxy reads nothing', async () => {
    const [port, proxy] = [await secureServer(), await proxyServer()];
    const env = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, NODE_EXTRA_CA_CERTS: fixture('test-only-ca.pem') };
    expect(await fetchElsewhere(`https://localhost:${port}/secret-path`, env)).toBe('secure');
    expect(proxy.seen).toEqual([`CONNECT localhost:${port}`]);
  });

  test('plain http goes through HTTP_PROXY as a request', async () => {
    const [port, proxy] = [await plainServer(), await proxyServer()];
    const fetched = await createFetch({ HTTP_PROXY: `127.0.0.1:${proxy.port}` })(`http://127.0.0.1:${port}/path`);
    expect(await fetched.text()).toBe('by proxy');
    expect(proxy.seen).toEqual([`GET http://127.0.0.1:${port}/path`]);
  });

  test('hosts in NO_PROXY are spared, also by domain', async () => {
    const [port, proxy] = [await plainServer(), await proxyServer()];
    const fetch = createFetch({ http_proxy: `http://127.0.0.1:${proxy.port}`, NO_PROXY: 'other.example,localhost' });
    expect(await (await fetch(`http://localhost:${port}/`)).text()).toBe('plain');
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('by proxy');
  });

  test('the name and password of a proxy are sent to it, and kept out of texts', async () => {
    const [port, proxy] = [await plainServer(), await proxyServer()];
    const fetch = createFetch({ HTTP_PROXY: `http://user:can%40ry-proxy@127.0.0.1:${proxy.port}` });
    await (await fetch(`http://127.0.0.1:${port}/`)).text();
    expect(proxy.seen[0]).toContain(`Basic ${btoa('user:can@ry-proxy')}`);
    expect(scrub('proxy said: can@ry-proxy is wrong')).toBe('proxy said: [secret] is wrong');
  });

  test('a proxy that is down fails the request, rather than being passed by', async () => {
    const fetch = createFetch({ HTTP_PROXY: 'http://127.0.0.1:1' });
    await expect(fetch(`http://127.0.0.1:${await plainServer()}/`)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
  });

  test('a proxy that is no URL is named, without its value', () => {
    expect(() => createFetch({ HTTPS_PROXY: 'http://user:canary@:bad port' })).toThrow(/^HTTPS_PROXY is not a URL$/);
  });
});

describe('certificates', () => {
  test('a server of a company-made authority is trusted with NODE_EXTRA_CA_CERTS, and only with it', async () => {
    const url = `https://localhost:${await secureServer()}/`;
    expect(await fetchElsewhere(url, { NODE_EXTRA_CA_CERTS: fixture('test-only-ca.pem') })).toBe('secure');
    expect(await fetchElsewhere(url, {})).toMatch(/CERT|VERIFY/);
  });
});

describe('public addresses only', () => {
  const to = (...addresses: string[]): Resolve => {
    let asked = 0;
    return (_hostname, _options, done) =>
      done(null, [{ address: addresses[Math.min(asked++, addresses.length - 1)]!, family: 4 }]);
  };
  const refusal = (url: string, fetch: typeof globalThis.fetch) =>
    publicFetch(fetch)(url).then(
      () => 'answered',
      (error: Error) => (error.cause as Error).message,
    );

  // A URL whose host somebody else's DNS resolves leads to the machine itself, to its neighbours, or to a cloud's metadata.
  test.each([
    'http://127.0.0.1',
    'http://[::1]',
    'http://[::ffff:127.0.0.1]',
    'http://2130706433',
    'http://0x7f.1',
    'http://localhost',
    'http://a.localhost.',
  ])('%s is refused, though something listens there', async (url) => {
    const port = await plainServer();
    expect(await refusal(`${url}:${port}/`, createFetch({}))).toContain('is not a public address');
  });

  test('a name is refused by the address it has when the connection is made, whatever it had before', async () => {
    const port = await plainServer();
    // The test that the name means this server, which an unguarded client would now reach.
    expect(await refusal(`http://rebound.example:${port}/`, createFetch({}, to('127.0.0.1')))).toBe(
      'rebound.example (127.0.0.1) is not a public address',
    );
    const both: Resolve = (_hostname, _options, done) =>
      done(null, [
        { address: '93.184.215.14', family: 4 },
        { address: '10.0.0.5', family: 4 },
      ]);
    expect(await refusal(`http://mixed.example:${port}/`, createFetch({}, both))).toContain('10.0.0.5');
  });

  test('behind a proxy addresses are refused too, and the proxy itself may be anywhere', async () => {
    const proxy = await proxyServer();
    const fetch = createFetch({ HTTP_PROXY: `http://127.0.0.1:${proxy.port}` });
    expect(await refusal('http://169.254.169.254/latest/meta-data', fetch)).toContain('169.254.169.254');
    expect(await (await publicFetch(fetch)('http://hooks.example/a')).text()).toBe('by proxy');
    expect(proxy.seen).toEqual(['GET http://hooks.example/a']);
  });

  test('a fetch of other making is not taken for a guarded one', () => {
    expect(() => publicFetch(globalThis.fetch)).toThrow('createFetch');
  });
});
