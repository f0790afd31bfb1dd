import { randomBytes } from 'node:crypto';
import {
  keyOf,
  type Row,
  type Rows,
  type RowsSpec,
  type SourceSpec,
  type StreamSpec,
  seededRandom,
  systemClock,
} from '@tidemark/core';
import { type LookupFixture, type SourceFixture, serviceOrSkip, type TargetFixture } from '@tidemark/testkit';
import { BSON, type Db, MongoClient } from 'mongodb';
import { type MongodbFrom, type MongodbTo, mongodbLookup, mongodbSide } from './config.ts';
import { createConnector } from './connector.ts';

export const mongodb = await serviceOrSkip('mongodb');
/** What we start ourselves has neither decimals nor transactions. */
export const isFerret = !process.env.TIDEMARK_TEST_MONGODB_URL;

/** A database of its own in the tests' server. */
export async function createTargetFixture(): Promise<
  TargetFixture & {
    readonly db: Db;
    open(options: Parameters<TargetFixture['open']>[0] & { validate?: boolean }): ReturnType<TargetFixture['open']>;
    change(key: string, fields: object): Promise<unknown>;
    document(key: string): Promise<object | null>;
    makeUnique(field: string): Promise<unknown>;
    rowsOf(spec: RowsSpec): Promise<Rows>;
  }
> {
  const database = `test_${randomBytes(6).toString('hex')}`;
  const client = await new MongoClient(mongodb.url!).connect();
  const documents = client.db(database).collection<{ _id: string }>('contacts');
  const connection = openConnection(database);
  const open = ({ schema, deletes, validate = false }: Parameters<TargetFixture['open']>[0] & { validate?: boolean }) =>
    connection.openTarget!(
      { to: { collection: 'contacts', validate } satisfies MongodbTo, unit: 'contract', schema, deletes },
      AbortSignal.timeout(60_000),
    );
  return {
    db: client.db(database),
    open,
    async rows(schema) {
      const target = await open({ schema, deletes: 'mirror' });
      await target.prepare();
      const found = await documents
        .find({ _tidemark_deleted_at: { $exists: false } } as object, { projection: { _id: 1 } })
        .toArray();
      return target.read!(found.map(({ _id }) => _id));
    },
    async insertForeign(row: Row, schema) {
      await documents.insertOne({ _id: keyOf(row, schema.key)!, Id: row.Id, Name: row.Name } as { _id: string });
    },
    change: (key, fields) => documents.updateOne({ _id: key }, { $set: fields }),
    document: (key) => documents.findOne({ _id: key }),
    rowsOf: (spec) => connection.openRows!(spec, AbortSignal.timeout(60_000)),
    makeUnique: (field) => documents.createIndex({ [field]: 1 }, { unique: true }),
    async marked() {
      const found = await documents.find({ _tidemark_deleted_at: { $exists: true } } as object).toArray();
      return found.map(({ _id }) => _id).sort();
    },
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
      await client.db(database).dropDatabase();
      await client.close();
    },
  };
}

/** A collection with a key and a watermark of its users' own. */
export async function createSourceFixture() {
  const database = `test_${randomBytes(6).toString('hex')}`;
  const client = await new MongoClient(mongodb.url!).connect();
  const documents = client.db(database).collection('contacts');
  const connection = openConnection(database);
  const fixture = {
    documents,
    /** As the source itself encodes it. */
    positionOf: (at: unknown) => BSON.EJSON.stringify({ at }, { relaxed: false }),
    open: (spec: Partial<SourceSpec<MongodbFrom>> = {}) =>
      connection.openSource!(
        {
          from: {
            collection: 'contacts',
            key: 'Id',
            watermark: 'ModifiedAt',
            fields: { Id: 'text', Name: 'text', ModifiedAt: 'datetime' },
          },
          ...{ where: undefined, fields: null, exclude: [], startAtMs: null },
          ...spec,
        },
        AbortSignal.timeout(60_000),
      ),
    stream: (spec: StreamSpec, signal: AbortSignal) => connection.openStream!(spec, signal),
    async put(records: Parameters<SourceFixture['put']>[0]) {
      if (records.length === 0) return;
      await documents.deleteMany({ Id: { $in: records.map(({ id }) => id) } });
      await documents.insertMany(records.map(({ id, name, stampMs }) => ({ Id: id, Name: name, ModifiedAt: new Date(stampMs) })));
    },
    async remove(ids: readonly string[]) {
      await documents.deleteMany({ Id: { $in: [...ids] } });
    },
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
      await client.db(database).dropDatabase();
      await client.close();
    },
  };
  return fixture satisfies SourceFixture;
}

function openConnection(database: string) {
  const connector = createConnector();
  const config = connector.config.parse({ url: mongodb.url, database, decimals: isFerret ? 'double' : 'decimal128' });
  const quiet = { debug() {}, info() {}, warn() {}, error() {} };
  const context = { connection: 'm', clock: systemClock, random: seededRandom(1), log: quiet, fetch, baseDir: '.' };
  return connector.open(config, context);
}

/** A collection of an application, which the other side's records have met already or not. */
export async function createSideFixture({ isUnique = true } = {}) {
  const database = `test_${randomBytes(6).toString('hex')}`;
  const client = await new MongoClient(mongodb.url!).connect();
  const documents = client.db(database).collection('accounts');
  if (isUnique) await documents.createIndex({ sf_id: 1 }, { unique: true, sparse: true });
  const connection = openConnection(database);
  return {
    documents,
    open: (side: object = {}, fields: readonly string[] = ['name', 'phone', 'score']) =>
      connection.openSide!(
        {
          side: mongodbSide.parse({ collection: 'accounts', watermark: 'at', ...side }),
          ...{ link: 'sf_id', fields, writes: fields, unit: 'u' },
        },
        AbortSignal.timeout(60_000),
      ),
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
      await client.db(database).dropDatabase();
      await client.close();
    },
  };
}

/** A collection in which documents are found. */
export async function createLookupFixture() {
  const database = `test_${randomBytes(6).toString('hex')}`;
  const client = await new MongoClient(mongodb.url!).connect();
  const connection = openConnection(database);
  const documents = client.db(database).collection('firms');
  const fixture = {
    documents,
    open: (spec: { readonly key: string; readonly fields: readonly string[] }, over: object = {}) =>
      connection.openLookup!(
        { lookup: mongodbLookup.parse({ collection: 'firms', ...over }), ...spec },
        AbortSignal.timeout(60_000),
      ),
    async put(records: readonly { readonly name: string; readonly phone: string | null }[]) {
      await documents.insertMany(records.map(({ name, phone }) => ({ Name: name, Phone: phone })));
    },
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
      await client.db(database).dropDatabase();
      await client.close();
    },
  };
  return fixture satisfies LookupFixture;
}

/** A collection that is served document by document. */
export async function createRowsFixture(key: string) {
  const database = `test_${randomBytes(6).toString('hex')}`;
  const client = await new MongoClient(mongodb.url!).connect();
  const connection = openConnection(database);
  const documents = client.db(database).collection('people');
  if (key !== '_id') await documents.createIndex({ [key]: 1 }, { unique: true });
  return {
    documents,
    open: (over: Partial<RowsSpec> = {}) => {
      const at = { collection: 'people', key, fields: {} };
      return connection.openRows!({ name: 'people', at, watermark: null, mentions: [], ...over }, AbortSignal.timeout(60_000));
    },
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
      await client.db(database).dropDatabase();
      await client.close();
    },
  };
}
