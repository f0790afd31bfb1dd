import type { Filter } from 'mongodb';
import { Binary, type BSON, Decimal128, Double, Int32, Long, ObjectId } from 'mongodb';

/**
 * MongoDB sorts values of different types by their types, and `$gt` finds none of another type: what comes after a value is what is
 * greater among its own, and every value of a later type. In that order:
 * @see MongoDB manual, "Comparison/Sort Order"
 */
const ORDER = ['number', 'string', 'object', 'array', 'binData', 'objectId', 'bool', 'date', 'timestamp'] as const;

export function isAfter(field: string, value: unknown): Filter<BSON.Document> {
  const later = ORDER.slice(ORDER.indexOf(typeOf(value)) + 1);
  const greater = { [field]: { $gt: value } };
  return later.length === 0 ? greater : { $or: [greater, { [field]: { $type: [...later] } }] };
}

/** What comes before it: what is less among its own, and every value of an earlier type. */
export function isBefore(field: string, value: unknown): Filter<BSON.Document> {
  const earlier = ORDER.slice(0, ORDER.indexOf(typeOf(value)));
  const less = { [field]: { $lt: value } };
  return earlier.length === 0 ? less : { $or: [less, { [field]: { $type: [...earlier] } }] };
}

function typeOf(value: unknown): (typeof ORDER)[number] {
  if (typeof value === 'number' || value instanceof Double || value instanceof Int32 || value instanceof Decimal128)
    return 'number';
  if (Long.isLong(value)) return 'number';
  if (typeof value === 'string') return 'string';
  if (value instanceof ObjectId) return 'objectId';
  if (value instanceof Binary) return 'binData';
  if (typeof value === 'boolean') return 'bool';
  if (value instanceof Date) return 'date';
  return Array.isArray(value) ? 'array' : 'object';
}
