import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startTestOrg, type TestOrg, testNow } from '../http/testing.ts';
import type { FaultSpec } from './types.ts';

// Each fault looks to a client as the real trouble does, and leaves a trace by which a test knows that it was met.

let org: TestOrg;
beforeAll(async () => {
  org = await startTestOrg();
  org.emulator.org.load(
    'Account',
    Array.from({ length: 300 }, (_, n) => ({ Name: `Account ${n}` })),
  );
});
afterAll(() => org.emulator.close());
afterEach(() => org.emulator.faults.clear());

const once = (spec: FaultSpec) => {
  const id = org.emulator.faults.add({ ...spec, match: { times: 1, ...spec.match } });
  return () => org.emulator.faults.status(id)?.fired;
};
const query = () => org.call('GET', `/query?q=${encodeURIComponent('SELECT Id, Name FROM Account')}`);
const plain = { headers: { 'accept-encoding': 'identity' } };

test('401, once, in the middle of a run', async () => {
  const fired = once({ kind: 'unauthorized', match: { after: 1 } });
  expect((await query()).status).toBe(200);
  expect(await query()).toMatchObject({ status: 401, json: [{ errorCode: 'INVALID_SESSION_ID' }] });
  expect((await query()).status).toBe(200);
  expect(fired()).toBe(1);
});

test('401 because the session is really over', async () => {
  const own = await startTestOrg();
  own.emulator.faults.add({ kind: 'unauthorized', match: { times: 1 }, params: { revoke: true } });
  expect((await own.call('GET', '/limits')).status).toBe(401);
  expect((await own.call('GET', '/limits')).status).toBe(401);
  await own.emulator.close();
});

test('403 limit exceeded', async () => {
  once({ kind: 'limit-exceeded' });
  expect(await query()).toMatchObject({
    status: 403,
    json: [{ errorCode: 'REQUEST_LIMIT_EXCEEDED', message: 'TotalRequests Limit exceeded.' }],
  });
});

test('503 as JSON, as HTML and empty', async () => {
  once({ kind: 'unavailable' });
  expect(await query()).toMatchObject({ status: 503, json: [{ errorCode: 'SERVER_UNAVAILABLE' }] });
  once({ kind: 'unavailable', params: { body: 'html' } });
  const html = await query();
  expect([html.status, html.headers.get('content-type'), html.json]).toEqual([503, 'text/html;charset=UTF-8', undefined]);
  once({ kind: 'unavailable', params: { body: 'empty', status: 502 } });
  const empty = await query();
  expect([empty.status, empty.text]).toEqual([502, '']);
});

test('any error of the API, of a request or of a part of a Composite call, and nothing is done', async () => {
  const fired = once({ kind: 'api-error', match: { method: 'POST' } });
  const body = { LastName: 'refused', Company: 'c' };
  const refused = await org.call('POST', '/sobjects/Lead', { body });
  expect([refused.status, refused.json[0].errorCode, fired()]).toEqual([500, 'UNKNOWN_EXCEPTION', 1]);
  const params = { status: 400, code: 'QUERY_TIMEOUT', message: 'Your query request was running for too long.' };
  once({ kind: 'api-error', match: { pattern: '/query\\?q=SELECT Id' }, params });
  const part = (url: string, referenceId: string) => ({ method: 'GET', url: `/services/data/v62.0${url}`, referenceId });
  const compositeRequest = [part('/query?q=SELECT+Id+FROM+Lead', 'struck'), part('/query?q=SELECT+Name+FROM+Lead', 'spared')];
  const reply = await org.call('POST', '/composite', { body: { compositeRequest } });
  expect(reply.json.compositeResponse).toMatchObject([
    { httpStatusCode: 400, body: [{ errorCode: 'QUERY_TIMEOUT', message: params.message }] },
    { httpStatusCode: 200, body: { totalSize: 0 } },
  ]);
});

test('a request that is held until the client gives up changes nothing', async () => {
  const fired = once({ kind: 'timeout', match: { method: 'POST' } });
  const { url, credentials } = org.emulator;
  const giveUp = new AbortController();
  const attempt = fetch(`${url}/services/data/v62.0/sobjects/Account`, {
    method: 'POST',
    headers: { authorization: `Bearer ${credentials.accessToken}`, 'content-type': 'application/json' },
    body: '{"Name":"held"}',
    signal: giveUp.signal,
  });
  await untilTrue(() => fired() === 1);
  giveUp.abort();
  await expect(attempt).rejects.toThrow();
  expect((await query()).json.totalSize).toBe(300);
});

