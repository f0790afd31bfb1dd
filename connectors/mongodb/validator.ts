import type { FieldSchema } from '@tidemark/core';
import type { Document } from 'mongodb';
import type { Decimals } from './values.ts';

/** What a validator says of one field, as `toStored` keeps it. JSON may be anything. */
export function bsonTypes({ type }: Pick<FieldSchema, 'type'>, decimals: Decimals): readonly string[] | null {
  switch (type) {
    case 'boolean':
      return ['bool'];
    case 'integer':
      return ['int', 'long'];
    case 'double':
      return ['double'];
    case 'decimal':
      return decimals === 'decimal128' ? ['decimal'] : ['double', 'string'];
    case 'datetime':
      return ['date'];
    case 'bytes':
      return ['binData'];
    case 'json':
      return null;
    default:
      return ['string'];
  }
}

/**
 * The `$jsonSchema` of a collection. Fields of others are left alone, and ours may be absent: only what stands in them has to be of
 * their types.
 */
export function validatorOf(fields: readonly (FieldSchema & { readonly place: string })[], decimals: Decimals): Document {
  const properties: Document = {};
  for (const field of fields) {
    const types = bsonTypes(field, decimals);
    if (types === null) continue;
    const length = field.type === 'text' && field.length !== undefined ? { maxLength: field.length } : {};
    properties[field.place] = { bsonType: [...types, 'null'], ...length };
  }
  return { $jsonSchema: { bsonType: 'object', properties } };
}
