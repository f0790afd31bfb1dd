import {
  type Batch,
  blockOfRows,
  type Change,
  CheckpointExpiredError,
  type DatasetSchema,
  type FieldSchema,
  NO_STAMP,
  newRow,
  type Page,
  RequestRefusedError,
  type Row,
  type Source,
  type SourceSpec,
  textOf,
} from '@tidemark/core';
import { BSON, type Collection, type Db, type Document, type Filter } from 'mongodb';
import type { MongodbFrom } from './config.ts';
import { discoverFields } from './discover.ts';
import { guarded } from './errors.ts';
import { formsOf } from './key-forms.ts';
import { isAfter } from './key-order.ts';
import { canonicalOf } from './values.ts';

const PAGE = 2000;
const KEYS_IN_A_QUERY = 1000;
/** Clocks of programs differ, and what one of them has stamped is there a little later. */
const OVERLAP_MS = 60_000;

/** @throws {RequestRefusedError} an unknown field, or a filter that is none */
export async function openSource(db: Db, spec: SourceSpec<MongodbFrom>): Promise<Source> {
  const { from } = spec;
  const documents = db.collection(from.collection);
  const found = await discoverFields(documents, new Map(Object.entries(from.fields ?? {})));
  const needed = [from.key, ...(from.watermark === undefined ? [] : [from.watermark])];
  const missing: FieldSchema[] = needed
    .filter((name) => !found.some((field) => field.name === name))
    .map((name) => ({ name, type: name === from.watermark ? 'datetime' : 'text', nullable: true }));
  const all = [...missing, ...found];
  const unknown = spec.fields?.find((name) => !all.some((field) => field.name === name));
  if (unknown !== undefined) {
    throw new RequestRefusedError(`No document of ${from.collection} that was looked at has a field ${unknown}`, {
      hint: `They have: ${all.map(({ name }) => name).join(', ')}. What only some have is declared in from: as fields:.`,
    });
  }
  const fields = all
    .filter(
      ({ name }) =>
        needed.includes(name) || (!spec.exclude.includes(name) && (spec.fields === null || spec.fields.includes(name))),
    )
    .map((field) => ({ ...field, nullable: field.name !== from.key }));
  const streams = from.key === '_id' && (await hasChangeStreams(db));
  const schema = { name: from.collection, key: [from.key], fields };
  return new MongodbSource(documents, spec, schema, `mongodb:${db.databaseName}`, streams);
}

/** Members of a replica set have an oplog, and a cluster's routers tell of theirs. */
async function hasChangeStreams(db: Db): Promise<boolean> {
  const { setName, msg } = await guarded(() => db.command({ hello: 1 }));
  return setName !== undefined || msg === 'isdbgrid';
}

/**
 * Reads a collection by its key, and changes by a watermark. Nothing tells of deleted documents but a full run.
 *
 * P1 rests on the watermark: a program that sets it from a clock that is more than the overlap behind, or keeps a transaction open
 * for longer, writes what a delta does not find. A full run does.
 */
class MongodbSource implements Source {
  readonly schema: DatasetSchema;
  readonly origin: string;
  readonly stampField?: string;
  /** An event names a document by its _id and by nothing else. */
  readonly streamDataset?: string;
  readonly readDelta?: NonNullable<Source['readDelta']>;
  readonly warnings: NonNullable<Source['warnings']>;
  readonly #documents: Collection;
  readonly #key: string;
  readonly #watermark: string | undefined;
  readonly #overlapMs: number;
  readonly #where: Filter<Document>;
  readonly #projection: { readonly [name: string]: 0 | 1 };

  constructor(documents: Collection, spec: SourceSpec<MongodbFrom>, schema: DatasetSchema, origin: string, streams: boolean) {
    const { key, watermark } = spec.from;
    this.schema = schema;
    this.origin = origin;
    if (streams) this.streamDataset = spec.from.collection;
    this.#documents = documents;
    this.#key = key;
    this.#watermark = watermark;
    this.#overlapMs = spec.overlapMs ?? OVERLAP_MS;
    const isDatetime = schema.fields.find(({ name }) => name === watermark)?.type === 'datetime';
    if (watermark !== undefined && isDatetime) this.stampField = watermark;
    this.#where = { $and: [whereOf(spec.where), startOf(spec.startAtMs, isDatetime ? watermark : undefined)] };
    // A name may hold what a projection takes for a path.
    const plain = schema.fields.every(({ name }) => !/^\$|\./.test(name));
    this.#projection = plain ? { _id: 0, ...Object.fromEntries(schema.fields.map(({ name }) => [name, 1 as const])) } : {};
    if (watermark !== undefined) this.readDelta = (from, signal) => this.#readDelta(from, signal);
    this.warnings =
      watermark === undefined
        ? []
        : [
            {
              message: `a document whose ${watermark} is set by a clock that is behind, or that commits later than that, is found by a full run only`,
              hint: 'Give the sync full: with every: or cron:, and overlap: as long as such a transaction takes.',
            },
          ];
  }

