import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FetchResponseReader } from './fetch-response.ts';

const file = fileURLToPath(new URL('./pubsub_api.proto', import.meta.url));
const definition = loadSync(file, { defaults: true, enums: String, longs: Number });
const { Subscribe } = definition['eventbus.v1.PubSub'] as ServiceDefinition;
const serialize = Subscribe!.responseSerialize as (value: object) => Buffer;
const deserialize = Subscribe!.responseDeserialize as (bytes: Buffer) => {
  events: { event: object; replayId: Buffer }[];
  latestReplayId: Buffer;
  pendingNumRequested: number;
};

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const responses = fc.array(
  fc.record({
    events: fc.array(
      fc.record({
        event: fc.record({ id: text, schemaId: fc.oneof(fc.constantFrom('', 'aSchema', 'another'), text), payload: bytes }),
        replayId: bytes,
      }),
      { maxLength: 5 },
    ),
    latestReplayId: bytes,
    rpcId: text,
    pendingNumRequested: fc.nat(2 ** 31 - 1),
  }),
  { minLength: 1, maxLength: 4 },
);

test('what is read of a message is what the library reads of it', () => {
  fc.assert(
    fc.property(responses, (list) => {
      const reader = new FetchResponseReader();
      for (const response of list) {
        const message = serialize(response);
        const { events, latestReplayId, pendingNumRequested } = deserialize(message);
        expect(reader.read(message)).toEqual({
          events: events.map(({ event, replayId }) => ({ ...event, replayId: replayId.toString('base64') })),
          latest: latestReplayId.length === 0 ? null : latestReplayId.toString('base64'),
          pending: pendingNumRequested,
        });
      }
    }),
  );
});

test('fields that a later version may send are passed over', () => {
  const message = serialize({ events: [], rpcId: '', latestReplayId: Buffer.from([1]), pendingNumRequested: 7 });
  // Field 9, once of each wire type: a number, eight bytes, a value with its length, four bytes.
  const unknown = [0x48, 0x96, 0x01, 0x49, 1, 2, 3, 4, 5, 6, 7, 8, 0x4a, 2, 9, 9, 0x4d, 1, 2, 3, 4];
  const read = new FetchResponseReader().read(Buffer.concat([Buffer.from(unknown), message, Buffer.from(unknown)]));
  expect(read).toEqual({ events: [], latest: Buffer.from([1]).toString('base64'), pending: 7 });
});

test('a message that is cut short is not taken for a smaller one, whatever its last value (P13)', () => {
  const event = { event: { id: 'an id', schemaId: 'a schema', payload: Buffer.alloc(200, 1) }, replayId: Buffer.alloc(8, 2) };
  const message = serialize({ events: [event] });
  for (let length = 1; length < message.length; length++) {
    expect(() => new FetchResponseReader().read(message.subarray(0, length))).toThrow(RangeError);
  }
});
