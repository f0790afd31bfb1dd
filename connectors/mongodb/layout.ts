import { type FieldType, RequestRefusedError, type SchemaChange, type TargetSpec } from '@tidemark/core';
import { type Collection, type Db, type Document, MongoServerError } from 'mongodb';
import type { MongodbTo } from './config.ts';
import { DUPLICATE_KEY, guarded, NAMESPACE_EXISTS } from './errors.ts';
import { placesOf } from './places.ts';
import { type FoundCollection, type KnownCollection, planCollection } from './plan-collection.ts';
import { type Doc, DocumentShape } from './shape.ts';
import { validatorOf } from './validator.ts';
import type { Decimals } from './values.ts';

/** Which collections we write, and where their fields went. */
const COLLECTIONS = '_tidemark_collections';

interface Known extends KnownCollection {
  readonly _id: string;
}

/** What the server tells of a collection. */
interface Listed {
  readonly options?: { readonly validator?: Document };
  readonly info?: { readonly uuid?: unknown };
}

/** Another one of the same name has another. A server that gives none tells no more than that it is there. */
function idOf({ info }: Listed): string {
  return info?.uuid === undefined ? 'there' : String(info.uuid);
}

/** A collection that a sync writes: where its fields lie, its indexes, and the validator when one is wished for. */
export class Layout {
  readonly #db: Db;
  readonly #spec: TargetSpec<MongodbTo>;
  readonly #decimals: Decimals;
  #shape: DocumentShape | null = null;
  /** Whether the collection is there, with all that it needs. */
  #isMade = false;

  constructor(db: Db, spec: TargetSpec<MongodbTo>, decimals: Decimals) {
    this.#db = db;
    this.#spec = spec;
    this.#decimals = decimals;
  }

  async plan(): Promise<readonly SchemaChange[]> {
    const { schema, to } = this.#spec;
    const known = await this.#known();
    const places = placesOf(schema, placesOfKnown(known));
    const wanted = { name: to.collection, schema, places, indexed: this.#indexed(places), validator: this.#validator(places) };
    return planCollection(wanted, known, await this.#found());
  }

  /** Notes where fields go. A collection that is not there comes with its first documents: a load can then become it as a whole. */
  async prepare(): Promise<void> {
    const { schema, to } = this.#spec;
    const known = await this.#known();
    const places = placesOf(schema, placesOfKnown(known));
    const arriving = schema.fields.map(({ name, type }) => ({ name, place: places.get(name)!, type }));
    const kept = known?.fields.filter(({ name }) => !places.has(name)) ?? [];
    const collections = this.#db.collection<Known>(COLLECTIONS);
    const replace = () => collections.replaceOne({ _id: to.collection }, { fields: [...kept, ...arriving] }, { upsert: true });
    // Two that make it at once: one of them is refused, and finds it there then.
    await guarded(() => replace().catch((error) => (error?.code === DUPLICATE_KEY ? replace() : Promise.reject(error))));
    this.#shape = new DocumentShape(schema, places, this.#decimals);
    this.#isMade = false;
    // Which one it is, is noted only now: whoever finds it gone has had its checkpoint forgotten first.
    if (await this.exists()) await this.#complete();
  }

  async shape(): Promise<DocumentShape> {
    const { schema } = this.#spec;
    this.#shape ??= new DocumentShape(schema, placesOf(schema, placesOfKnown(await this.#known())), this.#decimals);
    return this.#shape;
  }

  async exists(): Promise<boolean> {
    return (await this.#listed()) !== undefined;
  }

  /** Makes the collection when it is not there. */
  async make(): Promise<void> {
    if (this.#isMade) return;
    if (!(await this.exists())) await this.create(this.#spec.to.collection);
    await this.#complete();
  }

  /** An empty collection with the validator. */
  async create(name: string): Promise<void> {
    const options = await this.#validation();
    await this.#withValidator(() =>
      this.#db.createCollection(name, options).catch((error) => {
        if (!(error instanceof MongoServerError) || error.code !== NAMESPACE_EXISTS) throw error;
      }),
    );
  }

  async index(documents: Collection<Doc>): Promise<void> {
    const { places } = await this.shape();
    await guarded(async () => {
      for (const place of this.#indexed(places)) await documents.createIndex({ [place]: 1 });
    });
  }

  /** It is there, with all that it needs. */
  async becameWhole(): Promise<void> {
    const found = await this.#listed();
    if (found === undefined) return;
    const collections = this.#db.collection<Known>(COLLECTIONS);
    const known = { _id: this.#spec.to.collection };
    await guarded(() => collections.updateOne(known, { $set: { id: idOf(found) } }));
    this.#isMade = true;
  }

  async #complete(): Promise<void> {
    const { collection } = this.#spec.to;
    await this.index(this.#db.collection<Doc>(collection));
    const options = await this.#validation();
    if (options.validator !== undefined) {
      await this.#withValidator(() => this.#db.command({ collMod: collection, ...options }));
    }
    await this.becameWhole();
  }

  async #validation(): Promise<{ readonly validator?: Document }> {
    const validator = this.#validator((await this.shape()).places);
    return validator === null ? {} : { validator };
  }

  #validator(places: ReadonlyMap<string, string>): Document | null {
    const { schema, to } = this.#spec;
    if (!to.validate) return null;
    const fields = schema.fields.map((field) => ({ ...field, place: places.get(field.name)! }));
    return validatorOf(fields, this.#decimals);
  }

  async #found(): Promise<FoundCollection | null> {
    const { collection } = this.#spec.to;
    const found = await this.#listed();
    if (found === undefined) return null;
    const indexes = await guarded(() => this.#db.collection(collection).indexes());
    return {
      id: idOf(found),
      validator: found.options?.validator ?? null,
      indexed: new Set(indexes.map(({ key }) => Object.keys(key)[0]!)),
    };
  }

  async #listed(): Promise<Listed | undefined> {
    const { collection } = this.#spec.to;
    const [found] = await guarded(() => this.#db.listCollections({ name: collection }, { nameOnly: false }).toArray());
    return found as Listed | undefined;
  }

  async #withValidator<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await guarded(work);
    } catch (error) {
      if (!this.#spec.to.validate || !(error instanceof RequestRefusedError)) throw error;
      throw new RequestRefusedError(`${this.#spec.to.collection} gets no validator: ${error.message}`, {
        cause: error,
        hint: 'Leave validate: out where the server has none, and grant the user dbAdmin (collMod) where it has.',
      });
    }
  }

  #indexed(places: ReadonlyMap<string, string>): string[] {
    return this.#spec.schema.fields.filter(({ reference }) => reference).map(({ name }) => places.get(name)!);
  }

  #known(): Promise<Known | null> {
    return knownOf(this.#db, this.#spec.to.collection);
  }
}

/** Where in documents the fields of a sync lie that writes the collection, and their types; nothing for one that no sync writes. */
export async function writtenTypes(db: Db, collection: string): Promise<ReadonlyMap<string, FieldType>> {
  const known = await knownOf(db, collection);
  return new Map(known?.fields.map(({ place, type }) => [place, type as FieldType]));
}

function knownOf(db: Db, collection: string): Promise<Known | null> {
  return guarded(() => db.collection<Known>(COLLECTIONS).findOne({ _id: collection }));
}

function placesOfKnown(known: Known | null): ReadonlyMap<string, string> {
  return new Map(known?.fields.map(({ name, place }) => [name, place]));
}
