import type { FieldType } from '@tidemark/core';
import { expect, test } from 'vitest';
import type { DescribeField } from '../describe.ts';
import { roundedTo, sameAsStored } from './same-as-stored.ts';
import { toWrite } from './write-values.ts';

// A write that would change nothing is not sent, and one that would is: Salesforce's own ways of storing a value are no difference,
// anything else is.                                                                                               (P8, P12)

const column = (type: FieldType, field: Partial<DescribeField> = {}) => ({
  type,
  field: { name: 'F__c', type: 'string', scale: 2, precision: 16, ...field } as DescribeField,
});
const text = column('text');
const decimal = column('decimal', { type: 'double' });
const id = column('text', { type: 'reference' });
const multi = column('text', { type: 'multipicklist' });

test.each<[what: string, ReturnType<typeof column>, given: string | number | boolean | null, stored: unknown, same: boolean]>([
  ['empty text and nothing', text, '', null, true],
  ['blanks and nothing', text, ' \t', null, true],
  ['blanks around', text, ' a ', 'a', true],
  ['blanks inside', text, 'a  b', 'a b', false],
  ['capitals', text, 'A', 'a', false],
  ['line ends', text, 'a\r\nb', 'a\nb', true],
  ['a text and nothing', text, 'a', null, false],
  ['nothing and a text', text, null, 'a', false],
  ['the word null', text, 'null', null, false],
  ['half is rounded up', decimal, '1.005', 1.01, true],
  ['half is rounded away from zero', decimal, '-1.005', -1.01, true],
  ['less than half', decimal, '1.0049999', 1, true],
  ['a cent', decimal, 1.01, 1, false],
  ['zeros', decimal, '1.50', 1.5, true],
  ['an exponent', decimal, '1e2', 100, true],
  ['minus zero', decimal, '-0.001', 0, true],
  ['zero and nothing', decimal, 0, null, false],
  [
    'seventeen digits of which a double keeps fewer',
    column('decimal', { scale: 0 }),
    '12345678901234567',
    '12345678901234567',
    true,
  ],
  ['a digit that a double cannot tell', column('decimal', { scale: 0 }), '12345678901234567', '12345678901234568', true],
  ['other digits', column('decimal', { scale: 0 }), '12345678901234567', '12345678901234599', false],
  ['fractions of a second', column('datetime'), '2024-05-22T13:05:09.999Z', '2024-05-22T13:05:09.000+0000', true],
  ['a second', column('datetime'), '2024-05-22T13:05:10.000Z', '2024-05-22T13:05:09.000+0000', false],
  ['another zone', column('datetime'), '2024-05-22T15:05:09+02:00', '2024-05-22T13:05:09.000+0000', true],
  ['a day', column('date'), '2024-05-22', '2024-05-22', true],
  ['a time', column('time'), '13:05:09', '13:05:09.000Z', true],
  ['false and nothing', column('boolean'), null, false, true],
  ['true', column('boolean'), 'true', true, true],
  ['true and false', column('boolean'), true, false, false],
  ['an id of fifteen and of eighteen', id, '001000000000001', '001000000000001AAA', true],
  ['another id', id, '001000000000001AAA', '001000000000002AAA', false],
  ['values of a picklist in another order', multi, 'blue;red', 'red;blue', true],
  ['one value less', multi, 'red', 'red;blue', false],
  ['an email address in capitals', column('text', { type: 'email' }), 'Ada@Example.com', 'ada@example.com', true],
  ['another email address', column('text', { type: 'email' }), 'ada@example.com', 'ida@example.com', false],
])('%s', (_, given, value, stored, same) => {
  const written = toWrite(value, given);
  if (!written.ok) throw new Error(written.message);
  expect(sameAsStored(written.value, stored, given)).toBe(same);
});

test('rounding is done on the digits', () => {
  expect(
    ['1.005', '0.995', '9.995', '-9.995', '1', '0.004', '123456789012345678.125'].map((digits) => roundedTo(digits, 2)),
  ).toEqual(['1.01', '1', '10', '-10', '1', '0', '123456789012345678.13']);
  expect(['0.5', '-0.5', '1.4'].map((digits) => roundedTo(digits, 0))).toEqual(['1', '-1', '1']);
});
