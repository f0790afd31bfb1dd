import type { FieldSchema } from '@tidemark/core';
import { expect, test } from 'vitest';
import { validatorOf } from './validator.ts';

const field = (name: string, type: FieldSchema['type'], more: object = {}) => ({
  name,
  type,
  nullable: true,
  place: name,
  ...more,
});

test('a validator has the types in which fields are kept, and leaves alone what is not ours', () => {
  const fields = [
    field('text', 'text', { length: 80 }),
    field('day', 'date', { length: 10 }),
    field('flag', 'boolean'),
    field('count', 'integer'),
    field('amount', 'decimal'),
    field('at', 'datetime'),
    field('raw', 'bytes'),
    field('any', 'json'),
    { ...field('$odd.name', 'double'), place: '＄odd．name' },
  ];
  expect(validatorOf(fields, 'decimal128')).toEqual({
    $jsonSchema: {
      bsonType: 'object',
      properties: {
        text: { bsonType: ['string', 'null'], maxLength: 80 },
        day: { bsonType: ['string', 'null'] },
        flag: { bsonType: ['bool', 'null'] },
        count: { bsonType: ['int', 'long', 'null'] },
        amount: { bsonType: ['decimal', 'null'] },
        at: { bsonType: ['date', 'null'] },
        raw: { bsonType: ['binData', 'null'] },
        '＄odd．name': { bsonType: ['double', 'null'] },
      },
    },
  });
  expect(validatorOf([field('amount', 'decimal')], 'double')).toMatchObject({
    $jsonSchema: { properties: { amount: { bsonType: ['double', 'string', 'null'] } } },
  });
});
