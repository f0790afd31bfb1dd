import avro from 'avsc';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { type AvroField, changeTypes, eventNamespace, headerRecord, nullable, part } from './avro-schema.ts';
import { createRecordCodec, decodeHeader, type EventRecord, encodeHeader } from './record-codec.ts';

// What we write by hand is what the library would write: a subscriber's decoder knows nothing of us.

const address = { type: 'record' as const, name: 'Address', fields: [part('Street', 'string'), part('Latitude', 'double')] };
const person = { type: 'record' as const, name: 'Switchable_PersonName', fields: [part('LastName', 'string')] };
const fields: AvroField[] = [
  { name: 'CreatedDate', type: 'long' },
  { name: 'CreatedById', type: 'string' },
  nullable('Name', ['string', person], 'Data:Switchable_PersonName'),
  nullable('BillingAddress', address, 'Data:Address'),
  nullable('ShippingAddress', 'Address', 'Data:Address'),
  nullable('NumberOfEmployees', 'int', 'Data:Integer'),
  nullable('AnnualRevenue', 'double', 'Data:Currency'),
  nullable('IsActive', 'boolean', 'Data:Boolean'),
  nullable('Birthdate', 'long', 'Data:DateOnly'),
];
const record = { type: 'record' as const, name: 'AnyEvent', namespace: eventNamespace, fields };

const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 80 }), fc.string({ minLength: 60, maxLength: 66 }));
const orNull = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });
const number = fc.double({ noNaN: true });
const instant = fc.integer({ min: Date.parse('1700-01-01'), max: Date.parse('4000-12-31') });
const place = orNull(fc.record({ Street: orNull(text), Latitude: orNull(number) }));
const body: fc.Arbitrary<EventRecord> = fc.record({
  CreatedDate: instant,
  CreatedById: text,
  Name: orNull(fc.oneof(text, fc.record({ LastName: orNull(text) }))),
  BillingAddress: place,
  ShippingAddress: place,
  NumberOfEmployees: orNull(fc.integer()),
  AnnualRevenue: orNull(number),
  IsActive: orNull(fc.boolean()),
  Birthdate: orNull(instant),
});

test(`a body's bytes are those of the Avro library ${evidence('documented', 'Apache Avro specification, Binary Encoding')}`, () => {
  const type = avro.Type.forSchema(record as unknown as avro.Schema, { wrapUnions: false });
  const codec = createRecordCodec(record);
  fc.assert(
    fc.property(body, (given) => {
      const bytes = codec.encodeBody(given);
      expect(bytes).toEqual(type.toBuffer(given));
      // avsc makes objects of its own classes.
      expect({ ...codec.decodeBody(bytes) }).toEqual(given);
    }),
  );
});

test(`what is absent is null, and a text of a megabyte has room ${evidence('documented', 'Apache Avro specification, Binary Encoding')}`, () => {
  const codec = createRecordCodec(record);
  const long = 'ä'.repeat(600_000);
  const written = codec.encodeBody({ CreatedDate: 0, CreatedById: long });
  expect(codec.decodeBody(written)).toMatchObject({ CreatedById: long, Name: null, BillingAddress: null, Birthdate: null });
});

test(`a value of another type is refused, and does not spoil the next event ${evidence('assumed', 'Salesforce never has one')}`, () => {
  const codec = createRecordCodec(record);
  const good = { CreatedDate: 1, CreatedById: 'x' };
  const before = codec.encodeBody(good);
  for (const bad of [{ NumberOfEmployees: 'many' }, { AnnualRevenue: 'much' }, { Name: 7 }, { Birthdate: 0.5 }]) {
    expect(() => codec.encodeBody({ ...good, ...bad })).toThrow(TypeError);
    expect(codec.encodeBody(good)).toEqual(before);
  }
});

test(`a header's bytes are those of the Avro library ${evidence('recorded', 'headers of two Account events')}`, () => {
  // Its long may be more than a number holds, so the library is given the number as it stands on the wire: as a long of its own.
  const long = avro.types.LongType.__with({
    fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
    toBuffer: (value: bigint) => {
      const buffer = Buffer.alloc(8);
      buffer.writeBigInt64LE(value);
      return buffer;
    },
    fromJSON: BigInt,
    toJSON: String,
    isValid: (value: unknown) => typeof value === 'bigint',
    compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
  });
  const named = headerRecord.fields.map((field) => (field.name === 'commitNumber' ? { ...field, type: 'BigLong' } : field));
  const schema = { ...headerRecord, namespace: eventNamespace, fields: named } as avro.Schema;
  const type = avro.Type.forSchema(schema, { wrapUnions: false, registry: { [`${eventNamespace}.BigLong`]: long } });
  const texts = fc.array(text, { maxLength: 4 });
  const header = fc.record({
    entityName: text,
    recordIds: texts,
    changeType: fc.constantFrom(...changeTypes),
    changeOrigin: text,
    transactionKey: text,
    sequenceNumber: fc.integer({ min: 1 }),
    commitTimestamp: instant,
    commitNumber: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
    commitUser: text,
    nulledFields: texts,
    diffFields: texts,
    changedFields: texts,
  });
  fc.assert(
    fc.property(header, (given) => {
      const bytes = encodeHeader(given);
      expect(bytes).toEqual(type.toBuffer(given));
      expect({ ...decodeHeader(bytes).header }).toEqual(given);
    }),
  );
});
