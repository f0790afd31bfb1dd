import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { evidence } from '../evidence.ts';
import { startTestOrg, type TestOrg } from './testing.ts';

let org: TestOrg;
beforeAll(async () => {
  org = await startTestOrg({ limits: { DailyApiRequests: 5 } });
});
afterAll(() => org.emulator.close());

const limits = () => org.call('GET', '/limits');

test(`every request counts, and each reply tells ${evidence('recorded', 'Sforce-Limit-Info: api-usage=4147/15000')}`, async () => {
  const first = await limits();
  expect(first.headers.get('sforce-limit-info')).toBe('api-usage=1/5');
  expect(first.json.DailyApiRequests).toEqual({ Max: 5, Remaining: 4 });
  const failed = await org.call('GET', '/sobjects/Nope/describe');
  expect(failed.headers.get('sforce-limit-info')).toBe('api-usage=2/5');
  await fetch(`${org.emulator.url}/services/data`);
  expect((await limits()).headers.get('sforce-limit-info')).toBe('api-usage=3/5');
});

test(`used up: 403, until 24 hours have passed ${evidence('documented', 'Salesforce limits, API Request Limits and Allocations')}`, async () => {
  await org.backdoor('POST', '/limits', { spend: { DailyApiRequests: 2 } });
  expect(await limits()).toMatchObject({
    status: 403,
    json: [{ message: 'TotalRequests Limit exceeded.', errorCode: 'REQUEST_LIMIT_EXCEEDED' }],
  });
  expect((await org.backdoor('POST', '/limits', { max: { DailyApiRequests: 6 } })).json).toMatchObject({
    DailyApiRequests: { max: 6, used: 5 },
  });
  // Half a day, twice, with a sign of life between, so that the session lives; then the first five have rolled off.
  for (let hour = 0; hour < 25; hour += 1) {
    org.emulator.org.clock.advance(3600_000);
    await fetch(`${org.emulator.url}/services/oauth2/userinfo`, {
      headers: { authorization: `Bearer ${org.emulator.credentials.accessToken}` },
    });
  }
  expect((await limits()).headers.get('sforce-limit-info')).toBe('api-usage=1/6');
});

test(`a URI over 16,384 bytes is 414, with its headers 431, all below is read ${evidence('documented', 'REST API Developer Guide, Status Codes and Error Responses')}`, async () => {
  await org.backdoor('POST', '/limits', { max: { DailyApiRequests: 100 } });
  const path = `/query?q=${encodeURIComponent('SELECT Id FROM Account')}`;
  const padded = (bytes: number) => `${path}${'+'.repeat(bytes - path.length - '/services/data/v62.0'.length)}`;
  expect((await org.call('GET', padded(15_000))).status).toBe(200);
  expect((await org.call('GET', padded(16_384))).status).toBe(431);
  expect((await org.call('GET', padded(8_000), { headers: { 'x-long': 'x'.repeat(8_300) } })).status).toBe(431);
  expect((await org.call('GET', padded(16_385))).status).toBe(414);
});

test(`gzip both ways ${evidence('documented', 'REST API Developer Guide, Use Compression')}`, async () => {
  const zipped = await org.call('GET', '/sobjects', { headers: { 'accept-encoding': 'gzip' } });
  expect(zipped.headers.get('content-encoding')).toBe('gzip');
  expect(zipped.headers.get('vary')).toBe('Accept-Encoding');
  const plain = await org.call('GET', '/sobjects', { headers: { 'accept-encoding': 'gzip;q=0' } });
  expect(plain.headers.get('content-encoding')).toBeNull();
  expect(zipped.json).toEqual(plain.json);
});

test(`X-PrettyPrint indents ${evidence('documented', 'REST API Developer Guide, Pretty Print Header')}`, async () => {
  const pretty = await org.call('GET', '/', { headers: { 'X-PrettyPrint': '1' } });
  expect(pretty.text).toBe(JSON.stringify(pretty.json, null, 2));
});

test(`as many requests as may run longer than 20 s: one more is refused ${evidence('documented', 'Salesforce Developer Limits, Concurrent API Request Limits')}`, async () => {
  const { emulator } = await startTestOrg({ limits: { longRequests: 1 } });
  try {
    const headers = { authorization: `Bearer ${emulator.credentials.accessToken}` };
    const ask = () => fetch(`${emulator.url}/services/data/v62.0/limits`, { headers });
    emulator.faults.add({ kind: 'timeout', match: { times: 1 } });
    const hangsUp = new AbortController();
    const held = fetch(`${emulator.url}/services/data/v62.0/limits`, { headers, signal: hangsUp.signal });
    held.catch(() => {});
    await vi.waitUntil(() => emulator.faults.list()[0]?.fired === 1);
    expect((await ask()).status).toBe(200);
    emulator.org.clock.advance(20_001);
    const refused = await ask();
    expect(refused.status).toBe(403);
    expect(await refused.json()).toEqual([
      { message: 'ConcurrentRequests (Concurrent API Requests) Limit exceeded.', errorCode: 'REQUEST_LIMIT_EXCEEDED' },
    ]);
    hangsUp.abort();
    await vi.waitUntil(() => emulator.limits.longRequests.used() === 0);
    expect((await ask()).status).toBe(200);
  } finally {
    await emulator.close();
  }
});

test(`how many records there are ${evidence('documented', 'REST API Developer Guide, Record Count')}`, async () => {
  const own = await startTestOrg();
  own.insert('Contact', { LastName: 'a' }, { LastName: 'b' });
  const count = async (query: string) => (await own.call('GET', `/limits/recordCount${query}`)).json.sObjects;
  expect(await count('?sObjects=contact,Nope,Lead')).toEqual([
    { count: 2, name: 'Contact' },
    { count: 0, name: 'Lead' },
  ]);
  expect(await count('')).toContainEqual({ count: 2, name: 'Contact' });
  await own.backdoor('POST', '/hide', { object: 'Contact' });
  expect(await count('?sObjects=Contact')).toEqual([]);
  await own.emulator.close();
});
