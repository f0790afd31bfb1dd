import { request } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { StreamWorld } from '../control/live-fixture.ts';
import { getHealthz } from './get-healthz.ts';
import { getMetrics } from './get-metrics.ts';
import { getReadyz } from './get-readyz.ts';
import { isLoopbackHost } from './host-guard.ts';
import { type Endpoint, type HttpServer, PortTakenError, startHttpServer } from './http-server.ts';
import { createMetrics } from './metrics.ts';

// What the process tells of itself, it tells this machine (P10), and what it tells is so.

const told: object[] = [];
const tell = (data: object) => void told.push(data);
const log = { debug() {}, info() {}, warn: tell, error: tell };
let open: HttpServer | null = null;

afterEach(async () => {
  await open?.[Symbol.asyncDispose]();
  open = null;
  told.length = 0;
});

async function serve(endpoints: readonly Endpoint[] = [getHealthz], host: string | null = null): Promise<HttpServer> {
  open = await startHttpServer({ host, port: 0, log, endpoints });
  return open;
}

/** `fetch` sends no `Host` of one's own. */
function ask(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { headers, method }, (response) => {
      let text = '';
      response.on('data', (part) => {
        text += part;
      });
      response.on('end', () => resolve({ status: response.statusCode!, text }));
    });
    asked.on('error', reject);
    asked.end();
  });
}

describe('who is answered', () => {
  test('this machine, by any of its names', async () => {
    const { url } = await serve();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    for (const host of ['localhost', 'localhost:4600', '127.0.0.1', '[::1]:4600', 'tidemark.localhost'])
      expect((await ask(`${url}/healthz`, { host })).status).toBe(200);
    expect(told).toEqual([]);
  });

  test.each(['evil.example', 'localhost.evil.example:4600', '127.0.0.1.evil.example', '10.0.0.1', '127.0.0.1:4600@evil.example'])(
    'no page that has its name point here: %s',
    async (host) => {
      const { url } = await serve();
      const { status, text } = await ask(`${url}/healthz`, { host });
      expect(status).toBe(403);
      expect(text).not.toContain('ok');
    },
  );

  test('no host at all is no name of this machine', () => expect(isLoopbackHost(undefined)).toBe(false));

  test('everybody, where the user has named another address, who is then warned', async () => {
    const { url } = await serve([getHealthz], '0.0.0.0');
    const { port } = new URL(url);
    expect((await ask(`http://127.0.0.1:${port}/healthz`, { host: 'monitor.internal' })).status).toBe(200);
    expect(told).toHaveLength(1);
  });
});

describe('what cannot be', () => {
  test('a port that another process has: said with what to do', async () => {
    const { url } = await serve();
    const again = startHttpServer({ host: null, port: Number(new URL(url).port), log, endpoints: [] });
    await expect(again).rejects.toThrow(PortTakenError);
    await expect(again).rejects.toMatchObject({ hint: expect.stringMatching(/--port .*--port off/) });
  });

  test('an address of another machine', async () => {
    const elsewhere = startHttpServer({ host: '192.0.2.1', port: 0, log, endpoints: [] });
    await expect(elsewhere).rejects.toMatchObject({ message: '192.0.2.1 is no address of this machine' });
  });

  test('a path or method that is not there', async () => {
    const { url } = await serve();
    expect((await ask(`${url}/nothing?token=secret`)).text).toContain('there is nothing at GET /nothing"');
    expect((await ask(`${url}/healthz`, {}, 'POST')).status).toBe(404);
  });

  test('an answer that fails tells the log why, and nobody else', async () => {
    const failing: Endpoint = (server) => {
      server.get('/failing', async () => {
        throw new Error('postgres://user:secret@db is down');
      });
    };
    const { url } = await serve([failing]);
    const { status, text } = await ask(`${url}/failing`);
    expect(status).toBe(500);
    expect(text).not.toContain('secret');
    expect(told).toHaveLength(1);
  });
});

