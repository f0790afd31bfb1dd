import type { FieldSchema } from '@tidemark/core';
import { expect, test } from 'vitest';
import { planCollection } from './plan-collection.ts';
import { validatorOf } from './validator.ts';

const field = (name: string, type: FieldSchema['type']): FieldSchema => ({ name, type, nullable: true });
const fields = [field('Id', 'text'), field('Amount', 'double'), { ...field('AccountId', 'text'), reference: true }];
const places = new Map(fields.map(({ name }) => [name, name]));
const wanted = {
  name: 'deals',
  schema: { name: 'Opportunity', key: ['Id'], fields },
  places,
  indexed: ['AccountId'],
  validator: validatorOf(
    fields.map((each) => ({ ...each, place: each.name })),
    'double',
  ),
};
const id = 'the one';
const known = { id, fields: fields.map(({ name, type }) => ({ name, place: name, type })) };
const waiting = { fields: known.fields };
const indexed = new Set(['_id', 'AccountId']);

test('a collection that is not there is planned with its validator and its indexes, as mongosh takes them', () => {
  const [first, validator, index] = planCollection(wanted, null, null);
  expect(first).toEqual({ summary: 'write the collection deals, 3 fields', isNew: true });
  expect(validator).toMatchObject({ summary: 'a validator for 3 fields of deals', language: 'mongosh' });
  expect(validator!.statement).toMatch(
    /^db\.createCollection\("deals", \{ validator: \{[\s\S]*"bsonType": \[\s*"double",\s*"null"/,
  );
  expect(index).toEqual({
    summary: 'index AccountId of deals',
    statement: 'db.getCollection("deals").createIndex({ "AccountId": 1 })',
    language: 'mongosh',
  });
});

test('what is as it should be needs nothing; a collection that waits for its first documents neither', () => {
  expect(planCollection(wanted, known, { id, validator: wanted.validator, indexed })).toEqual([]);
  expect(planCollection(wanted, waiting, null)).toEqual([]);
  expect(planCollection(wanted, waiting, { id, validator: wanted.validator, indexed })).toEqual([]);
});

test('one that is gone is new, though another has its name by now (P1)', () => {
  const anew = { summary: 'write the collection deals, 3 fields anew: the one that was written before is gone', isNew: true };
  expect(planCollection(wanted, known, null)).toEqual([anew]);
  expect(planCollection(wanted, known, { id: 'another', validator: wanted.validator, indexed })).toEqual([anew]);
});

test('a validator and an index that somebody changed or took away are drift, shown before they are made again', () => {
  const changes = planCollection(wanted, known, { id, validator: { $jsonSchema: {} }, indexed: new Set(['_id']) });
  expect(changes.map(({ summary }) => summary)).toEqual(['another validator for 3 fields of deals', 'index AccountId of deals']);
  expect(changes[0]!.statement).toMatch(/^db\.runCommand\(\{ collMod: "deals", validator: /);
});

test('without a wish for a validator, one that the user has made stays', () => {
  expect(planCollection({ ...wanted, validator: null }, known, { id, validator: { $jsonSchema: {} }, indexed })).toEqual([]);
});

test('fields that are new, gone and of another type are told', () => {
  const [first, second] = known.fields;
  const before = [first!, { ...second!, type: 'text' }, { name: 'Old', place: 'Old', type: 'text' }];
  expect(planCollection(wanted, { id, fields: before }, { id, validator: wanted.validator, indexed })).toEqual([
    { summary: 'Amount of deals changes from text to double: a full run writes it anew', informational: true },
    { summary: 'documents of deals get the field AccountId', newField: 'AccountId' },
    { summary: 'field Old no longer arrives; Old is kept', informational: true },
  ]);
});
