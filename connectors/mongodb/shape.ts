import { type DatasetSchema, type FieldSchema, newRow, type Row, type StoredRow } from '@tidemark/core';
import type { Document } from 'mongodb';
import { type Decimals, fromStored, toStored } from './values.ts';

/** What a document holds beside its fields. Its `_id` is the record's key. */
export const STAMP = '_tidemark_stamp';
export const DELETED = '_tidemark_deleted_at';

export interface Doc extends Document {
  _id: string;
}

/** How the rows of one sync lie in documents. */
export class DocumentShape {
  readonly schema: DatasetSchema;
  /** Where each field is kept. */
  readonly places: ReadonlyMap<string, string>;
  readonly #decimals: Decimals;

  constructor(schema: DatasetSchema, places: ReadonlyMap<string, string>, decimals: Decimals) {
    this.schema = schema;
    this.places = places;
    this.#decimals = decimals;
  }

  /** @throws {ValueError} */
  document(key: string, { row, stampMs, deletedAtMs }: StoredRow): Doc {
    return { _id: key, ...this.fields(row), ...marks(stampMs, deletedAtMs) };
  }

  /** @throws {ValueError} */
  fields(row: Row, fields: readonly FieldSchema[] = this.schema.fields): Document {
    const document: Document = newRow();
    for (const field of fields) document[this.places.get(field.name)!] = toStored(field, row[field.name], this.#decimals);
    return document;
  }

  stored(document: Document): StoredRow {
    const row = newRow();
    for (const field of this.schema.fields) row[field.name] = fromStored(field, document[this.places.get(field.name)!]);
    return { row, stampMs: msOf(document[STAMP]), deletedAtMs: msOf(document[DELETED]) };
  }

  /** A row as its document will hold it, so that what was written is recognised. @throws {ValueError} it cannot */
  normalised(row: Row): Row {
    return this.stored(this.fields(row)).row;
  }
}

export function marks(stampMs: number | null, deletedAtMs: number | null): Document {
  return { [STAMP]: new Date(stampMs ?? 0), ...(deletedAtMs === null ? {} : { [DELETED]: new Date(deletedAtMs) }) };
}

export function msOf(date: unknown): number | null {
  return date instanceof Date ? date.getTime() : null;
}
