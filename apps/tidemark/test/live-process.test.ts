import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Emulator, startEmulator } from '@tidemark/emulator';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Workplace } from '../src/testing.ts';

// The real process follows a real stream; another one, and Prometheus, ask how that stands.

const bin = fileURLToPath(new URL('../bin/tidemark.js', import.meta.url));
let emulator: Emulator;
let place: Workplace;
let kill = () => {};

beforeEach(async () => {
  emulator = await startEmulator({ changeEvents: ['Account', 'Contact'] });
  place = new Workplace({ SF_SECRET: emulator.credentials.clientSecret });
  const { loginUrl, clientId, pubsubEndpoint } = emulator.credentials;
  const live = (object: string) => ({
    from: { connection: 'crm', object },
    to: { connection: 'app', table: object.toLowerCase() },
    fields: { id: 'Id', name: 'Name' },
    live: true,
  });
  place.write(
    'tidemark.yaml',
    JSON.stringify({
      connections: {
        crm: {
          type: 'salesforce',
          loginUrl,
          pubsubEndpoint: `http://${pubsubEndpoint}`,
          auth: { flow: 'client-credentials', clientId, clientSecret: '$' + '{SF_SECRET}' },
        },
        app: { type: 'sqlite', path: './copy.db' },
      },
      syncs: { accounts: live('Account'), contacts: live('Contact') },
    }),
  );
});

afterEach(async () => {
  kill();
  place[Symbol.dispose]();
  await emulator.close();
});

async function start(): Promise<{ url: string; stop(signal: NodeJS.Signals): Promise<void> }> {
  const env = { PATH: process.env.PATH ?? '', TIDEMARK_CONFIG: place.path('tidemark.yaml'), ...place.env };
  const child = spawn(process.execPath, [bin, 'start', '--port', '0'], { env });
  kill = () => void child.kill('SIGKILL');
  let err = '';
  child.stderr.on('data', (data) => {
    err += data;
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const url = await vi.waitFor(() => /"url":"(http:[^"]+)"/.exec(err)?.[1] ?? Promise.reject(new Error(err)), {
    timeout: 90_000,
  });
  return {
    url,
    stop: async (signal) => {
      child.kill(signal);
      await ended;
    },
  };
}

test('status and metrics tell of the stream what is so, and of a killed process that nobody follows', async () => {
  const { url, stop } = await start();
  const metrics = async () => (await fetch(`${url}/metrics`)).text();
  await vi.waitFor(async () => expect(await metrics()).toContain('tidemark_stream_state{stream="live:crm:app",state="live"} 1'), {
    timeout: 90_000,
    interval: 100,
  });
  emulator.org.write((t) => t.insert('Account', { Name: 'Acme' }));
  await vi.waitFor(async () => expect(await metrics()).toContain('tidemark_events_total{stream="live:crm:app"} 1'), {
    timeout: 90_000,
    interval: 100,
  });
  const text = await metrics();
  expect(text).toContain('tidemark_stream_connected{stream="live:crm:app",transport="pubsub"} 1');
  expect(text).toContain('tidemark_stream_lag_seconds{stream="live:crm:app"} 0');
  expect(text).toMatch(/tidemark_api_requests_remaining\{connection="crm"\} \d+/);
  expect(text).toContain('tidemark_event_deliveries_max{connection="crm"} 10000');

  const status = async () => JSON.parse((await place.call('status', '--json')).out);
  await vi.waitFor(async () => expect((await status()).streams).toMatchObject([{ events: 1, state: 'live' }]), {
    timeout: 90_000,
    interval: 200,
  });
  const { streams, allowances } = await status();
  expect(streams).toMatchObject([
    { stream: 'live:crm:app', syncs: ['accounts', 'contacts'], transport: 'pubsub', connected: true, lagMs: 0, reason: null },
  ]);
  expect(allowances).toContainEqual(expect.objectContaining({ connection: 'crm', name: 'event deliveries', max: 10_000 }));
  const { out } = await place.call('status');
  expect(out).toMatch(/stream crm:app by pubsub, for accounts, contacts\n {2}live for .*, last event .* ago\n/);
  expect(out).toMatch(/crm: \d of 10,000 event deliveries of 24 hours are used\n/);

  await stop('SIGKILL');
  // A minute of silence later, by the clock of whoever asks.
  const later = new Workplace(place.env, { now: () => Date.now() + 120_000, sleep: async () => {} });
  const told = JSON.parse((await later.call('status', '--config', place.path('tidemark.yaml'), '--json')).out);
  later[Symbol.dispose]();
  expect(told.streams).toMatchObject([{ state: 'stopped', connected: false, reason: expect.stringContaining('without a word') }]);
  expect(told.streams[0].lagMs).toBeGreaterThan(60_000);
});
