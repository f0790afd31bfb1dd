import type { FieldSchema, FieldType } from '@tidemark/core';
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

const fieldTypes: Readonly<Record<string, FieldType>> = {
  bool: 'boolean',
  int: 'integer',
  long: 'integer',
  double: 'double',
  decimal: 'decimal',
  date: 'datetime',
  binData: 'bytes',
  string: 'text',
  objectId: 'text',
};

/** The other way round, of a validator that anybody may have made: fields whose type it says, and those that a document must have. */
export function typesOfValidator(validator: Document | undefined): {
  readonly types: ReadonlyMap<string, FieldType>;
  readonly required: ReadonlySet<string>;
} {
  const { properties = {}, required = [] } = (validator?.$jsonSchema ?? {}) as Document;
  const types = new Map<string, FieldType>();
  for (const [name, { bsonType }] of Object.entries(properties as Record<string, Document>)) {
    const told = new Set([bsonType ?? []].flat().map((each: string) => fieldTypes[each]));
    told.delete(undefined);
    const [type] = told;
    // A decimal that a double cannot hold is kept as a text.
    if (told.size === 2 && told.has('double') && told.has('text')) types.set(name, 'decimal');
    else if (type !== undefined) types.set(name, told.size === 1 ? type : 'json');
  }
  return { types, required: new Set(required as string[]) };
}
