import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dashboard } from './dashboard.ts';
import { type HttpServer, startHttpServer } from './http-server.ts';

// The page runs scripts of ours and no others, whatever is put into what it shows; and of our files it gives out its own alone. (P10)

const folder = mkdtempSync(join(tmpdir(), 'tidemark-dashboard-'));
let server: HttpServer;
let asked = 0;

beforeAll(async () => {
  mkdirSync(join(folder, 'dist/assets'), { recursive: true });
  writeFileSync(join(folder, 'dist/index.html'), '<meta content="__CSP_NONCE__"><script src="/assets/a-1.js"></script>');
  writeFileSync(join(folder, 'dist/assets/a-1.js'), 'run()');
  writeFileSync(join(folder, 'dist/assets/a-1.js.gz'), gzipSync('run()'));
  writeFileSync(join(folder, 'secret.txt'), 'secret');
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const find = async () => {
    asked++;
    return join(folder, 'dist');
  };
  server = await startHttpServer({ host: null, port: 0, log, endpoints: [dashboard(find)] });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** As it is written: `fetch` would tidy the path up. */
function raw(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request(`${server.url}${path}`, { path }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    })
      .on('error', reject)
      .end();
  });
}

test('nothing is looked for as long as nobody asks', () => {
  expect(asked).toBe(0);
});

test('each answer has a number of its own, which lets in its styles, and no script stands in it', async () => {
  const nonces = new Set<string>();
  for (const path of ['/', '/syncs/contacts%40acme/runs', '/failures']) {
    const response = await fetch(`${server.url}${path}`);
    const policy = response.headers.get('content-security-policy')!;
    const nonce = /style-src 'self' 'nonce-([\w-]{20,})'/.exec(policy)![1]!;
    nonces.add(nonce);
    expect(await response.text()).toContain(`content="${nonce}"`);
    expect(policy).toContain("script-src 'self';");
    expect(policy).toMatch(/default-src 'none'.*connect-src 'self'.*frame-ancestors 'none'/);
    expect(policy).not.toContain('unsafe');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('referrer-policy')).toBe('no-referrer');
  }
  expect(nonces.size).toBe(3);
});

test('assets come as they were compressed, and are kept for as long as their names', async () => {
  const response = await fetch(`${server.url}/assets/a-1.js`, { headers: { 'accept-encoding': 'gzip' } });
  expect(await response.text()).toBe('run()');
  expect(response.headers.get('content-encoding')).toBe('gzip');
  expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  expect(response.headers.get('content-type')).toContain('javascript');
});

test('nothing beside the assets is given out', async () => {
  for (const path of [
    '/assets/../index.html',
    '/assets/..%2f..%2fsecret.txt',
    '/assets/%2e%2e%2f%2e%2e%2fsecret.txt',
    '/secret.txt',
  ]) {
    expect([path, await raw(path)]).toEqual([path, expect.toSatisfy((status: number) => status === 403 || status === 404)]);
  }
});