test('ready is who runs syncs, and who does not says why', async () => {
  const reasons: string[] = ['the store does not answer'];
  const { url } = await serve([getReadyz({ reasons: async () => reasons })]);
  expect(await ask(`${url}/readyz`)).toMatchObject({
    status: 503,
    text: '{"status":"not ready","reasons":["the store does not answer"]}',
  });
  reasons.length = 0;
  expect((await ask(`${url}/readyz`)).status).toBe(200);
});

describe('metrics', () => {
  async function scraped(url: string): Promise<Map<string, number>> {
    const { text } = await ask(`${url}/metrics`);
    for (const line of text.split('\n').filter((each) => each.startsWith('# TYPE'))) {
      expect(text).toContain(`# HELP ${line.split(' ')[2]} `);
    }
    const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
  }

  test('are what the stream and the runs are at that moment, scrape after scrape', async () => {
    await using world = await StreamWorld.open();
    await world.write(['people', '1', { name: 'Kent' }]);
    await world.start();
    await world.clock.advance(60_000);
    const metrics = await createMetrics(world.engine, world.clock.now, '1.2.3');
    const { url } = await serve([getMetrics(metrics, null)]);
    metrics.observe(await world.engine.run('people', { full: true, signal: new AbortController().signal }));
    await world.write(['people', '1', { name: 'El' }]);
    await world.clock.advance(5000);
    const stream = 'stream="live:src:dst"';
    for (let scrape = 0; scrape < 2; scrape++) {
      const found = await scraped(url);
      expect(Object.fromEntries(found)).toMatchObject({
        [`tidemark_stream_connected{${stream},transport=""}`]: 1,
        [`tidemark_stream_state{${stream},state="live"}`]: 1,
        [`tidemark_stream_state{${stream},state="polling"}`]: 0,
        [`tidemark_stream_lag_seconds{${stream}}`]: 0,
        [`tidemark_events_total{${stream}}`]: 1,
        [`tidemark_stream_transactions_total{${stream}}`]: expect.any(Number),
        'tidemark_stream_records_total{sync="people",outcome="updated"}': 1,
        'tidemark_stream_records_total{sync="people",outcome="created"}': 0,
        [`tidemark_stream_healed_total{${stream},kind="lost"}`]: 0,
        'tidemark_runs_total{sync="people",kind="full",state="succeeded"}': 1,
        'tidemark_records_total{sync="people",outcome="read"}': 1,
        'tidemark_open_failures{sync="people"}': 0,
        'tidemark_last_run_succeeded{sync="people"}': 1,
        tidemark_store_up: 1,
      });
      expect(found.has('process_resident_memory_bytes')).toBe(true);
    }
    await world.lose(new Error('gone'));
    world.refuses = new Error('gone');
    await world.clock.advance(120_000);
    const down = await scraped(url);
    expect(down.get(`tidemark_stream_connected{${stream},transport=""}`)).toBe(0);
    expect(down.get(`tidemark_stream_state{${stream},state="polling"}`)).toBe(1);
    expect(down.get(`tidemark_stream_lag_seconds{${stream}}`)).toBeGreaterThan(100);
  });

  test('come without the store, and say that it is down', async () => {
    await using world = await StreamWorld.open();
    await world.start();
    const engine = {
      config: world.engine.config,
      measures: async () => {
        throw new Error('down');
      },
      liveStatus: () => [],
      allowances: async () => {
        throw new Error('down');
      },
      knownBudgets: () => [],
      usage: () => [{ connection: 'crm', name: 'requests', used: 30, max: 100, windowMs: 86_400_000 } as const],
      workers: async () => {
        throw new Error('down');
      },
      owned: () => ['contacts'],
      notifications: world.engine.notifications,
    };
    const { url } = await serve([getMetrics(await createMetrics(engine, () => 0, '1.2.3'), null)]);
    const found = await scraped(url);
    expect(found.get('tidemark_store_up')).toBe(0);
    expect(found.get('tidemark_api_requests_remaining{connection="crm"}')).toBe(70);
    expect(found.get('tidemark_unit_owned{unit="contacts"}')).toBe(1);
    expect(found.get('tidemark_workers')).toBe(0);
  });
});