test('a held request goes on when the time is over', async () => {
  once({ kind: 'timeout', params: { holdMs: 5 } });
  expect((await query()).status).toBe(200);
});

test('a connection that is dropped before any reply, and in the middle of a body', async () => {
  once({ kind: 'drop' });
  await expect(query()).rejects.toThrow();
  const fired = once({ kind: 'drop', params: { afterBytes: 1000 } });
  await expect(query()).rejects.toThrow();
  expect(fired()).toBe(1);
  expect((await query()).status).toBe(200);
});

test('a body cut short in a reply that HTTP calls complete', async () => {
  const whole = (await org.call('GET', '/sobjects', plain)).text;
  for (const afterBytes of [0, 1, 5000]) {
    once({ kind: 'truncate', params: { afterBytes } });
    const reply = await org.call('GET', '/sobjects', plain);
    expect([reply.status, reply.text]).toEqual([200, whole.slice(0, afterBytes)]);
  }
  once({ kind: 'truncate', params: { afterBytes: 5000 } });
  const zipped = await org.call('GET', '/sobjects', { headers: { 'accept-encoding': 'gzip' } });
  expect(zipped.text).toBe(whole.slice(0, 5000));
});

test('a Bulk page cut short, or broken off', async () => {
  const { json } = await org.call('POST', '/jobs/query', { body: { operation: 'query', query: 'SELECT Id, Name FROM Account' } });
  const results = () => org.call('GET', `/jobs/query/${json.id}/results`, plain);
  await untilTrue(async () => (await org.call('GET', `/jobs/query/${json.id}`)).json.state === 'JobComplete');
  const whole = (await results()).text;
  once({ kind: 'truncate', params: { afterBytes: 2000 } });
  const cut = await results();
  expect([cut.status, cut.text]).toEqual([200, whole.slice(0, 2000)]);
  once({ kind: 'drop', params: { afterBytes: 2000 } });
  await expect(results()).rejects.toThrow();
  expect((await results()).text).toBe(whole);
});

test('a slow reply is whole', async () => {
  once({ kind: 'slow', params: { delayMs: 1, bytesPerSecond: 1_000_000 } });
  expect((await query()).json.records).toHaveLength(300);
});

test('the answer to a write is lost, and the write is not', async () => {
  once({ kind: 'lost-response', match: { method: 'POST' } });
  await expect(org.call('POST', '/sobjects/Lead', { body: { LastName: 'lost', Company: 'c' } })).rejects.toThrow();
  const { json } = await org.backdoor('GET', `/count?object=Lead&where=${encodeURIComponent("LastName = 'lost'")}`);
  expect(json.count).toBe(1);
});

test("the Date header is the org's, and a skew moves it alone", async () => {
  const { clock } = org.emulator.org;
  const date = async () => (await query()).headers.get('date');
  expect(await date()).toBe(new Date(testNow).toUTCString());
  once({ kind: 'clock-skew', params: { skewMs: 90_000 } });
  expect(await date()).toBe(new Date(testNow + 90_000).toUTCString());
  clock.skewMs = -5000;
  expect(await date()).toBe(new Date(testNow - 5000).toUTCString());
  expect(clock.now()).toBe(testNow);
  clock.skewMs = 0;
});

test('the request log names the faults that struck, and no token', async () => {
  await fetch(`${org.emulator.url}/services/oauth2/revoke?token=hush`);
  expect(JSON.stringify(org.emulator.requests.entries())).not.toContain('hush');
  const id = org.emulator.faults.add({ kind: 'unavailable', match: { times: 1 } });
  await query();
  expect(org.emulator.requests.entries().at(-1)).toMatchObject({ status: 503, apiCalls: 0, faults: [id] });
});

async function untilTrue(condition: () => boolean | undefined | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}

test('closing does not wait for a request that is held', async () => {
  const own = await startTestOrg();
  const id = own.emulator.faults.add({ kind: 'timeout' });
  const attempt = own.call('GET', '/limits').catch((error: unknown) => error);
  await untilTrue(() => own.emulator.faults.status(id)?.fired === 1);
  await own.emulator.close();
  expect(await attempt).toBeInstanceOf(TypeError);
});
