import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readEvents } from '../src/api/read-events.ts';

// A network cuts a stream of events wherever it likes, in the middle of a letter too: the same events arrive.

const wire = new TextEncoder().encode(
  'event: syncs\ndata: [{"sync":"größe"}]\n\n: still here\n\nevent: operation\ndata: {"id":"1","text":"a\\nb 漢"}\n\n',
);
const events = [
  { event: 'syncs', data: [{ sync: 'größe' }] },
  { event: 'operation', data: { id: '1', text: 'a\nb 漢' } },
];

function cut(at: readonly number[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  const ends = [...new Set(at.map((each) => each % wire.length))].sort((a, b) => a - b);
  return new ReadableStream({
    start(controller) {
      let from = 0;
      for (const end of [...ends, wire.length]) {
        controller.enqueue(wire.slice(from, end));
        from = end;
      }
      controller.close();
    },
  });
}

test('wherever it is cut, the same events come', () =>
  fc.assert(
    fc.asyncProperty(fc.array(fc.nat()), async (at) => {
      const read = [];
      for await (const event of readEvents(cut(at))) read.push(event);
      expect(read).toEqual(events);
    }),
  ));

test('an event that was not told to its end is none', async () => {
  const half = new Response('event: syncs\ndata: [1]\n\nevent: syncs\ndata: [2').body!;
  const read = [];
  for await (const event of readEvents(half)) read.push(event);
  expect(read).toEqual([{ event: 'syncs', data: [1] }]);
});
