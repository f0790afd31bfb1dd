import { expect, test } from 'vitest';
import { z } from 'zod';
import { ConfigError } from '../base/errors.ts';
import type { AnyConnector } from './config.ts';
import { parseConfig } from './load-config.ts';

// A source that can be read in parts is several syncs, each with a checkpoint and an owner of its own; what cannot is told.  (P3, P11)

const open = () => ({ check: async () => [], async [Symbol.asyncDispose]() {} });
const sides = {
  config: z.strictObject({}),
  from: z.strictObject({ topic: z.string() }),
  to: z.strictObject({ topic: z.string() }),
};
const connectors: AnyConnector[] = [
  { name: 'broker', summary: 'A broker', ...sides, readsInParts: true, open },
  { name: 'tables', summary: 'A database', ...sides, open },
  { name: 'paper', summary: 'Files', ...sides, hasOneWriter: true, open },
];

function parse(sync: object) {
  const connections = { bus: { type: 'broker' }, db: { type: 'tables' }, files: { type: 'paper' } };
  const whole = { from: { connection: 'bus', topic: 'a' }, to: { connection: 'db', topic: 'b' }, every: '1s', ...sync };
  const yaml = JSON.stringify({ connections, syncs: { orders: whole } }, null, 2);
  return parseConfig(yaml, { file: '/tidemark.yaml', env: {}, connectors });
}

test('each part is a sync of its own, with a checkpoint of its own', () => {
  const { syncs } = parse({ parts: 3 });
  expect([...syncs.keys()]).toEqual(['orders.1of3', 'orders.2of3', 'orders.3of3']);
  expect([...syncs.values()].map(({ name, watermarkKey, part }) => [name, watermarkKey, part])).toEqual(
    [0, 1, 2].map((index) => [
      `orders.${index + 1}of3`,
      `orders.${index + 1}of3`,
      { index, of: 3, units: [1, 2, 3].map((n) => `orders.${n}of3`), sync: 'orders' },
    ]),
  );
  expect([...parse({ parts: 2, watermarkKey: 'mine' }).syncs.values()].map(({ watermarkKey }) => watermarkKey)).toEqual([
    'mine.1of2',
    'mine.2of2',
  ]);
});

test('in how many parts it is read decides nothing of what is written: no full run follows from that', () => {
  const [whole] = parse({}).syncs.values();
  for (const { fingerprint } of parse({ parts: 2 }).syncs.values()) expect(fingerprint).toBe(whole!.fingerprint);
});

test.each([
  [
    'a source that is one',
    { from: { connection: 'db', topic: 'a' }, to: { connection: 'bus', topic: 'b' } },
    'tables can be read',
  ],
  ['a module of the user', { from: { run: './source.ts', key: 'id' } }, 'there is no such file'],
  ['a target that takes from one at a time', { to: { connection: 'files', topic: 'b' } }, 'is not for paper'],
  ['one part', { parts: 1 }, 'parts'],
  ['half a part', { parts: 2.5 }, 'parts'],
  ['more than there can be', { parts: 257 }, 'parts'],
])('%s is refused with its place', (_, sync, says) => {
  const wrong = () => parse({ parts: 2, ...sync });
  expect(wrong).toThrow(ConfigError);
  expect(wrong).toThrow(says);
  expect(wrong).toThrow(/tidemark\.yaml:\d+:\d+/);
});
