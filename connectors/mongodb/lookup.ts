import {
  type FieldSchema,
  type FieldType,
  type FieldValue,
  type Found,
  type Lookup,
  type LookupSpec,
  newRow,
  RequestRefusedError,
  type Row,
  textOf,
} from '@tidemark/core';
import type { Collection, Db, Document } from 'mongodb';
import type { MongodbLookup } from './config.ts';
import { discoverFields } from './discover.ts';
import { guarded } from './errors.ts';
import { formsOfValue } from './key-forms.ts';
import { canonicalOf, type Decimals } from './values.ts';

/** Finds documents of a collection by one field; whatever it is kept as, texts and numbers that read alike are one. */
export async function openLookup(
  db: Db,
  { lookup, key, fields }: LookupSpec<MongodbLookup>,
  decimals: Decimals,
): Promise<Lookup> {
  const documents = db.collection(lookup.collection);
  const found = await discoverFields(documents, new Map(Object.entries(lookup.types ?? {})));
  const known = new Map(found.map((field) => [field.name, field]));
  const wanted = [...new Set([key, ...fields])].map((name) => {
    const field = known.get(name);
    if (field !== undefined && !name.includes('.') && !name.startsWith('$')) return field;
    throw new RequestRefusedError(`no document that was looked at in ${lookup.collection} has a field ${name}`, {
      hint: `They have: ${[...known.keys()].join(', ') || 'none'}. Of fields that few have, say the types: types: { ${key}: text, … }`,
    });
  });
  return new CollectionLookup(documents, wanted[0]!, wanted, decimals);
}

class CollectionLookup implements Lookup {
  readonly valuesMax = 1000;
  readonly types: ReadonlyMap<string, FieldType>;
  readonly #documents: Collection;
  readonly #key: FieldSchema;
  readonly #wanted: readonly FieldSchema[];
  readonly #decimals: Decimals;

  constructor(documents: Collection, key: FieldSchema, wanted: readonly FieldSchema[], decimals: Decimals) {
    this.#documents = documents;
    this.#key = key;
    this.#wanted = wanted;
    this.#decimals = decimals;
    this.types = new Map(wanted.map(({ name, type }) => [name, type]));
  }

  async find(values: readonly FieldValue[]): Promise<ReadonlyMap<string, Found>> {
    const forms: unknown[] = [];
    /** As documents tell what they hold, and as it was asked for. */
    const asked = new Map<string, Set<string>>();
    for (const value of values) {
      for (const form of formsOfValue(this.#key, value, this.#decimals)) {
        forms.push(form);
        const told = this.#told(form);
        asked.set(told, (asked.get(told) ?? new Set()).add(textOf(value)!));
      }
    }
    const found = new Map<string, Row[]>();
    for (const document of await this.#read(forms)) {
      const row = newRow();
      for (const field of this.#wanted) row[field.name] = canonicalOf(field, document[field.name]);
      for (const text of asked.get(this.#told(document[this.#key.name])) ?? []) {
        found.set(text, [...(found.get(text) ?? []), row]);
      }
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #read(forms: readonly unknown[]): Promise<Document[]> {
    const projection = Object.fromEntries(this.#wanted.map(({ name }) => [name, 1]));
    const options = { projection, promoteLongs: false };
    return guarded(() =>
      this.#documents
        .find({ [this.#key.name]: { $in: [...forms] } }, options)
        .sort({ _id: 1 })
        .toArray(),
    );
  }

  #told(stored: unknown): string {
    return textOf(canonicalOf(this.#key, stored)) ?? '';
  }
}
