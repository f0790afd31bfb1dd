import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Emulator, startEmulator } from './start-emulator.ts';

// In process a client meets the same org as over a socket, with the same faults.

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ listen: false });
});
afterAll(() => emulator.close());

const call = (path: string, init: RequestInit = {}) =>
  emulator.fetch(`${emulator.url}/services/data/v62.0${path}`, {
    ...init,
    headers: { authorization: `Bearer ${emulator.credentials.accessToken}`, 'content-type': 'application/json' },
  });

test('reads and writes without a socket', async () => {
  expect(emulator.url).toBe('http://org.invalid');
  const made = await call('/sobjects/Account', { method: 'POST', body: JSON.stringify({ Name: 'A' }) });
  expect(made.status).toBe(201);
  const { id } = (await made.json()) as { id: string };
  expect((await call(`/sobjects/Account/${id}`, { method: 'PATCH', body: '{"Name":"B"}' })).status).toBe(204);
  expect(await (await call(`/sobjects/Account/${id}?fields=Name`)).json()).toMatchObject({ Name: 'B' });
});

test('broken connections break here too: before the reply, after the work, in the body', async () => {
  emulator.faults.add({ kind: 'drop', match: { times: 1 } });
  await expect(call('/limits')).rejects.toThrow(TypeError);
  emulator.faults.add({ kind: 'lost-response', match: { times: 1 } });
  await expect(call('/sobjects/Account', { method: 'POST', body: '{"Name":"lost"}' })).rejects.toThrow(TypeError);
  const found = await call(`/query?q=${encodeURIComponent("SELECT Id FROM Account WHERE Name = 'lost'")}`);
  expect(await found.json()).toMatchObject({ totalSize: 1 });
  emulator.faults.add({ kind: 'drop', match: { times: 1 }, params: { afterBytes: 50 } });
  const part = await call('/sobjects');
  await expect(part.text()).rejects.toThrow();
});

test('a client that gives up is let go', async () => {
  const fault = emulator.faults.add({ kind: 'timeout', match: { times: 1 } });
  const giveUp = new AbortController();
  const attempt = call('/limits', { signal: giveUp.signal });
  while (emulator.faults.status(fault)?.fired !== 1) await new Promise((resolve) => setImmediate(resolve));
  giveUp.abort(new Error('enough'));
  await expect(attempt).rejects.toThrow('enough');
});
