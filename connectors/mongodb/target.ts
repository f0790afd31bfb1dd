import {
  type Change,
  type Clock,
  type Commit,
  decide,
  type FieldSchema,
  newRow,
  type Row,
  type SchemaChange,
  type StoredRow,
  type Target,
  type TargetSpec,
  TransientError,
  textOf,
  type WriteResult,
} from '@tidemark/core';
import {
  type AnyBulkWriteOperation,
  type Collection,
  type Db,
  type Document,
  MongoBulkWriteError,
  type WriteError,
} from 'mongodb';
import type { MongodbTo } from './config.ts';
import { guarded } from './errors.ts';
import { placesOf } from './places.ts';
import { type Decimals, fromStored, toStored, ValueError } from './values.ts';

/** What a document holds beside its fields. Its `_id` is the record's key. */
const STAMP = '_tidemark_stamp';
const DELETED = '_tidemark_deleted_at';
/** Which collections we write, and where their fields went. */
const COLLECTIONS = '_tidemark_collections';

/** Somebody else writes the same documents: after so many rounds the batch is left for later. */
const ROUNDS_MAX = 8;
const DUPLICATE_KEY = 11000;

interface Doc extends Document {
  _id: string;
}

/** A change that is still to be written. */
interface Open {
  readonly i: number;
  readonly change: Change;
  /** A unique index that has refused its document. */
  readonly taken?: WriteError;
}

interface Known {
  _id: string;
  fields: { readonly name: string; readonly place: string; readonly type: string }[];
}

/**
 * Writes documents by `_id`. A batch is read, compared here and written with the condition that each document still has the stamp
 * with which it was read, so that neither a former owner nor a delayed batch puts old over new (P3). There is no transaction around
 * it: the checkpoint is kept by the store, after the data (P1).
 */
export class MongodbTarget implements Target {
  readonly batchSizeMax = 1000;
  readonly compares = true;
  readonly #db: Db;
  readonly #spec: TargetSpec<MongodbTo>;
  readonly #clock: Clock;
  readonly #decimals: Decimals;
  readonly #documents: Collection<Doc>;
  #places: ReadonlyMap<string, string> | null = null;

  constructor(db: Db, spec: TargetSpec<MongodbTo>, clock: Clock, decimals: Decimals) {
    this.#db = db;
    this.#spec = spec;
    this.#clock = clock;
    this.#decimals = decimals;
    this.#documents = db.collection<Doc>(spec.to.collection, { ignoreUndefined: false });
  }

