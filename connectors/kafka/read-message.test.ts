import { type DatasetSchema, newRow, type Row } from '@tidemark/core';
import { contact, contactSchema, valuesByField } from '@tidemark/testkit';
import { expect, test } from 'vitest';
import { connectSchemaOf, typeOf } from './connect-schema.ts';
import { messageReader } from './read-message.ts';
import { messageWriter } from './write-message.ts';

// A message is a change of one record, or it is kept as it came and stops nothing.                                      (P2)

const schema: DatasetSchema = {
  name: 't',
  key: ['id'],
  fields: [
    { name: 'id', type: 'text', nullable: false },
    { name: 'n', type: 'integer', nullable: true },
  ],
};

function message(key: string | null, value: string | Buffer | null, headers: Record<string, string> = {}) {
  return {
    ...{ partition: 3, offset: 17, timestampMs: 0, headers: new Map(Object.entries(headers)) },
    key: key === null ? null : Buffer.from(key),
    value: typeof value === 'string' ? Buffer.from(value) : value,
  };
}
const read = (...parameters: Parameters<typeof message>) => messageReader('t', schema)(message(...parameters));
const rowOf = (row: Row) => Object.assign(newRow(), row);

test('a value is a record, by its own field or by the message key', () => {
  const change = { op: 'upsert', key: 'a', row: rowOf({ id: 'a', n: 1 }), stampMs: 0 };
  expect(read('a', '{"n":1}')).toEqual({ change });
  expect(read(null, '{"id":"a","n":1}')).toEqual({ change });
  expect(read('{"id":"a"}', '{"n":1}')).toEqual({ change });
  expect(read('{"schema":{"type":"struct","fields":[]},"payload":{"id":"a"}}', '{"n":1}')).toEqual({ change });
  expect(read('a', '{"n":1}', { 'tidemark-stamp': '5' })).toEqual({ change: { ...change, stampMs: 5 } });
  expect(read('a', '{"n":9007199254740993}')).toMatchObject({ unread: { reason: 'The message its n is no integer' } });
});

test('a tombstone, a flag and a header each say that a record is gone', () => {
  const change = { op: 'delete', key: 'a', row: null, stampMs: 0 };
  expect(read('a', null)).toEqual({ change });
  expect(read(null, '{"id":"a","_tidemark_deleted":true}')).toEqual({ change });
  expect(read('a', '{"n":1}', { 'tidemark-op': 'delete' })).toEqual({ change });
});

test.each([
  ['no JSON', message('a', '{oops'), 'is not JSON'],
  ['no UTF-8', message('a', Buffer.from([0xff, 0xfe])), 'is not UTF-8'],
  ['no object', message('a', '[1]'), 'is no object with fields'],
  ['a number', message('a', '7'), 'is no object with fields'],
  ['an empty value', message('a', ''), 'is not JSON'],
  ['another type', message('a', '{"n":"many"}'), 'its n is no integer'],
  ['no key at all', message(null, '{"n":1}'), 'has no id, neither in its value nor as its key'],
  ['a tombstone without a key', message(null, null), 'has no key: nothing tells which record it is about'],
])('%s is told with its place and what there is of it', (_, given, reason) => {
  const raw = {
    topic: 't',
    partition: 3,
    offset: 17,
    key: given.key?.toString() ?? null,
    value: given.value?.toString() ?? null,
  };
  expect(messageReader('t', schema)(given)).toEqual({ unread: { key: 't/3/17', reason: `The message ${reason}`, raw } });
});

test.each(['json', 'json-schema'] as const)('what is written as %s is read as it was, for every type', (format) => {
  const write = messageWriter({ topic: 't', unit: 's', format, schema: contactSchema, deletes: 'mirror' });
  const readBack = messageReader('t', contactSchema);
  for (const [field, values] of Object.entries(valuesByField)) {
    for (const value of values) {
      const row = contact('k', { [field]: value });
      const written = write({ op: 'upsert', key: 'k', row, stampMs: 12 });
      if (!('message' in written)) throw new Error(written.rejected.message);
      const { key, value: text, headers } = written.message;
      expect(readBack(message(key, text, { ...headers }))).toEqual({ change: { op: 'upsert', key: 'k', row, stampMs: 12 } });
    }
  }
});

test('with a schema, each type is what Kafka Connect calls it, and a value of another type is refused by name', () => {
  const { fields } = connectSchemaOf(contactSchema);
  expect(fields.map(typeOf)).toEqual(contactSchema.fields.map(({ type }) => type));
  expect(fields.find(({ field }) => field === 'Day')).toEqual({
    field: 'Day',
    type: 'int32',
    optional: true,
    name: 'org.apache.kafka.connect.data.Date',
  });
  const write = messageWriter({ topic: 't', unit: 's', format: 'json-schema', schema: contactSchema, deletes: 'mark' });
  const wrong = write({ op: 'upsert', key: 'k', row: contact('k', { Day: 'yesterday' }), stampMs: 0 });
  expect(wrong).toEqual({ rejected: { code: 'wrong_type', message: 'Day is no date, and the schema of t says so' } });
  const gone = write({ op: 'delete', key: 'k', row: null, stampMs: 0 });
  if (!('message' in gone)) throw new Error('refused');
  expect(messageReader('t', contactSchema)(message(null, gone.message.value))).toMatchObject({
    change: { op: 'delete', key: 'k' },
  });
});
