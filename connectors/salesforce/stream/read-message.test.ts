import type { StreamEvent } from '@tidemark/core';
import { evidence } from '@tidemark/emulator';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { EventDecoder } from './decode-event.ts';
import { readPosition } from './position.ts';
import { createMessageReader } from './read-message.ts';
import type { RawEvent } from './transport.ts';

const signal = new AbortController().signal;
const decoder: EventDecoder = {
  decode: ({ id }, position) => ({ position, keys: [id], dataset: 'Account' }) as unknown as StreamEvent,
};
const rawEvent = (replayId: number, id: string): RawEvent => ({ replayId: String(replayId), id, schemaId: 's', payload: {} });

test(`whatever position is kept, what comes strictly after it and what was delivered before make up everything, even where events share a replay id (P1) ${evidence('documented', 'Change Data Capture Developer Guide, "Enrich Change Events": ungrouped events have one replay id')}`, () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 40, maxLength: 40 }),
      async (groups, sizes) => {
        const bus = groups.flatMap((count, group) =>
          Array.from({ length: count }, (_, n) => rawEvent(group + 1, `${group + 1}.${n}`)),
        );
        const reader = createMessageReader('cometd', decoder, '0');
        const delivered: string[] = [];
        const kept: { position: string; delivered: number }[] = [];
        let at = 0;
        for (const size of sizes) {
          const events = bus.slice(at, at + size);
          if (events.length === 0) break;
          at += events.length;
          const pending = size - events.length;
          const { delivery } = await reader.read({ events, latest: null, pending }, signal);
          for (const { keys, position } of delivery!.events) {
            delivered.push(keys[0]!);
            kept.push({ position, delivered: delivered.length });
          }
          kept.push({ position: delivery!.position, delivered: delivered.length });
        }
        expect(delivered).toEqual(bus.map(({ id }) => id));
        for (const { position, delivered: count } of kept) {
          const after = Number(readPosition(position).replayId);
          const again = bus.filter(({ replayId }) => Number(replayId) > after).map(({ id }) => id);
          expect(new Set([...delivered.slice(0, count), ...again])).toEqual(new Set(delivered));
        }
      },
    ),
  ));

test('of a message that cannot be read to its end nothing counts as delivered: all of it comes again (P1)', async () => {
  let isReachable = false;
  const flaky: EventDecoder = {
    decode: (raw, position, abort) => {
      if (raw.id === 'b' && !isReachable) return Promise.reject(new Error('the schema cannot be asked for'));
      return decoder.decode(raw, position, abort);
    },
  };
  const reader = createMessageReader('cometd', flaky, '0');
  const message = { events: [rawEvent(1, 'a'), rawEvent(2, 'b')], latest: null, pending: 1 };
  await expect(reader.read(message, signal)).rejects.toThrow('the schema');
  expect(reader.after).toBe('0');
  isReachable = true;
  const { delivery } = await reader.read(message, signal);
  expect(delivery!.events.map(({ keys }) => keys[0])).toEqual(['a', 'b']);
  expect(reader.after).toBe('2');
});
