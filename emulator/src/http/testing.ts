import { createClock } from '../org/clock.ts';
import type { Values } from '../org/types.ts';
import { type Emulator, type EmulatorOptions, startEmulator } from './start-emulator.ts';

/** For tests of the surfaces: an empty org whose clock stands still, and a bare client for it. */
export interface TestOrg {
  emulator: Emulator;
  /** A request with the session's token; the body goes as JSON. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  backdoor(method: string, path: string, body?: unknown): Promise<Answer>;
  insert(object: string, ...rows: Values[]): string[];
}

export interface CallOptions {
  body?: unknown;
  headers?: Record<string, string>;
  version?: string;
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into replies of every shape
  json: any;
}

export const testNow = Date.parse('2026-03-04T05:06:07.000Z');

export async function startTestOrg(options: EmulatorOptions = {}): Promise<TestOrg> {
  const clock = options.clock ?? createClock();
  if (!options.clock) clock.freeze(testNow);
  const emulator = await startEmulator({ clock, ...options });
  const { schema } = emulator.org;
  const account = schema.object('Account');
  const phone = schema.field('Account', 'Phone');
  if (!account || !phone) throw new Error('the schema has no Account.Phone');
  const external = {
    ...phone,
    name: 'Ext__c',
    label: 'Ext',
    type: 'string' as const,
    length: 40,
    custom: true,
    externalId: true,
  };
  schema.add({ ...account, fields: [external, { ...external, name: 'Unique__c', label: 'Unique', unique: true }] });
  return {
    emulator,
    call: (method, path, { body, headers = {}, version = 'v62.0' } = {}) =>
      request(
        path.startsWith('/services') ? emulator.url + path : `${emulator.url}/services/data/${version}${path}`,
        method,
        body,
        {
          authorization: `Bearer ${emulator.credentials.accessToken}`,
          ...headers,
        },
      ),
    backdoor: (method, path, body) => request(emulator.credentials.backdoorUrl + path, method, body, {}),
    insert: (object, ...rows) => emulator.org.write((transaction) => rows.map((row) => transaction.insert(object, row).id)),
  };
}

async function request(url: string, method: string, body: unknown, headers: Record<string, string>): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: asJson(text) };
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
