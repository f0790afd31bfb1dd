import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type Emulator, startEmulator } from '@tidemark/emulator';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { startTelemetry } from '../src/telemetry.ts';
import { Workplace } from '../src/testing.ts';

// Whoever asks for traces and logs by OpenTelemetry's variables gets them, of real runs by the real process, and in them no secret
// and no value of a record (P10). Whoever does not, does not pay for it (P9).

interface Attribute {
  readonly key: string;
  readonly value: Record<string, unknown>;
}
interface Exported {
  readonly name?: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly body?: { readonly stringValue: string };
  readonly attributes: readonly Attribute[];
}

interface Scope {
  readonly spans?: readonly Exported[];
  readonly logRecords?: readonly Exported[];
}
interface Resource {
  readonly resource: Pick<Exported, 'attributes'>;
  readonly scopeSpans?: readonly Scope[];
  readonly scopeLogs?: readonly Scope[];
}
interface Posted {
  readonly resourceSpans?: readonly Resource[];
  readonly resourceLogs?: readonly Resource[];
}

const bin = fileURLToPath(new URL('../bin/tidemark.js', import.meta.url));
const planted = { value: 'Planted-Name-4711', email: 'planted-4711@example.com', header: 'planted-collector-key' };

/** A collector that takes OTLP over HTTP, as JSON (OpenTelemetry Protocol Specification, "OTLP/HTTP"). */
class Collector {
  url = '';
  status = 200;
  readonly spans: Exported[] = [];
  readonly logs: Exported[] = [];
  readonly services = new Set<string>();
  headers: IncomingHttpHeaders = {};
  raw = '';
  readonly #server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => {
      body += part;
    });
    request.on('end', () => {
      this.raw += body;
      this.headers = request.headers;
      this.#take(request.url!, JSON.parse(body));
      response.writeHead(this.status, { 'content-type': 'application/json' }).end('{}');
    });
  });

  #take(path: string, { resourceSpans = [], resourceLogs = [] }: Posted): void {
    expect(path).toBe(resourceSpans.length > 0 ? '/v1/traces' : '/v1/logs');
    for (const { resource, scopeSpans = [], scopeLogs = [] } of [...resourceSpans, ...resourceLogs]) {
      this.services.add(attributeOf(resource, 'service.name') as string);
      for (const { spans = [] } of scopeSpans) this.spans.push(...spans);
      for (const { logRecords = [] } of scopeLogs) this.logs.push(...logRecords);
    }
  }

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  close(): Promise<unknown> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  named(name: string): readonly Exported[] {
    return this.spans.filter((span) => span.name === name);
  }
}

function attributeOf({ attributes }: Pick<Exported, 'attributes'>, key: string): unknown {
  return Object.values(attributes.find((attribute) => attribute.key === key)?.value ?? {})[0];
}

let emulator: Emulator;
let place: Workplace;
let collector: Collector;
const children: ChildProcess[] = [];

beforeAll(async () => {
  emulator = await startEmulator({ records: 0, changeEvents: ['Contact'] });
  emulator.org.write((t) => t.insert('Contact', { LastName: planted.value, Email: planted.email }));
});
afterAll(() => emulator.close());

beforeEach(async () => {
  collector = await new Collector().open();
  place = new Workplace({ SF_SECRET: emulator.credentials.clientSecret });
  const { loginUrl, clientId, pubsubEndpoint } = emulator.credentials;
  const connections = {
    crm: {
      ...{ type: 'salesforce', loginUrl, pubsubEndpoint: `http://${pubsubEndpoint}` },
      auth: { flow: 'client-credentials', clientId, clientSecret: '$' + '{SF_SECRET}' },
    },
    app: { type: 'sqlite', path: './copy.db' },
  };
  const contacts = {
    ...{ from: { connection: 'crm', object: 'Contact' }, to: { connection: 'app', table: 'contact' } },
    ...{ where: `Email = '${planted.email}'`, fields: { id: 'Id', name: 'LastName', email: 'Email' } },
  };
  const { where: _, ...all } = contacts;
  const live = { ...all, to: { connection: 'app', table: 'live' }, live: true };
  place.write('tidemark.yaml', JSON.stringify({ connections, syncs: { contacts, live } }));
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  place[Symbol.dispose]();
  await collector.close();
});

function tidemark(argv: readonly string[], env: NodeJS.ProcessEnv, node: readonly string[] = []) {
  const child = spawn(process.execPath, [...node, bin, ...argv], {
    env: {
      PATH: process.env.PATH ?? '',
      HOME: process.env.HOME ?? '',
      TIDEMARK_CONFIG: place.path('tidemark.yaml'),
      ...place.env,
      ...env,
    },
  });
  children.push(child);
  let err = '';
  child.stderr.on('data', (data) => {
    err += data;
  });
  child.stdout.resume();
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  return { child, ended, told: () => err };
}

