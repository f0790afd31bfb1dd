import { expect, test } from 'vitest';
import { z } from 'zod';
import { type AnyConnector, parseConfig } from '../index.ts';

const connector = (name: string, told: boolean) =>
  ({
    name,
    summary: name,
    config: z.strictObject({}),
    from: z.strictObject({ topic: z.string() }),
    to: z.strictObject({ topic: z.string() }),
    ...(told && { tellsChanges: true }),
    open: () => ({}),
  }) as unknown as AnyConnector;

const read = (from: string, keys: string) =>
  parseConfig(
    `connections: { told: { type: told }, mute: { type: mute } }
syncs: { s: { from: { connection: ${from}, topic: a }, to: { connection: mute, topic: b }, ${keys} } }`,
    { file: '/tidemark.yaml', env: {}, connectors: [connector('told', true), connector('mute', false)] },
  ).syncs.get('s')!;

test('a sync that follows what says when to read it is run whenever it does; another one follows a stream', () => {
  expect(read('told', 'live: true')).toMatchObject({ live: false, schedule: { kind: 'every', everyMs: 250 } });
  expect(read('told', 'live: true, every: 1h')).toMatchObject({ live: false, schedule: { kind: 'every', everyMs: 250 } });
  expect(read('told', 'every: 1h')).toMatchObject({ live: false, schedule: { kind: 'every', everyMs: 3_600_000 } });
  expect(read('mute', 'live: true')).toMatchObject({ live: true, schedule: { kind: 'every', everyMs: 600_000 } });
});

test('a journal of what lies in a queue anyway is refused', () => {
  expect(() => read('told', 'live: true, journal: 7d')).toThrow(/journal.*has no meaning here/);
});
