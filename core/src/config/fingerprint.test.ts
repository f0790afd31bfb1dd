import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { AnyConnector } from './config.ts';
import { parseConfig } from './load-config.ts';

// A change that makes other rows of old records changes the fingerprint, so that the next run reads everything; a change
// that cannot does not, because a full run of a large org costs hours.                                            (P1, P12)

const folder = mkdtempSync(join(tmpdir(), 'tidemark-fingerprint-'));
afterAll(() => rmSync(folder, { recursive: true }));
const step = (code: string) => writeFileSync(join(folder, 'step.ts'), code);
step('export default (rows) => rows;');

const connector: AnyConnector = {
  name: 'sql',
  summary: 'A database',
  config: z.strictObject({ password: z.string() }),
  from: z.strictObject({ table: z.string() }),
  to: z.union([
    z.strictObject({ table: z.string(), rowsPerCall: z.number().default(1).meta({ manner: true }) }),
    z.strictObject({ topic: z.string() }),
  ]),
  open: () => ({ check: async () => [], async [Symbol.asyncDispose]() {} }),
};

interface Parts {
  password?: string;
  from?: string;
  to?: string;
  rest?: string;
}
function fingerprintOf({ password = 'a', from = 'x', to = 'table: y', rest = 'where: a = 1' }: Parts): string {
  const text = `connections: { c: { type: sql, password: ${password} } }
syncs:
  s:
    from: { connection: c, table: ${from} }
    to: { connection: c, ${to} }
    steps: [ { run: ./step.ts } ]
    ${rest.replaceAll('; ', '\n    ')}
`;
  return parseConfig(text, { file: join(folder, 'tidemark.yaml'), env: {}, connectors: [connector] }).syncs.get('s')!.fingerprint;
}
const base = fingerprintOf({});

test.each<[string, Parts]>([
  ['another source', { from: 'z' }],
  ['another target', { to: 'table: z' }],
  ['another key', { to: 'table: y, key: [a, b]' }],
  ['another filter', { rest: 'where: a = 2' }],
  ['mapped fields', { rest: 'where: a = 1; fields: { a: b }' }],
  ['an excluded field', { rest: 'where: a = 1; exclude: [a]' }],
  ['another delete rule', { rest: 'where: a = 1; deletes: mark' }],
  ['another beginning', { rest: 'where: a = 1; startAt: -P1D' }],
])('%s changes it', (_, parts) => expect(fingerprintOf(parts)).not.toBe(base));

test('how something is written does not change it', () => {
  expect(fingerprintOf({ to: 'table: y, rowsPerCall: 9' })).toBe(base);
  expect(fingerprintOf({ to: 'topic: y' })).not.toBe(base);
});

test('the code of a step changes it', () => {
  step('export default (rows) => rows.slice(1);');
  expect(fingerprintOf({})).not.toBe(base);
  step('export default (rows) => rows;');
  expect(fingerprintOf({})).toBe(base);
});

test.each<[string, Parts]>([
  ['a new password', { password: 'b' }],
  ['a schedule', { rest: 'where: a = 1; every: 10s; full: { every: 1d }' }],
  ['notes', { rest: 'where: a = 1; notes: why' }],
  ['another way to fail', { rest: 'where: a = 1; onFailure: hold; retry: { attempts: 2 }; batchSize: 5; sweepMax: 50%' }],
])('%s does not', (_, parts) => expect(fingerprintOf(parts)).toBe(base));

test('the order of mapped fields does not', () => {
  const one = fingerprintOf({ rest: 'fields: { a: b, c: "= d" }' });
  expect(fingerprintOf({ rest: 'fields: { c: "= d", a: b }' })).toBe(one);
  expect(fingerprintOf({ rest: 'fields: { c: "= e", a: b }' })).not.toBe(one);
});
