import { type Change, type ConnectorContext, cellText, type Page, type Source, seededRandom, systemClock } from '@tidemark/core';
import { type Emulator, type EmulatorOptions, startEmulator } from '@tidemark/emulator';
import { type Auth, config, from } from './config.ts';
import connector from './connector.ts';

/** What tests of this folder share: an org, and a connection to it. */

export const signal = new AbortController().signal;

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

export function testContext(over: Partial<ConnectorContext> = {}): ConnectorContext {
  const clock = {
    now: systemClock.now,
    sleep: (ms: number, abort?: AbortSignal) => systemClock.sleep(ms >= 30_000 ? ms : Math.min(ms, 2), abort),
  };
  return { connection: 'crm', clock, random: seededRandom(1), log: quiet, fetch: globalThis.fetch, baseDir: '/', ...over };
}

export interface TestOrg extends AsyncDisposable {
  readonly emulator: Emulator;
  readonly auth: Auth;
  open(spec: OpenOptions, over?: Partial<ConnectorContext>): Promise<Source>;
  connect(over?: Partial<ConnectorContext>, settings?: object): ReturnType<typeof connector.open>;
  /** API calls since the last time somebody asked. */
  calls(): number;
}

export interface OpenOptions {
  readonly from: object;
  readonly where?: string;
  readonly fields?: readonly string[];
  readonly exclude?: readonly string[];
  readonly startAtMs?: number;
  readonly overlapMs?: number;
}

export async function testOrg(options: EmulatorOptions = {}): Promise<TestOrg> {
  const emulator = await startEmulator(options);
  const { loginUrl, clientId, clientSecret } = emulator.credentials;
  const auth = { flow: 'client-credentials', clientId, clientSecret } as const;
  let counted = 0;
  const connect: TestOrg['connect'] = (over, settings = {}) =>
    connector.open(config.parse({ loginUrl, auth, ...settings }), testContext(over));
  return {
    emulator,
    auth,
    connect,
    open: ({ from: asked, where, fields = null, exclude = [], startAtMs = null, overlapMs = null }, over) =>
      connect(over).openSource!({ from: from.parse(asked), where, fields, exclude, startAtMs, overlapMs }, signal),
    calls() {
      const total = emulator.requests.totals().apiCalls;
      const since = total - counted;
      counted = total;
      return since;
    },
    [Symbol.asyncDispose]: () => emulator.close(),
  };
}

/** Every record of a full read, as canonical texts by id. */
export async function readAll(source: Source, resume: string | null = null): Promise<Map<string, Record<string, string | null>>> {
  const rows = new Map<string, Record<string, string | null>>();
  for await (const page of source.readFull(resume, signal))
    for (const row of await rowsOfPage(source, page)) rows.set(row.Id!, row);
  return rows;
}

export async function rowsOfPage(source: Source, page: Page): Promise<Record<string, string | null>[]> {
  const rows: Record<string, string | null>[] = [];
  for await (const block of page.blocks) {
    for (let row = 0; row < block.rowCount; row++) {
      rows.push(
        Object.fromEntries(source.schema.fields.map((field, column) => [field.name, cellText(block.columns[column]!, row)])),
      );
    }
  }
  return rows;
}

/** A delta to its end: its changes, the checkpoint to go on from, and how many batches brought either. */
export async function readChanges(
  source: Source,
  checkpoint: string,
): Promise<{ changes: Change[]; checkpoint: string; batches: number }> {
  const changes: Change[] = [];
  let batches = 0;
  for await (const batch of source.readDelta!(checkpoint, signal)) {
    changes.push(...batch.changes);
    checkpoint = batch.checkpoint ?? checkpoint;
    if (batch.changes.length > 0 || batch.checkpoint !== null) batches++;
  }
  return { changes, checkpoint, batches };
}

/** `fetch` whose replies to matching requests are changed on their way. */
export function tampered(pattern: RegExp, change: (bytes: Buffer, headers: Headers) => Buffer): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    if (!pattern.test(String(input))) return response;
    const headers = new Headers(response.headers);
    const bytes = change(Buffer.from(await response.arrayBuffer()), headers);
    headers.delete('content-length');
    headers.delete('content-encoding');
    return new Response(new Uint8Array(bytes), { status: response.status, headers });
  };
}
