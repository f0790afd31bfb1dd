import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryConnector, Memory } from '@tidemark/connector-memory';
import { afterAll, expect, test } from 'vitest';
import { z } from 'zod';
import { ConfigError } from '../base/errors.ts';
import { scrub } from '../base/secrets.ts';
import type { AnyConnector } from './config.ts';
import { parseConfig } from './load-config.ts';

// What a hook takes is said in the file, and what is wrong there is told with its place before anybody can send.

const folder = mkdtempSync(join(tmpdir(), 'tidemark-hook-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const keeper = {
  name: 'keeper',
  summary: 'keeps what comes in',
  config: z.strictObject({ path: z.string() }),
  from: z.strictObject({}),
  inbox: {
    beside: (store: { kind: string; file?: string }) => (store.file === ':memory:' ? null : { path: `${store.file}.hooks` }),
    from: (spec: object) => spec,
  },
  open: () => ({ check: async () => [], async [Symbol.asyncDispose]() {} }),
};
const connectors = [keeper, createMemoryConnector({ memory: new Memory() })] as unknown as AnyConnector[];

const right = {
  auth: { type: 'bearer', token: 'a-token-of-at-least-sixteen' },
  key: 'id',
  fields: { id: 'text', name: { type: 'text', required: true, maxLength: 80 }, changed: 'datetime' },
};

function parse(hook: object, sync: object = {}, top: object = {}) {
  const file = join(folder, 'tidemark.yaml');
  const from = 'hook' in hook || 'connection' in hook ? hook : { hook: { ...right, ...hook } };
  const config = {
    connections: { dst: { type: 'memory', datasets: {} }, kept: { type: 'keeper', path: 'x' } },
    syncs: { s: { from, to: { connection: 'dst', dataset: 'copy' }, ...sync } },
    ...top,
  };
  return parseConfig(JSON.stringify(config), { file, env: { TOKEN: 'another-token-of-sixteen' }, connectors });
}

function problems(...args: Parameters<typeof parse>): string[] {
  try {
    parse(...args);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.filter(({ severity }) => severity === 'error').map(({ message, hint }) => `${message} (${hint})`);
  }
}

test('it is not read in parts: what became of a post is told in the order of posts', () => {
  expect(problems({}, { parts: 2 })).toEqual(['is not for a hook (let it fill a queue, and read that one in parts)']);
});

test('what it says is filled in, and it runs by itself', () => {
  const sync = parse({ stamp: 'changed', bodyMax: '256KB', rateLimit: { requests: 5, per: '10s' } }).syncs.get('s')!;
  expect(sync.schedule).toEqual({ kind: 'every', everyMs: 250 });
  expect(sync.from).toMatchObject({
    connection: '(hooks)',
    hook: {
      auth: { kind: 'bearer', tokens: ['a-token-of-at-least-sixteen'] },
      key: ['id'],
      fields: [
        { name: 'id', type: 'text', required: true },
        { name: 'name', required: true, maxLength: 80 },
        { name: 'changed', required: true },
      ],
      extra: 'refuse',
      stamp: 'changed',
      rateLimit: { requests: 5, perMs: 10_000 },
      bodyBytesMax: 256 * 1024,
    },
    spec: { name: 'hook:s', schema: { key: ['id'], fields: [{ name: 'id', nullable: false }, { length: 80 }, {}] } },
  });
});

test('it is kept beside the store, or in a connection that is named', () => {
  const config = parse({});
  expect(config.connections.get('(hooks)')?.config).toEqual({ path: join(folder, '.tidemark/state.db.hooks') });
  const named = parse({ hook: right, connection: 'kept' });
  expect(named.connections.has('(hooks)')).toBe(false);
  expect(named.syncs.get('s')?.from).toMatchObject({ connection: 'kept' });
});

test('its secrets are masked wherever they turn up, and one in plain text is warned of', () => {
  const config = parse({ auth: { type: 'hmac', secret: ['$' + '{TOKEN}', 'plain-secret-in-the-file'] } });
  expect(scrub('another-token-of-sixteen and plain-secret-in-the-file')).toBe(
    '*** and ***'.replace(/\*\*\*/g, scrub('plain-secret-in-the-file')),
  );
  expect(scrub('plain-secret-in-the-file')).not.toContain('plain');
  expect(config.warnings).toMatchObject([{ message: expect.stringContaining('is a secret in plain text') }]);
});

test.each<[object, RegExp]>([
  [{ auth: undefined }, /is missing/],
  [{ auth: { type: 'bearer', token: 'short' } }, /16 characters/],
  [{ auth: { type: 'hmac', secret: 'a-secret-of-at-least-16', tolerance: '2d' } }, /longer than a day .*replay/],
  [{ key: 'email' }, /email is not among the fields .*add email to fields/],
  [{ fields: { id: 'json' } }, /type json, which identifies nothing .*take a text/],
  [{ fields: {} }, /names no field|is not among/],
  [{ fields: { id: 'string' } }, /text/],
  [{ stamp: 'name' }, /name is no field of type datetime .*name: datetime/],
  [{ bodyMax: '1GB' }, /not a size .*64MB at most/],
  [{ extras: 'ignore' }, /not known here .*did you mean extra/],
  [{ path: '/metrics' }, /a path of Tidemark's own .*take another/],
  [{ path: 'a/b' }, /takes one part/],
  [{ hook: right, connection: 'dst' }, /type memory, which cannot keep what comes in .*type queue/],
  [{ hook: right, connection: 'nothing' }, /no connection of this name/],
])('%j is refused with what to do', (hook, message) => {
  expect(problems(hook).join('\n')).toMatch(message);
});

test('one hook answers at a path, by default its own', () => {
  expect(parse({}).syncs.get('s')?.from).toMatchObject({ hook: { path: '/hooks/s' } });
  expect(parse({ path: '/order-updates' }).syncs.get('s')?.from).toMatchObject({ hook: { path: '/order-updates' } });
  const other = { from: { hook: { ...right, path: '/same' } }, to: { connection: 'dst', dataset: 'other' } };
  const s = { from: { hook: { ...right, path: '/same' } }, to: { connection: 'dst', dataset: 'copy' } };
  expect(problems({}, {}, { syncs: { s, other } })).toEqual([
    expect.stringMatching(/\/same leads to s already .*path of its own/),
  ]);
});

test('what has no meaning for a hook is said', () => {
  expect(problems({}, { where: 'id = 1' })).toEqual([expect.stringMatching(/no meaning for a hook .*steps: with a filter/)]);
  expect(problems({}, { live: true })).toEqual([expect.stringMatching(/no meaning for a hook/)]);
  expect(problems({}, {}, { store: { url: ':memory:' } })).toEqual([expect.stringMatching(/no place to keep .*type queue/)]);
});
