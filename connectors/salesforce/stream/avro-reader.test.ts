import avro from 'avsc';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AvroBytes, type AvroType, arrayReader, passerOf, type Read, readerOf, repeatedText } from './avro-reader.ts';

// An event that is read wrongly is a wrong row, and one that cannot be read is a read of the org: the library is the judge.

const typeOf = (schema: object) =>
  avro.Type.forSchema(schema as never) as unknown as AvroType & { toBuffer(value: unknown): Buffer };

const point = { type: 'record', name: 'Point', fields: [{ name: 'x', type: 'double' }] };
const event = typeOf({
  type: 'record',
  name: 'Event',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'count', type: 'long' },
    { name: 'size', type: ['null', 'double'] },
    { name: 'isOpen', type: ['null', 'boolean'] },
    { name: 'kind', type: { type: 'enum', name: 'Kind', symbols: ['CREATE', 'UPDATE'] } },
    { name: 'keys', type: { type: 'array', items: 'string' } },
    { name: 'name', type: ['null', 'string', point] },
  ],
});
const anyEvent = fc.record({
  id: fc.string({ unit: 'binary' }),
  count: fc.maxSafeInteger().map((n) => Math.trunc(n / 4)),
  size: fc.option(fc.double({ noNaN: true })),
  isOpen: fc.option(fc.boolean()),
  kind: fc.constantFrom('CREATE', 'UPDATE'),
  keys: fc.array(fc.string(), { maxLength: 20 }),
  name: fc.oneof(fc.constant(null), fc.string(), fc.record({ x: fc.double({ noNaN: true }) })),
});

function over(bytes: Buffer): AvroBytes {
  const from = new AvroBytes();
  from.bytes = bytes;
  return from;
}

test('every value is what the library reads, and what is passed over ends where it ends', () => {
  const reads = event.fields!.map(({ type }) => [readerOf(type), passerOf(type)] as const);
  fc.assert(
    fc.property(anyEvent, (given) => {
      const bytes = event.toBuffer(given);
      const expected = event.decode(bytes, 0).value as Record<string, unknown>;
      const [reading, passing] = [over(bytes), over(bytes)];
      event.fields!.forEach(({ name }, i) => {
        const [read, pass] = reads[i]!;
        expect(read(reading)).toEqual(expected[name]);
        pass(passing);
        expect(passing.at).toBe(reading.at);
      });
      expect(reading.at).toBe(bytes.length);
    }),
  );
});

test('bytes that end too early are an error or lie beyond the end, wherever they are cut', () => {
  const reads = event.fields!.map(({ type }) => readerOf(type));
  const bytes = event.toBuffer({
    id: 'id',
    count: 1e12,
    size: 1,
    isOpen: true,
    kind: 'UPDATE',
    keys: ['a', 'b'],
    name: { x: 1 },
  });
  for (let length = 0; length < bytes.length; length++) {
    const from = over(bytes.subarray(0, length));
    const all = () => {
      for (const read of reads) read(from);
      if (from.at > length) throw new RangeError('beyond the end');
    };
    expect(all, `${length} of ${bytes.length} bytes`).toThrow(RangeError);
  }
});

test('numbers of 64 bits are passed over, and not taken for others', () => {
  const largest = Buffer.from([...new Array(9).fill(255), 1, 14]);
  const from = over(largest);
  passerOf(typeOf({ type: 'long' }))(from);
  expect(from.integer()).toBe(7);
  expect(() => over(largest).integer()).toThrow(RangeError);
});

test('an array may come in blocks that tell their size', () => {
  const strings: Read<readonly string[]> = arrayReader((from) => from.text());
  // -2 and 4 bytes, two texts; 1, one text; no more.
  expect(strings(over(Buffer.from([3, 8, 2, 97, 2, 98, 2, 2, 99, 0])))).toEqual(['a', 'b', 'c']);
});

test('a text that is remembered is never another one', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('', 'a', 'b', 'ab', 'ä', 'aä'), { maxLength: 30 }), (texts) => {
      const type = typeOf({ type: 'string' });
      const from = over(Buffer.concat(texts.map((text) => type.toBuffer(text))));
      const read = repeatedText();
      expect(texts.map(() => read(from))).toEqual(texts);
    }),
  );
});
