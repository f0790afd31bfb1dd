import { expect, test } from 'vitest';
import { z } from 'zod';
import { type AnyConnector, parseConfig } from '../index.ts';

const connector = (name: string, keepsHistory?: true) =>
  ({
    name,
    summary: name,
    config: z.strictObject({}),
    from: z.strictObject({ table: z.string() }),
    to: z.strictObject({ table: z.string() }),
    ...(keepsHistory && { keepsHistory }),
    open: () => ({}),
  }) as unknown as AnyConnector;

const read = (to: string, keys = '') =>
  parseConfig(
    `connections: { sql: { type: sql }, plain: { type: plain } }
syncs: { s: { from: { connection: plain, table: a }, to: { connection: ${to}, table: b }, ${keys} } }`,
    { file: '/tidemark.yaml', env: {}, connectors: [connector('sql', true), connector('plain')] },
  ).syncs.get('s')!;

test('versions are kept where the user says so, ended where he says no, and left alone where he says nothing', () => {
  expect(read('sql', 'history: true').history).toBe(true);
  expect(read('sql', 'history: false').history).toBe(false);
  expect(read('sql').history).toBeNull();
});

test('whether versions are kept changes nothing of what lands in the table: no full run for it', () => {
  expect(read('sql', 'history: true').fingerprint).toBe(read('sql').fingerprint);
});

test('a target that keeps none refuses, by the place and with the remedy', () => {
  expect(() => read('plain', 'history: true')).toThrow(/history.*is not something that plain keeps.*SQL database/s);
  expect(read('plain', 'history: false').history).toBe(false);
});
