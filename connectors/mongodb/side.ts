import {
  type FieldSchema,
  type FieldValue,
  newRow,
  RequestRefusedError,
  type Row,
  type Side,
  type SideResult,
  type SideRow,
  type SideSpec,
  type SideWrite,
  type Source,
  textOf,
} from '@tidemark/core';
import { type Collection, type Db, type Document, type Filter, ObjectId } from 'mongodb';
import type { MongodbSideSpec } from './config.ts';
import { discoverFields } from './discover.ts';
import { guarded, NAMESPACE_NOT_FOUND, rejectionOf } from './errors.ts';
import { formsOf, formsOfValue } from './key-forms.ts';
import { literal } from './rows.ts';
import { openSource } from './source.ts';
import { canonicalOf, type Decimals, toStored, ValueError } from './values.ts';

const KEYS_IN_A_QUERY = 200;
/** Writes under way at once: each has a condition of its own, and only one that is sent alone tells whether it held. */
const WRITES_AT_ONCE = 16;

type Stored = Document & { _id: unknown };

/** One collection as a side of a two-way sync. Nothing is locked: a write has the condition that the document is still as it was read. */
export async function openSide(db: Db, spec: Omit<SideSpec<MongodbSideSpec>, 'unit'>, decimals: Decimals): Promise<Side> {
  const { side, link } = spec;
  const wanted = [...new Set([...spec.fields, ...(link === null ? [] : [link])])];
  const path = wanted.find((name) => name.includes('.') || name.startsWith('$'));
  if (path !== undefined) {
    throw new RequestRefusedError(`the field ${path} of ${side.collection} cannot take part in a two-way sync`, {
      hint: 'A condition on a name with . or $ means something else. Keep the value in a field of another name.',
    });
  }
  const documents = db.collection<Stored>(side.collection);
  const found = await discoverFields(db.collection(side.collection), new Map(Object.entries(side.fields ?? {})));
  const types = new Map(found.map(({ name, type }) => [name, type]));
  const declared = new Set(types.keys());
  // No document may show them yet.
  for (const name of wanted) if (!types.has(name)) types.set(name, 'text');
  const from = { ...side, fields: Object.fromEntries(types) };
  const source = await openSource(db, { from, where: undefined, fields: wanted, exclude: [], startAtMs: null });
  const isUnique = link === null || (await hasUniqueIndex(documents, link));
  return new MongodbSide({ db, documents, source, key: side.key, link, isUnique, declared, decimals });
}

async function hasUniqueIndex(documents: Collection<Stored>, field: string): Promise<boolean> {
  const indexes = await guarded(() => documents.indexes().catch(noCollection));
  return indexes.some(({ key, unique }) => unique === true && Object.keys(key).join() === field);
}

/** What has no document has no index either. */
function noCollection(error: unknown): [] {
  if ((error as { code?: unknown }).code === NAMESPACE_NOT_FOUND) return [];
  throw error;
}

interface SideParts {
  readonly db: Db;
  readonly documents: Collection<Stored>;
  readonly source: Source;
  readonly key: string;
  readonly link: string | null;
  readonly isUnique: boolean;
  /** Fields whose type is known and not only assumed. */
  readonly declared: ReadonlySet<string>;
  readonly decimals: Decimals;
}

class MongodbSide implements Side {
  readonly source: Source;
  readonly link: string | null;
  readonly creates: Side['creates'];
  readonly #parts: SideParts;
  readonly #fields: ReadonlyMap<string, FieldSchema>;

  constructor(parts: SideParts) {
    const { source, link, isUnique, documents } = parts;
    this.#parts = parts;
    this.source = source;
    this.link = link;
    this.#fields = new Map(source.schema.fields.map((field) => [field.name, field]));
    this.creates = isUnique
      ? { ok: true }
      : {
          ok: false,
          message: `the link ${link} of ${documents.collectionName} has no unique index, so that a record could be made twice`,
          hint: `db.${documents.collectionName}.createIndex({ ${JSON.stringify(link)}: 1 }, { unique: true, sparse: true })`,
        };
  }

