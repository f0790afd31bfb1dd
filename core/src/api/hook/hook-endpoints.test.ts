import { request } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { NotConnectedError } from '../../base/errors.ts';
import type { HookConfig } from '../../config/config.ts';
import type { Post, Receipt } from '../../model/inbox.ts';
import { type HttpServer, startHttpServer } from '../http-server.ts';
import { hookEndpoints } from './hook-endpoints.ts';

// Each request that is not taken is answered with why and what to do, and nothing of it is kept.

const token = 'a-token-of-at-least-sixteen';
const right = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
const config: HookConfig = {
  auth: { kind: 'bearer', tokens: [token] },
  path: '/hooks/leads',
  key: ['id'],
  fields: [{ name: 'id', type: 'text', required: true, maxLength: null }],
  extra: 'refuse',
  stamp: null,
  rateLimit: null,
  bodyBytesMax: 1000,
};
const logged: object[] = [];
const log = { debug() {}, info() {}, warn() {}, error: (data: object) => void logged.push(data) };
let open: HttpServer | null = null;
let now = 0;
afterEach(async () => {
  await open?.[Symbol.asyncDispose]();
  open = null;
  logged.length = 0;
});

async function serve(hook: Partial<HookConfig> = {}, fail?: Error) {
  const taken: Post[] = [];
  const hooks = {
    names: () => ['leads'],
    get: (name: string) => (name === 'leads' ? { ...config, ...hook } : null),
    async take(_: string, post: Post) {
      if (fail !== undefined) throw fail;
      taken.push(post);
      const keys = post.changes.map(({ key }) => key);
      const receipt: Receipt = { id: `p${taken.length}`, digest: post.digest, keys, atMs: 0, outcomes: null };
      return { receipt, isNew: true };
    },
    receipt: async () => null,
    settled: async (_: string, receipt: Receipt) => receipt,
    retried: async () => new Set<string>(),
  };
  const stop = new AbortController().signal;
  const answers: string[] = [];
  const metrics = { answered: (sync: string, status: number) => void answers.push(`${sync} ${status}`) };
  const endpoints = [hookEndpoints({ hooks, now: () => now, log, stop, metrics })];
  open = await startHttpServer({ host: null, port: 0, log, endpoints });
  const { url } = open;
  const ask = (method: string, path: string, headers: Record<string, string> = {}, body: string | null = null) =>
    new Promise<{
      status: number;
      headers: Record<string, unknown>;
      body: { error: { code: string; hint: string } } & Record<string, unknown>;
    }>((resolve, reject) => {
      const asked = request(`${url}${path}`, { method, headers }, (response) => {
        let text = '';
        response.on('data', (part) => {
          text += part;
        });
        response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: JSON.parse(text) }));
      });
      asked.on('error', reject);
      asked.end(body ?? undefined);
    });
  return { ask, taken, answers };
}

const record = '{"id":"1"}';

test('what is right is kept, and its receipt is named', async () => {
  const { ask, taken } = await serve();
  const answer = await ask('POST', '/hooks/leads', right, record);
  expect(answer).toMatchObject({ status: 202, headers: { location: '/hooks/leads/p1' }, body: { id: 'p1', status: 'pending' } });
  expect(taken).toMatchObject([{ changes: [{ op: 'upsert', key: '1', row: { id: '1' } }] }]);
});

test('a hook with a path of its own answers there, receipts too, and nowhere else', async () => {
  const { ask, taken } = await serve({ path: '/publish-order-update' });
  const { status, headers } = await ask('POST', '/publish-order-update', right, '{"id":"1"}');
  expect([status, headers.location]).toEqual([202, '/publish-order-update/p1']);
  expect((await ask('GET', '/publish-order-update/p1', right)).body.error.code).toBe('not_found');
  expect((await ask('POST', '/hooks/leads', right, '{"id":"2"}')).status).toBe(404);
  expect(taken).toHaveLength(1);
});

