import {
  type Comparison,
  type FieldSchema,
  type FieldType,
  type FieldValue,
  newRow,
  RequestRefusedError,
  type Rows,
  type RowsField,
  type RowsPage,
  type RowsQuery,
  type RowsSpec,
  type SortedAt,
  type SortField,
  SYSTEM_PREFIX,
  textOf,
  waysBehind,
} from '@tidemark/core';
import { BSON, type Collection, type Db, type Document, type Filter } from 'mongodb';
import { discoverFields } from './discover.ts';
import { guarded } from './errors.ts';
import { formsOf } from './key-forms.ts';
import { isAfter, isBefore } from './key-order.ts';
import { writtenTypes } from './layout.ts';
import type { CollectionPlace } from './rows-place.ts';
import { DELETED } from './shape.ts';
import { openSide } from './side.ts';
import { typesOfValidator } from './validator.ts';
import { canonicalOf, type Decimals, toStored, ValueError } from './values.ts';

export async function openRows(db: Db, spec: RowsSpec, decimals: Decimals): Promise<Rows> {
  const { collection, key } = spec.at as CollectionPlace;
  const documents = db.collection(collection);
  const fields = await fieldsOf(db, documents, spec);
  const names = fields.map(({ name }) => name);
  const types = Object.fromEntries(fields.map(({ name, type }) => [name, type]));
  const side = await openSide(
    db,
    { side: { collection, key, fields: types }, link: null, fields: names, writes: names },
    decimals,
  );
  return new MongodbRows(documents, key, fields, decimals, side.merge.bind(side));
}

/** What the sync says, the validator, the sync that writes it, and else what documents show. Names that mean something else in a condition are left out. */
async function fieldsOf(db: Db, documents: Collection, { at, mentions, watermark }: RowsSpec): Promise<RowsField[]> {
  const { key, fields } = at as CollectionPlace;
  const collection = documents.collectionName;
  const [found] = await guarded(() => db.listCollections({ name: collection }).toArray());
  const { types, required } = typesOfValidator((found as { options?: { validator?: Document } } | undefined)?.options?.validator);
  const [shown, written] = await Promise.all([discoverFields(documents, new Map()), writtenTypes(db, collection)]);
  const all = new Map<string, FieldType>([
    [key, 'text'],
    ...mentions.map((name): [string, FieldType] => [name, 'json']),
    ...(watermark === null ? [] : [[watermark, 'datetime'] as [string, FieldType]]),
    ...shown.map(({ name, type }): [string, FieldType] => [name, type]),
    ...written,
    ...types,
    ...Object.entries(fields),
  ]);
  return [...all]
    .filter(([name]) => !name.includes('.') && !name.startsWith('$') && !name.startsWith(SYSTEM_PREFIX))
    .map(([name, type]) => {
      // A document without an _id is given one, and keeps it.
      const isGiven = name === '_id';
      const isRequired = required.has(name) || name === key;
      return { name, type, nullable: !isRequired, writable: !isGiven || name === key, required: isRequired && !isGiven };
    });
}

class MongodbRows implements Rows {
  readonly schema: Rows['schema'];
  readonly merge: NonNullable<Rows['merge']>;
  readonly #documents: Collection;
  readonly #decimals: Decimals;

  constructor(
    documents: Collection,
    key: string,
    fields: readonly RowsField[],
    decimals: Decimals,
    merge: NonNullable<Rows['merge']>,
  ) {
    this.schema = { name: documents.collectionName, key: [key], fields };
    this.merge = merge;
    this.#documents = documents;
    this.#decimals = decimals;
  }

  async page({ where, sort, fields, after, limit }: RowsQuery): Promise<RowsPage> {
    const conditions = where.map((comparison) => this.#condition(comparison));
    if (after !== null) conditions.push(behind(sort, positionOf(after, sort.length)));
    const wanted = new Set([...fields, ...sort.map(({ field }) => field)]);
    const projection = { _id: 0, ...Object.fromEntries([...wanted].map((name) => [name, 1])) };
    const found = await guarded(() =>
      this.#documents
        .find({ $and: [{ [DELETED]: null }, ...conditions] }, { projection, promoteLongs: false })
        .sort(Object.fromEntries(sort.map(({ field, descending }) => [field, descending ? -1 : 1])))
        .limit(limit + 1)
        .toArray(),
    );
    const columns = fields.map((name) => this.#field(name));
    const last = found.length > limit ? found[limit - 1]! : null;
    return {
      rows: found.slice(0, limit).map((document) => {
        const row = newRow();
        for (const field of columns) row[field.name] = canonicalOf(field, document[field.name]);
        return row;
      }),
      next: last === null ? null : encode(sort.map(({ field }) => last[field] ?? null)),
    };
  }

  #condition(comparison: Comparison): Filter<Document> {
    const { field: name } = comparison;
    const field = this.#field(name);
    switch (comparison.is) {
      case 'null':
        return { [name]: null };
      case 'notNull':
        return { [name]: { $ne: null } };
      case 'in':
        return { [name]: { $in: comparison.values.flatMap((value) => this.#formsOf(field, value)) } };
      case 'eq':
        return { [name]: { $in: this.#formsOf(field, comparison.value) } };
      case 'ne':
        return { [name]: { $nin: this.#formsOf(field, comparison.value) } };
      case 'starts':
      case 'contains':
        return { [name]: { $regex: `${comparison.is === 'starts' ? '^' : ''}${literal(String(comparison.value))}` } };
      default: {
        const operator = `$${comparison.is}`;
        return { $or: this.#formsOf(field, comparison.value).map((form) => ({ [name]: { [operator]: form } })) };
      }
    }
  }

  /** What a document may hold that reads as this value: an id is told as a text. */
  #formsOf(field: FieldSchema, value: NonNullable<FieldValue>): unknown[] {
    try {
      const stored = toStored(field, value, this.#decimals);
      return field.type === 'text' ? formsOf(textOf(value)!) : [stored];
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      throw new RequestRefusedError(error.message, { hint: 'compare it with such a value' });
    }
  }

  #field(name: string): RowsField {
    return this.schema.fields.find((field) => field.name === name)!;
  }
}

/** A pattern that means nothing but the text. */
export function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/** Null, which is also what a field is that a document does not have, sorts before every value. */
function behind(sort: readonly SortField[], position: readonly unknown[]): Filter<Document> {
  const equal = ({ field, value }: SortedAt<unknown>): Filter<Document> => ({ [field]: { $eq: value } });
  const past = ({ field, descending, value }: SortedAt<unknown>): Filter<Document> => {
    if (value === null) return descending ? { $nor: [{}] } : { [field]: { $ne: null } };
    return descending ? { $or: [isBefore(field, value), { [field]: null }] } : isAfter(field, value);
  };
  return { $or: waysBehind(sort, position).map((way) => ({ $and: [...way.equal.map(equal), past(way.past)] })) };
}

function encode(values: readonly unknown[]): string {
  return BSON.EJSON.stringify(values, { relaxed: false });
}

/** @throws {RequestRefusedError} it is none of ours */
function positionOf(after: string, length: number): readonly unknown[] {
  try {
    const values: unknown = BSON.EJSON.parse(after, { relaxed: false });
    if (Array.isArray(values) && values.length === length) return values;
  } catch {
    // Told below.
  }
  throw new RequestRefusedError('this is no position in such a list', { hint: 'begin again without it' });
}
