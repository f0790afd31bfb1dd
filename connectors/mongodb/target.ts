import type {
  Change,
  Clock,
  Commit,
  LastWrite,
  Load,
  LoadCommit,
  Row,
  SchemaChange,
  Target,
  TargetSpec,
  WriteResult,
} from '@tidemark/core';
import type { Collection, Db } from 'mongodb';
import type { MongodbTo } from './config.ts';
import { Layout } from './layout.ts';
import { MongodbLoad } from './load.ts';
import type { Doc } from './shape.ts';
import type { Decimals } from './values.ts';
import { storedRows, type Written, writeChanges } from './write.ts';

/**
 * Writes documents by `_id`. There is no transaction around a batch: the checkpoint is kept by the store, after the data (P1).
 */
export class MongodbTarget implements Target {
  readonly batchSizeMax = 1000;
  readonly compares = true;
  readonly #db: Db;
  readonly #spec: TargetSpec<MongodbTo>;
  readonly #clock: Clock;
  readonly #documents: Collection<Doc>;
  readonly #layout: Layout;

  constructor(db: Db, spec: TargetSpec<MongodbTo>, clock: Clock, decimals: Decimals) {
    this.#db = db;
    this.#spec = spec;
    this.#clock = clock;
    this.#documents = db.collection<Doc>(spec.to.collection, { ignoreUndefined: false });
    this.#layout = new Layout(db, spec, decimals);
  }

  plan(): Promise<readonly SchemaChange[]> {
    return this.#layout.plan();
  }

  async places(): Promise<ReadonlyMap<string, string>> {
    return (await this.#layout.shape()).places;
  }

  async prepare(): Promise<readonly SchemaChange[]> {
    const changes = await this.plan();
    await this.#layout.prepare();
    return changes;
  }

  async write(changes: readonly Change[], commit: Commit, signal: AbortSignal): Promise<readonly WriteResult[]> {
    signal.throwIfAborted();
    if (changes.length > 0) await this.#layout.make();
    const results = await writeChanges(await this.#written(), changes, signal);
    await commit.settle(results);
    return results;
  }

  async beginLoad(commit: LoadCommit): Promise<Load> {
    return MongodbLoad.begin(this.#db, this.#layout, this.#spec.unit, await this.#written(), commit);
  }

  async read(keys: readonly string[]): Promise<ReadonlyMap<string, Row>> {
    const rows = new Map<string, Row>();
    for (const [key, { row, deletedAtMs }] of await storedRows(await this.#written(), keys)) {
      if (deletedAtMs === null) rows.set(key, row);
    }
    return rows;
  }

  async lastWrite(key: string): Promise<LastWrite | null> {
    const { stampMs = null, deletedAtMs = null } = (await storedRows(await this.#written(), [key])).get(key) ?? {};
    return stampMs === null ? null : { stampMs, deletedAtMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #written(): Promise<Written> {
    const { deletes } = this.#spec;
    return { documents: this.#documents, shape: await this.#layout.shape(), deletes, clock: this.#clock };
  }
}
