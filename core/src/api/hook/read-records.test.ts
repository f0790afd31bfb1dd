import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { HookConfig } from '../../config/config.ts';
import type { FieldType } from '../../model/value.ts';
import { readRecords } from './read-records.ts';

// What is not as declared is refused whole, and the sender is told where: nothing of it can spoil a target.

const hook = (fields: Record<string, FieldType>, more: Partial<HookConfig> = {}): HookConfig => ({
  path: '/hooks/orders',
  auth: { kind: 'bearer', tokens: [] },
  key: ['id'],
  fields: Object.entries({ id: 'text' as const, ...fields }).map(([name, type]) => ({
    name,
    type,
    required: name === 'id',
    maxLength: null,
  })),
  extra: 'refuse',
  stamp: null,
  rateLimit: null,
  bodyBytesMax: 1_000_000,
  ...more,
});
const read = (body: unknown, config: HookConfig) =>
  readRecords(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), config);

test.each<[FieldType, string, unknown]>([
  ['text', '"a\\u0000b"', 'a\u0000b'],
  ['boolean', 'true', true],
  ['integer', '-12', -12],
  ['decimal', '12.5', 12.5],
  ['decimal', '"12.50"', '12.50'],
  ['decimal', '12345678901234567890.123', '12345678901234567890.123'],
  ['decimal', '0.1', 0.1],
  ['double', '1e-7', 1e-7],
  ['date', '"2024-02-29"', '2024-02-29'],
  ['datetime', '"2024-05-22T15:05:09+02:00"', '2024-05-22T13:05:09.000Z'],
  ['time', '"13:05"', '13:05:00.000'],
  ['json', '{"a":[1,null]}', { a: [1, null] }],
  ['bytes', '"aGk="', 'aGk='],
])('%s takes %s', (type, text, value) => {
  expect(read(`{"id":"1","v":${text}}`, hook({ v: type })).changes).toMatchObject([
    { op: 'upsert', key: '1', row: { v: value } },
  ]);
});

test.each<[FieldType, string]>([
  ['text', '1'],
  ['boolean', '"true"'],
  ['integer', '1.5'],
  ['integer', '12345678901234567890'],
  ['decimal', '"1e5"'],
  ['decimal', '"12,5"'],
  ['double', '"1"'],
  ['date', '"2023-02-29"'],
  ['date', '"2024-05-22T00:00:00Z"'],
  ['datetime', '"2024-05-22T13:05:09"'],
  ['datetime', '"2024-02-30T13:05:09Z"'],
  ['time', '"25:00"'],
  ['bytes', '"a"'],
])('%s refuses %s, and names the field', (type, text) => {
  const { changes, problems } = read(`[{"id":"1"},{"id":"2","v":${text}}]`, hook({ v: type }));
  expect(changes).toBeNull();
  expect(problems).toEqual([{ record: 1, field: 'v', message: expect.stringMatching(/^takes /) }]);
});

test('what lacks, is too long or is not known is told, each of it', () => {
  const config = hook({ name: 'text' });
  const strict = { ...config, fields: config.fields.map((field) => ({ ...field, required: true, maxLength: 3 })) };
  expect(read([{ id: 'a' }, { id: '', name: 'long' }, { id: 'b', name: '👍👍👍', nmae: 'x' }, 7], strict).problems).toEqual([
    { record: 0, field: 'name', message: 'is required' },
    { record: 1, field: 'id', message: 'is empty, and identifies the record' },
    { record: 1, field: 'name', message: 'has more than 3 characters' },
    { record: 2, field: 'nmae', message: 'is not known here; known are id, name' },
    { record: 3, field: null, message: 'is no object with fields' },
  ]);
  expect(read({ id: 'b', nmae: 'x' }, { ...config, extra: 'ignore' }).changes).toMatchObject([{ row: { id: 'b', name: null } }]);
});

test.each([
  ['', 'the body is empty'],
  ['[]', 'the array holds no record'],
  ['{"id":', 'the body is not JSON'],
  ['['.repeat(100_000), 'the body is not JSON'],
  ['null', 'is no object with fields'],
])('a body of %.10s is refused', (body, message) => {
  expect(read(body, hook({})).problems).toMatchObject([{ message }]);
});

test('a body that is nested without end is refused, and ends nothing', () => {
  const deep = `{"id":"1","v":${'['.repeat(50_000)}${']'.repeat(50_000)}}`;
  expect(read(deep, hook({ v: 'json' })).changes).toBeNull();
});

test('names that objects inherit are no fields', () => {
  expect(read('{"id":"1","__proto__":{"x":1}}', hook({})).problems).toMatchObject([{ field: '__proto__' }]);
  expect(read('{"id":"1"}', hook(Object.fromEntries([['constructor', 'text']]))).changes).toMatchObject([
    { row: { constructor: null } },
  ]);
});

test('a record that is no more needs its key alone', () => {
  const config = hook({ name: 'text' });
  const strict = { ...config, fields: config.fields.map((field) => ({ ...field, required: true })) };
  expect(read({ id: 'a', _tidemark_deleted: true }, strict).changes).toEqual([{ op: 'delete', key: 'a', row: null, stampMs: 0 }]);
  expect(read({ _tidemark_deleted: true }, strict).problems).toMatchObject([{ field: 'id', message: 'is required' }]);
});

test('any JSON is taken as declared or refused, and what is taken holds all fields and no other', () =>
  fc.assert(
    fc.property(fc.jsonValue(), fc.boolean(), (value, asRecords) => {
      const body = asRecords ? [{ id: 'x', v: value }] : value;
      const { changes, problems } = read(body, hook({ v: 'json', w: 'decimal' }));
      if (changes === null) expect(problems.length).toBeGreaterThan(0);
      else for (const { row } of changes) expect(Object.keys(row!).toSorted()).toEqual(['id', 'v', 'w']);
    }),
  ));