  async estimate(): Promise<number> {
    return guarded(() => this.#documents.countDocuments(this.#where));
  }

  async mark(): Promise<string | null> {
    const watermark = this.#watermark;
    if (watermark === undefined) return null;
    const filter = { $and: [this.#where, { [watermark]: { $ne: null } }] };
    const [newest] = await guarded(() =>
      this.#documents
        .find(filter)
        .sort({ [watermark]: -1 })
        .limit(1)
        .toArray(),
    );
    return encode(newest?.[watermark] ?? null);
  }

  async *readFull(resume: string | null, signal: AbortSignal): AsyncIterable<Page> {
    let after = resume === null ? undefined : decode(resume);
    await this.#refuseWithoutKey();
    for (;;) {
      signal.throwIfAborted();
      const beyond = after === undefined ? {} : isAfter(this.#key, after);
      const found = await this.#find({ $and: [this.#where, beyond] }, { [this.#key]: 1 }, PAGE);
      if (found.length === 0) return;
      after = found.at(-1)![this.#key];
      yield {
        position: encode(after),
        announced: null,
        blocks: blocksOf(
          found.map((document) => this.#row(document)),
          this.schema,
        ),
      };
    }
  }

  async *#readDelta(from: string, signal: AbortSignal): AsyncIterable<Batch> {
    const [watermark, key] = [this.#watermark!, this.#key];
    const bound = decode(from);
    const since = bound instanceof Date ? new Date(bound.getTime() - this.#overlapMs) : bound;
    // A document without a watermark is read in full runs only: nothing says when it changed.
    const window: Filter<Document> = since === null ? { [watermark]: { $ne: null } } : { [watermark]: { $gte: since } };
    await this.#refuseWithoutKey(window);
    let beyond: Filter<Document> = {};
    for (;;) {
      signal.throwIfAborted();
      const found = await this.#find({ $and: [this.#where, window, beyond] }, { [watermark]: 1, [key]: 1 }, PAGE);
      const last = found.at(-1);
      if (last === undefined) return;
      const at = last[watermark];
      yield { changes: found.map((document) => this.#change(document)), checkpoint: encode(later(bound, at)) };
      if (found.length < PAGE) return;
      beyond = { $or: [isAfter(watermark, at), { $and: [{ [watermark]: at }, isAfter(key, last[key])] }] };
    }
  }

  async readKeys(keys: readonly string[], signal: AbortSignal): Promise<readonly Change[]> {
    const changes: Change[] = [];
    for (let from = 0; from < keys.length; from += KEYS_IN_A_QUERY) {
      signal.throwIfAborted();
      const some = keys.slice(from, from + KEYS_IN_A_QUERY);
      const found = await this.#find({ $and: [this.#where, { [this.#key]: { $in: some.flatMap(formsOf) } }] });
      const byKey = new Map(found.map((document) => [this.#keyOf(document), this.#change(document)]));
      changes.push(...some.map((key): Change => byKey.get(key) ?? { op: 'delete', key, row: null, stampMs: NO_STAMP }));
    }
    return changes;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #find(filter: Filter<Document>, sort: { readonly [field: string]: 1 } = {}, limit = 0): Promise<Document[]> {
    return guarded(() =>
      this.#documents
        .find(filter, { projection: this.#projection, promoteLongs: false })
        .sort({ ...sort })
        .limit(limit)
        .toArray(),
    );
  }

  async #refuseWithoutKey(window: Filter<Document> = {}): Promise<void> {
    if (this.#key === '_id') return;
    const lacking = await guarded(() => this.#documents.findOne({ $and: [this.#where, window, { [this.#key]: null }] }));
    if (lacking === null) return;
    throw new RequestRefusedError(`${this.schema.name} has documents without ${this.#key}, which is to be their key`, {
      hint: 'Choose another key, or leave them out with where:.',
    });
  }

  #row(document: Document): Row {
    const row = newRow();
    for (const field of this.schema.fields) row[field.name] = canonicalOf(field, document[field.name]);
    return row;
  }

  #keyOf(document: Document): string {
    return textOf(canonicalOf(this.schema.fields.find(({ name }) => name === this.#key)!, document[this.#key]))!;
  }

  #change(document: Document): Change {
    const at = this.stampField === undefined ? undefined : document[this.stampField];
    const stampMs = at instanceof Date ? at.getTime() : NO_STAMP;
    return { op: 'upsert', key: this.#keyOf(document), row: this.#row(document), stampMs };
  }
}

async function* blocksOf(rows: readonly Row[], schema: DatasetSchema) {
  yield blockOfRows(rows, schema.fields);
}

/** The overlap is read again and again, and takes no checkpoint back. */
function later(bound: unknown, at: unknown): unknown {
  return bound instanceof Date && at instanceof Date && at < bound ? bound : at;
}

function encode(value: unknown): string {
  return BSON.EJSON.stringify({ at: value }, { relaxed: false });
}

/** @throws {CheckpointExpiredError} it is none of ours */
function decode(position: string): unknown {
  try {
    const { at } = BSON.EJSON.parse(position, { relaxed: false }) as { at?: unknown };
    if (at !== undefined) return at;
  } catch {
    // Told below.
  }
  throw new CheckpointExpiredError('The checkpoint is none of this source as it is configured now', {
    hint: 'Run in full once.',
  });
}

function whereOf(where: string | undefined): Filter<Document> {
  if (where === undefined) return {};
  try {
    const filter: unknown = BSON.EJSON.parse(where);
    if (typeof filter === 'object' && filter !== null && !Array.isArray(filter)) return filter;
  } catch {
    // Told below.
  }
  throw new RequestRefusedError(`where: is no filter of MongoDB: ${where}`, {
    hint: `Write it as JSON, e.g. where: '{"status": "open", "at": {"$gt": {"$date": "2026-01-01T00:00:00Z"}}}'.`,
  });
}

function startOf(startAtMs: number | null, watermark: string | undefined): Filter<Document> {
  if (startAtMs === null) return {};
  if (watermark === undefined) {
    throw new RequestRefusedError('startAt needs a watermark with datetimes', {
      hint: 'Name a watermark, or put the bound into where:.',
    });
  }
  return { [watermark]: { $gte: new Date(startAtMs) } };
}
