import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, type ConnectorContext, createFetch, seededRandom } from '@tidemark/core';
import { httpConfig } from './config.ts';

/** What came in, as tests look at it. */
export interface Received {
  readonly method: string;
  /** As it stood in the request line: nothing is decoded or normalised. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly received: Received[];
}

export type Answer =
  | number
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  | 'hang up';

/** A real server, because a fake fetch would take requests that no server takes. */
export async function startServer(answer: (request: Received, at: number) => Answer | Promise<Answer>): Promise<TestServer> {
  const received: Received[] = [];
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const seen: Received = {
      method: request.method!,
      path: request.url!,
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
    };
    const at = received.push(seen) - 1;
    const reply = await answer(seen, at);
    if (reply === 'hang up') return request.socket.destroy();
    const { status, headers, body } = typeof reply === 'number' ? { status: reply, headers: undefined, body: '' } : reply;
    response.writeHead(status, headers).end(body ?? '');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** Waits take no time, and tell how long they would have taken. Longer ones than a timeout's are real: they guard against hanging. */
export class SleepLog implements Clock {
  readonly waitsMs: number[] = [];
  #nowMs = Date.parse('2026-03-04T05:06:07.890Z');

  now(): number {
    return this.#nowMs;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (ms >= HANGING_MS) {
      await new Promise<void>((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason), { once: true }));
    }
    this.waitsMs.push(ms);
    this.#nowMs += ms;
  }
}

/** The timeout of tests that want none. */
export const HANGING_MS = 999 * 60_000;

export function createContext(clock: Clock = new SleepLog()): ConnectorContext {
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  return { connection: 'hooks', clock, random: seededRandom(1), log, fetch: createFetch({}), baseDir: '.' };
}

/** A connection to a server of the test's own. */
export function configFor(url: string, more: object = {}) {
  return httpConfig.parse({ url, allowPrivate: true, timeout: '999m', ...more });
}