  async now(): Promise<number> {
    const { localTime } = await guarded(() => this.#parts.db.command({ hello: 1 }));
    return (localTime as Date).getTime();
  }

  async merge(
    keys: readonly string[],
    decide: (rows: ReadonlyMap<string, SideRow>) => Promise<readonly SideWrite[]>,
    signal: AbortSignal,
  ): Promise<readonly SideResult[]> {
    const read = new Map((await this.#read(keys)).map((stored) => [this.#keyOf(stored), stored]));
    const writes = await decide(new Map([...read].map(([key, stored]) => [key, this.#sideRow(stored)])));
    const results: SideResult[] = [];
    for (let at = 0; at < writes.length; at += WRITES_AT_ONCE) {
      signal.throwIfAborted();
      const some = writes.slice(at, at + WRITES_AT_ONCE);
      results.push(...(await Promise.all(some.map((write) => this.#write(write, read)))));
    }
    return results;
  }

  async find(wanted: readonly Row[], _: AbortSignal, caseless?: ReadonlySet<string>): Promise<readonly SideRow[]> {
    const found = new Map<string, SideRow>();
    const filters = wanted.filter((row) => !Object.values(row).includes(null)).map((row) => this.#matching(row, caseless));
    for (let at = 0; at < filters.length; at += KEYS_IN_A_QUERY) {
      const $or = filters.slice(at, at + KEYS_IN_A_QUERY);
      for (const stored of await this.#find({ $or })) {
        const row = this.#sideRow(stored);
        found.set(row.key, row);
      }
    }
    return [...found.values()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source[Symbol.asyncDispose]();
  }

  async #read(keys: readonly string[]): Promise<Stored[]> {
    const found: Stored[] = [];
    for (let at = 0; at < keys.length; at += KEYS_IN_A_QUERY) {
      const forms = keys.slice(at, at + KEYS_IN_A_QUERY).flatMap(formsOf);
      found.push(...(await this.#find({ [this.#parts.key]: { $in: forms } })));
    }
    return found;
  }

  #find(filter: Filter<Document>): Promise<Stored[]> {
    const { documents } = this.#parts;
    return guarded(() => documents.find(filter as Filter<Stored>, { promoteLongs: false }).toArray() as Promise<Stored[]>);
  }

  async #write(write: SideWrite, read: ReadonlyMap<string, Stored>): Promise<SideResult> {
    try {
      return write.op === 'create' ? await this.#create(write.row) : await this.#change(write, read);
    } catch (error) {
      const reason = error instanceof ValueError ? { code: 'datatype_mismatch', message: error.message } : rejectionOf(error);
      if (reason !== null) return { status: 'rejected', reason };
      throw error;
    }
  }

  async #create(row: Row): Promise<SideResult> {
    const { creates } = this;
    if (!creates.ok) return { status: 'rejected', reason: { code: 'cannot_create', message: creates.message } };
    const { key, documents } = this.#parts;
    const made = this.#stored(row);
    if (key !== '_id' && (made[key] ?? null) === null) {
      const message = `a new document of ${documents.collectionName} would have no ${key}: map it, or take _id for the key`;
      return { status: 'rejected', reason: { code: 'key_missing', message } };
    }
    const document = { _id: new ObjectId(), ...made };
    await guarded(() => documents.insertOne(document));
    return { status: 'written', key: this.#keyOf(document) };
  }

  async #change(write: Exclude<SideWrite, { op: 'create' }>, read: ReadonlyMap<string, Stored>): Promise<SideResult> {
    const { documents } = this.#parts;
    // A side that is only written was read by its source, and nothing is known of what it held.
    const stored = read.get(write.key) ?? (await this.#read([write.key]))[0];
    if (stored === undefined) return { status: 'gone' };
    const id = { _id: stored._id } as Filter<Stored>;
    const filter = { $and: [id, ...this.#asRead(stored)] } as Filter<Stored>;
    const done = await guarded(async () => {
      if (write.op === 'delete') return (await documents.deleteOne(filter)).deletedCount;
      return (await documents.updateOne(filter, { $set: this.#stored(write.row) })).matchedCount;
    });
    if (done > 0) return { status: 'written', key: write.key };
    const isThere = await guarded(() => documents.findOne(id, { projection: { _id: 1 } }));
    return { status: isThere === null ? 'gone' : 'moved' };
  }

  /** Every field that took part in the decision, the watermark among them, holds what it held. */
  #asRead(stored: Stored): Filter<Document>[] {
    return [...this.#fields.keys()].map((name) => {
      // Null matches what is absent too, which means the same here.
      return { [name]: { $eq: stored[name] ?? null } };
    });
  }

  #matching(row: Row, caseless?: ReadonlySet<string>): Filter<Document> {
    const { decimals } = this.#parts;
    return Object.fromEntries(
      Object.entries(row).map(([name, value]) => {
        const forms = formsOfValue(this.#fieldFor(name, value), value, decimals);
        return [name, { $in: caseless?.has(name) ? [...forms, inAnyCapitals(textOf(value)!)] : forms }];
      }),
    );
  }

  #stored(row: Row): Document {
    return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, this.#storedValue(name, value)]));
  }

  #storedValue(name: string, value: FieldValue): unknown {
    return toStored(this.#fieldFor(name, value), value, this.#parts.decimals);
  }

  #fieldFor(name: string, value: FieldValue): FieldSchema {
    const field = this.#fields.get(name)!;
    return this.#parts.declared.has(name) ? field : { ...field, type: naturalType(value) };
  }

  #keyOf(stored: Stored): string {
    const { key } = this.#parts;
    return textOf(canonicalOf(this.#fields.get(key)!, stored[key]))!;
  }

  #sideRow(stored: Stored): SideRow {
    const row = newRow();
    for (const field of this.#fields.values()) row[field.name] = canonicalOf(field, stored[field.name]);
    const { stampField } = this.source;
    const at = stampField === undefined ? null : stored[stampField];
    return { key: this.#keyOf(stored), row, atMs: at instanceof Date ? at.getTime() : null };
  }
}

function inAnyCapitals(text: string): RegExp {
  return new RegExp(`^${literal(text)}$`, 'i');
}

/** The type of a field that no document shows yet, by what comes to be written. */
function naturalType(value: FieldValue): FieldSchema['type'] {
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'double';
  return typeof value === 'object' ? 'json' : 'text';
}