describe('refused, with nothing kept', () => {
  test.each<[string, string, string, Record<string, string>, string | null, number, string]>([
    ['no such hook', 'POST', '/hooks/orders', right, record, 404, 'not_found'],
    ['no token', 'POST', '/hooks/leads', { 'content-type': 'application/json' }, record, 401, 'token_missing'],
    ['a wrong token', 'POST', '/hooks/leads', { ...right, authorization: 'Bearer guess' }, record, 401, 'token_wrong'],
    ['reading without a token', 'GET', '/hooks/leads/p1', {}, null, 401, 'token_missing'],
    ['another method', 'PUT', '/hooks/leads', right, record, 405, 'method_not_allowed'],
    [
      'a form',
      'POST',
      '/hooks/leads',
      { ...right, 'content-type': 'application/x-www-form-urlencoded' },
      'id=1',
      415,
      'unsupported_media_type',
    ],
    ['no type', 'POST', '/hooks/leads', { authorization: right.authorization }, record, 415, 'unsupported_media_type'],
    [
      'a compressed body',
      'POST',
      '/hooks/leads',
      { ...right, 'content-encoding': 'gzip' },
      record,
      415,
      'unsupported_media_type',
    ],
    ['too much', 'POST', '/hooks/leads', right, `{"id":"${'x'.repeat(1000)}"}`, 413, 'body_too_large'],
    ['no body', 'POST', '/hooks/leads', right, null, 422, 'body_invalid'],
    ['no JSON', 'POST', '/hooks/leads', right, '{', 422, 'body_invalid'],
    ['no such field', 'POST', '/hooks/leads', right, '{"id":"1","x":1}', 422, 'records_invalid'],
    ['a wait without end', 'POST', '/hooks/leads?wait=600', right, record, 400, 'bad_request'],
    ['a wait of words', 'POST', '/hooks/leads?wait=long', right, record, 400, 'bad_request'],
    ['a key that is none', 'POST', '/hooks/leads', { ...right, 'idempotency-key': 'x'.repeat(256) }, record, 400, 'bad_request'],
  ])('%s', async (_, method, path, headers, body, status, code) => {
    const { ask, taken } = await serve();
    const answer = await ask(method, path, headers, body);
    expect(answer).toMatchObject({ status, body: { error: { code } } });
    if (status !== 404) expect(answer.body.error.hint).toBeTruthy();
    expect(taken).toEqual([]);
    expect(JSON.stringify(answer)).not.toContain(token);
  });
});

test('a stranger’s body is not read, however large it says to be', async () => {
  const { ask } = await serve({ bodyBytesMax: 10 });
  const answer = await ask('POST', '/hooks/leads', { ...right, authorization: 'Bearer guess' }, 'x'.repeat(100));
  expect(answer.status).toBe(401);
});

test('more than the rate is told when to come again; strangers use none of it up', async () => {
  const { ask } = await serve({ rateLimit: { requests: 2, perMs: 10_000 } });
  now = 0;
  for (let i = 0; i < 5; i++) await ask('POST', '/hooks/leads', { ...right, authorization: 'Bearer guess' }, record);
  expect((await ask('POST', '/hooks/leads', right, record)).status).toBe(202);
  now = 4000;
  expect((await ask('POST', '/hooks/leads', right, record)).status).toBe(202);
  now = 7000;
  expect(await ask('POST', '/hooks/leads', right, record)).toMatchObject({
    status: 429,
    headers: { 'retry-after': '3' },
    body: { error: { code: 'rate_limited' } },
  });
  now = 10_000;
  expect((await ask('POST', '/hooks/leads', right, record)).status).toBe(202);
  expect((await ask('POST', '/hooks/leads', right, record)).status).toBe(429);
});

test('what cannot be kept is not taken: the sender is told to come again, and the log why', async () => {
  const { ask } = await serve({}, new NotConnectedError('postgres://user:password@db is down'));
  const answer = await ask('POST', '/hooks/leads', right, record);
  expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '5' }, body: { error: { code: 'not_kept' } } });
  expect(JSON.stringify(answer.body)).not.toContain('password');
  expect(logged).toHaveLength(1);
});

test('every answer is counted by its status', async () => {
  const { ask, answers } = await serve();
  await ask('POST', '/hooks/leads', right, record);
  await ask('POST', '/hooks/leads', { ...right, authorization: 'Bearer somebody' }, record);
  await ask('POST', '/hooks/leads', right, '{');
  await ask('GET', '/hooks/leads/p1', right);
  await expect.poll(() => answers).toEqual(['leads 202', 'leads 401', 'leads 422', 'leads 404']);
});

test('a proxy on this machine may pass hooks on under its own name, and nothing else', async () => {
  const { ask } = await serve();
  const host = { host: 'hooks.example.com' };
  expect((await ask('POST', '/hooks/leads', { ...right, ...host }, record)).status).toBe(202);
  expect((await ask('POST', '/hooks/leads', { ...host, 'content-type': 'application/json' }, record)).status).toBe(401);
  expect((await ask('GET', '/metrics', host)).status).toBe(403);
  expect((await ask('POST', '/hooks/orders', { ...right, ...host }, record)).status).toBe(403);
});
