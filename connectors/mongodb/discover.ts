import type { FieldSchema, FieldType } from '@tidemark/core';
import { Binary, type Collection, Decimal128, type Document, Long, ObjectId } from 'mongodb';
import { guarded } from './errors.ts';

/** Documents that are looked at from either end. */
const LOOKED_AT = 500;

/** Fields of a collection by what its oldest and newest documents hold: a collection has no schema to be asked for. */
export async function discoverFields(documents: Collection, declared: ReadonlyMap<string, FieldType>): Promise<FieldSchema[]> {
  const types = new Map(declared);
  if (declared.size > 0) return [...types].map(([name, type]) => ({ name, type, nullable: true }));
  const ends = [1, -1] as const;
  const found = await guarded(() =>
    Promise.all(ends.map((direction) => documents.find().sort({ _id: direction }).limit(LOOKED_AT).toArray())),
  );
  for (const document of found.flat()) for (const [name, value] of Object.entries(document)) add(types, name, value);
  return [...types].map(([name, type]) => ({ name, type, nullable: true }));
}

function add(types: Map<string, FieldType>, name: string, value: unknown): void {
  if (name.startsWith('_tidemark_') || value === null || value === undefined) return;
  const type = typeOf(value);
  const before = types.get(name);
  types.set(name, before === undefined || before === type ? type : together(before, type));
}

/** Of a field that holds both. */
function together(a: FieldType, b: FieldType): FieldType {
  const both = new Set([a, b]);
  const numbers: readonly FieldType[] = ['integer', 'double', 'decimal'];
  if (numbers.includes(a) && numbers.includes(b)) return both.has('decimal') ? 'decimal' : 'double';
  return both.has('json') ? 'json' : 'text';
}

function typeOf(value: NonNullable<Document[string]>): FieldType {
  if (typeof value === 'string' || value instanceof ObjectId) return 'text';
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'double';
  if (Long.isLong(value)) return 'integer';
  if (value instanceof Decimal128) return 'decimal';
  if (value instanceof Date) return 'datetime';
  return value instanceof Binary ? 'bytes' : 'json';
}