const exporting = () => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${planted.header}`,
  OTEL_BSP_SCHEDULE_DELAY: '100',
});

test('a run is a trace: its pages, the calls that they took, the writes; its log has the same id; all of it before the process ends', async () => {
  const { ended, told } = tidemark(['run', 'contacts', '--verbose'], exporting());
  expect([await ended, told()]).toEqual([0, expect.any(String)]);
  expect(collector.services).toEqual(new Set(['tidemark']));
  expect(collector.headers.authorization).toBe(`Bearer ${planted.header}`);
  const [run] = collector.named('tidemark.run');
  expect(attributeOf(run!, 'tidemark.sync')).toBe('contacts');
  expect(attributeOf(run!, 'tidemark.run.state')).toBe('succeeded');
  expect(Number(attributeOf(run!, 'tidemark.records.created'))).toBe(1);
  const names = new Set(collector.spans.map(({ name }) => name));
  expect([...names].sort()).toEqual(
    expect.arrayContaining(['tidemark.batch', 'tidemark.call', 'tidemark.merge', 'tidemark.page', 'tidemark.run']),
  );
  expect(new Set(collector.named('tidemark.page').map(({ traceId }) => traceId))).toEqual(new Set([run!.traceId]));
  const calls = collector.named('tidemark.call').filter(({ traceId }) => traceId === run!.traceId);
  expect(calls.length).toBeGreaterThan(1);
  for (const call of calls) expect(attributeOf(call, 'tidemark.connection')).toBe('crm');
  const finished = collector.logs.find(({ body }) => body?.stringValue === 'run finished')!;
  expect(finished.traceId).toBe(run!.traceId);
  expect(attributeOf(finished, 'sync')).toBe('contacts');
  expect(told()).toContain(`"trace_id":"${run!.traceId}"`);
  const secrets = [
    emulator.credentials.clientSecret,
    planted.value,
    planted.email,
    planted.header,
    encodeURIComponent(planted.email),
  ];
  for (const secret of secrets) expect(collector.raw).not.toContain(secret);
});

test('a stream is traced commit by commit, and what is left is exported when the process is stopped', async () => {
  const { child, ended } = tidemark(['start', '--port', 'off'], { ...exporting(), OTEL_SERVICE_NAME: 'sync-worker' });
  // What is written before the stream is followed, the read at its beginning brings.
  await vi.waitFor(
    () => {
      emulator.org.write((t) => t.insert('Contact', { LastName: `${planted.value} the second` }));
      expect(collector.named('tidemark.stream.commit').length).toBeGreaterThan(0);
    },
    { timeout: 30_000, interval: 250 },
  );
  const [commit] = collector.named('tidemark.stream.commit');
  expect(attributeOf(commit!, 'tidemark.stream')).toBe('live:crm:app');
  const batch = collector.named('tidemark.stream.batch').find(({ spanId }) => spanId === commit!.parentSpanId)!;
  expect(Number(attributeOf(batch, 'tidemark.events'))).toBeGreaterThan(0);
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  expect(collector.logs.map(({ body }) => body?.stringValue)).toContain('stopped');
  expect(collector.services).toEqual(new Set(['sync-worker']));
  expect(collector.raw).not.toContain(planted.value);
});

test('a collector that refuses or is gone changes nothing but a word about it, without what it lets us in with', async () => {
  collector.status = 400;
  const refused = tidemark(['run', 'contacts'], exporting());
  expect(await refused.ended).toBe(0);
  expect(refused.told()).toMatch(/telemetry: .*400/);
  expect(refused.told()).not.toContain(planted.header);
});

test.each([
  {},
  { OTEL_SERVICE_NAME: 'tidemark' },
  { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_SDK_DISABLED: 'true' },
  { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_TRACES_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none' },
])('nothing is exported that nobody asked for: %j', async (env) => expect(await startTelemetry(env, () => {})).toBeNull());

test('nothing of it is loaded then', async () => {
  place.write(
    'loaded.mjs',
    `import { registerHooks } from 'node:module';
registerHooks({ resolve(specifier, context, next) {
  if (/opentelemetry|nodemailer|prom-client/.test(specifier)) process.stderr.write('loaded ' + specifier + '\\n');
  else if (specifier === 'pino') process.stderr.write('seen\\n');
  return next(specifier, context);
} });`,
  );
  const { ended, told } = tidemark(['status'], {}, ['--import', place.path('loaded.mjs')]);
  expect(await ended).toBe(0);
  expect(told()).toContain('seen');
  expect(told()).not.toContain('loaded ');
});