  async plan(): Promise<readonly SchemaChange[]> {
    const { schema, to } = this.#spec;
    const known = await this.#known();
    const places = placesOf(schema, placesOfKnown(known));
    if (known === null)
      return [{ summary: `write the collection ${to.collection}, ${schema.fields.length} fields` }, ...this.#indexes(places)];
    const added = schema.fields.filter(({ name }) => !known.fields.some((field) => field.name === name));
    const gone = known.fields.filter(({ name }) => !schema.fields.some((field) => field.name === name));
    return [
      ...added.map(({ name }) => ({
        summary: `documents of ${to.collection} get the field ${places.get(name)}`,
        newField: name,
      })),
      ...gone.map(({ name, place }) => ({ summary: `field ${name} no longer arrives; ${place} is kept`, informational: true })),
    ];
  }

  async prepare(): Promise<readonly SchemaChange[]> {
    const changes = await this.plan();
    const { schema, to } = this.#spec;
    const known = await this.#known();
    const places = placesOf(schema, placesOfKnown(known));
    const arriving = schema.fields.map(({ name, type }) => ({ name, place: places.get(name)!, type }));
    const kept = known?.fields.filter(({ name }) => !places.has(name)) ?? [];
    await guarded(async () => {
      for (const { name } of schema.fields.filter(({ reference }) => reference))
        await this.#documents.createIndex({ [places.get(name)!]: 1 });
      const collections = this.#db.collection<Known>(COLLECTIONS);
      const replace = () => collections.replaceOne({ _id: to.collection }, { fields: [...kept, ...arriving] }, { upsert: true });
      // Two that make it at once: one of them is refused, and finds it there then.
      await replace().catch((error) => (error?.code === DUPLICATE_KEY ? replace() : Promise.reject(error)));
    });
    this.#places = places;
    return changes;
  }

  async write(changes: readonly Change[], commit: Commit, signal: AbortSignal): Promise<readonly WriteResult[]> {
    signal.throwIfAborted();
    const places = await this.#placed();
    const results: WriteResult[] = changes.map(() => ({ status: 'unchanged' }));
    let open: Open[] = [];
    for (const [i, change] of changes.entries()) {
      const normalised = this.#normalised(change);
      if ('op' in normalised) open.push({ i, change: normalised });
      else results[i] = normalised;
    }
    for (let round = 0; open.length > 0; round++) {
      if (round === ROUNDS_MAX)
        throw new TransientError(`documents of ${this.#spec.to.collection} are changed by somebody else all the time`);
      signal.throwIfAborted();
      open = await this.#writeOnce(open, results, places, round > 0);
    }
    await commit.settle(results);
    return results;
  }

  async read(keys: readonly string[]): Promise<ReadonlyMap<string, Row>> {
    const rows = new Map<string, Row>();
    for (const [key, { row, deletedAtMs }] of await this.#stored(keys, await this.#placed())) {
      if (deletedAtMs === null) rows.set(key, row);
    }
    return rows;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** Answers those whose documents may have been changed by somebody else in between: they are decided anew. */
  async #writeOnce(
    open: readonly Open[],
    results: WriteResult[],
    places: ReadonlyMap<string, string>,
    isAgain: boolean,
  ): Promise<Open[]> {
    const stored = await this.#stored(
      open.map(({ change }) => change.key),
      places,
    );
    const operations: AnyBulkWriteOperation<Doc>[] = [];
    const writers: Open[] = [];
    for (const each of open) {
      const { i, change, taken } = each;
      const before = stored.get(change.key);
      if (taken !== undefined && before === undefined) {
        results[i] = rejected(taken);
        continue;
      }
      const { status, next } = decide(before, change, this.#spec.schema.fields, this.#spec.deletes, this.#clock.now());
      // What an earlier round has written, and only its answer was uncertain, is not unchanged.
      if (!isAgain || status !== 'unchanged') results[i] = { status };
      if (next === undefined) continue;
      operations.push(this.#operation(change.key, before, next, places));
      writers.push(each);
    }
    if (operations.length === 0) return [];
    const { done, errors } = await this.#bulk(operations);
    const again: Open[] = [];
    for (const error of errors) {
      const writer = writers[error.index]!;
      // The document came into being meanwhile, or another unique index refuses it: the next look tells.
      if (error.code === DUPLICATE_KEY && !stored.has(writer.change.key)) again.push({ ...writer, taken: error });
      else results[writer.i] = rejected(error);
    }
    if (done + errors.length === operations.length) return again;
    const told = new Set(errors.map(({ index }) => index));
    return [...again, ...writers.filter((_, index) => !told.has(index))];
  }

  async #bulk(operations: AnyBulkWriteOperation<Doc>[]): Promise<{ done: number; errors: readonly WriteError[] }> {
    return guarded(async () => {
      try {
        const { insertedCount, matchedCount, deletedCount } = await this.#documents.bulkWrite(operations, { ordered: false });
        return { done: insertedCount + matchedCount + deletedCount, errors: [] };
      } catch (error) {
        if (!(error instanceof MongoBulkWriteError) || error.code === undefined) throw error;
        const errors = [error.writeErrors].flat() as WriteError[];
        if (errors.length === 0) throw error;
        const { insertedCount, matchedCount, deletedCount } = error;
        return { done: insertedCount + matchedCount + deletedCount, errors };
      }
    });
  }

  #operation(
    key: string,
    before: StoredRow | undefined,
    next: StoredRow | null,
    places: ReadonlyMap<string, string>,
  ): AnyBulkWriteOperation<Doc> {
    if (before === undefined)
      return { insertOne: { document: { _id: key, ...this.#fields(next!.row, places), ...marksOf(next!) } } };
    const filter = { _id: key, [STAMP]: before.stampMs === null ? { $exists: false } : new Date(before.stampMs) };
    if (next === null) return { deleteOne: { filter } };
    const changed = this.#spec.schema.fields.filter(({ name }) => textOf(before.row[name]) !== textOf(next.row[name]));
    const set = { ...this.#fields(next.row, places, changed), [STAMP]: new Date(next.stampMs ?? 0) };
    return next.deletedAtMs === null
      ? { updateOne: { filter, update: { $set: set, $unset: { [DELETED]: '' } } } }
      : { updateOne: { filter, update: { $set: { ...set, ...marksOf(next) } } } };
  }

  #fields(row: Row, places: ReadonlyMap<string, string>, fields: readonly FieldSchema[] = this.#spec.schema.fields): Document {
    return Object.fromEntries(fields.map((field) => [places.get(field.name)!, toStored(field, row[field.name], this.#decimals)]));
  }

  /** As the document will hold it, so that what was written is recognised; or why it cannot. */
  #normalised(change: Change): Change | (WriteResult & { status: 'rejected' }) {
    if (change.row === null) return change;
    const row = newRow();
    try {
      for (const field of this.#spec.schema.fields) {
        row[field.name] = fromStored(field, toStored(field, change.row[field.name], this.#decimals));
      }
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      return { status: 'rejected', reason: { code: 'datatype_mismatch', message: error.message } };
    }
    return { ...change, row };
  }

  async #stored(keys: readonly string[], places: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, StoredRow>> {
    const found = await guarded(() => this.#documents.find({ _id: { $in: [...keys] } }).toArray());
    return new Map(
      found.map((document) => {
        const row = newRow();
        for (const field of this.#spec.schema.fields) row[field.name] = fromStored(field, document[places.get(field.name)!]);
        return [document._id, { row, stampMs: msOf(document[STAMP]), deletedAtMs: msOf(document[DELETED]) }];
      }),
    );
  }

  async #placed(): Promise<ReadonlyMap<string, string>> {
    this.#places ??= placesOf(this.#spec.schema, placesOfKnown(await this.#known()));
    return this.#places;
  }

  #known(): Promise<Known | null> {
    return guarded(() => this.#db.collection<Known>(COLLECTIONS).findOne({ _id: this.#spec.to.collection }));
  }

  #indexes(places: ReadonlyMap<string, string>): SchemaChange[] {
    return this.#spec.schema.fields
      .filter(({ reference }) => reference)
      .map(({ name }) => ({ summary: `index ${places.get(name)} of ${this.#spec.to.collection}` }));
  }
}

function placesOfKnown(known: Known | null): ReadonlyMap<string, string> {
  return new Map(known?.fields.map(({ name, place }) => [name, place]));
}

function marksOf({ stampMs, deletedAtMs }: StoredRow): Document {
  return { [STAMP]: new Date(stampMs ?? 0), ...(deletedAtMs === null ? {} : { [DELETED]: new Date(deletedAtMs) }) };
}

function msOf(date: unknown): number | null {
  return date instanceof Date ? date.getTime() : null;
}

function rejected({ code, errmsg }: WriteError): WriteResult {
  return { status: 'rejected', reason: { code: String(code), message: errmsg ?? 'the server refuses the document' } };
}
