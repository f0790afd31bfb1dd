import { createHash } from 'node:crypto';
import { OwnershipLostError, type Rejection } from '@tidemark/core';
import type { Collection, Db, Filter } from 'mongodb';
import { DUPLICATE_KEY, guarded, NAMESPACE_NOT_FOUND } from './errors.ts';
import type { Layout } from './layout.ts';
import { sendAll } from './send-all.ts';
import type { Doc } from './shape.ts';

/** What is known of loads that are under way, one document for each sync. */
const LOADS = '_tidemark_loads';
const KEYS_A_QUERY = 1000;
/** What is staged counts once its page does, whose note waits for a majority and the journal, and with it all that came before. */
const UNHURRIED = { w: 1 as const, journal: false };

interface State {
  _id: string;
  loadId: string;
  epoch: number;
  position: string | null;
  /** Of the pages that are kept: how many, their rows, and the documents in the staging, where a key counts once. */
  pages: number;
  rows: number;
  documents: number;
}

/** Keys that a page is about to stage: what is taken away again when it breaks off. */
interface Announced {
  readonly page: number;
  readonly keys: readonly string[];
}

/** A row whose key the staging holds already: it takes that one's place in the end. */
interface Later {
  _id: string;
  readonly page: number;
  readonly document: Doc;
}

/**
 * The documents of an unfinished load, in a collection beside the one that they are for, just as they will be there. Nothing ties a
 * page's documents and its position together but the order in which they are written: the keys of a page are noted before it, and
 * what is noted of a page that never was kept goes.
 */
export class Staging {
  readonly documents: Collection<Doc>;
  readonly #states: Collection<State>;
  readonly #announced: Collection<Announced>;
  readonly #later: Collection<Later>;
  #state: State;

  /** Goes on with the load of this id, or begins it: what another one has left is thrown away. */
  static async open(db: Db, layout: Layout, unit: string, loadId: string, epoch: number): Promise<Staging> {
    const name = `_tidemark_load_${createHash('sha256').update(unit).digest('hex').slice(0, 16)}`;
    return guarded(async () => {
      const states = db.collection<State>(LOADS);
      const known = await states.findOne({ _id: name });
      if (known !== null && known.epoch > epoch) throw lost();
      if (known?.loadId === loadId) {
        const staging = new Staging(db, { ...known, epoch });
        if (await staging.#resume()) {
          await states.updateOne({ _id: name }, { $set: { epoch } });
          return staging;
        }
      }
      const state = { _id: name, loadId, epoch, position: null, pages: 0, rows: 0, documents: 0 };
      const staging = new Staging(db, state);
      await staging.discard();
      await layout.create(name);
      await states.insertOne(state);
      return staging;
    });
  }

  private constructor(db: Db, state: State) {
    this.#state = state;
    this.#states = db.collection<State>(LOADS);
    this.documents = db.collection<Doc>(state._id, { ignoreUndefined: false });
    this.#announced = db.collection<Announced>(`${state._id}_keys`);
    this.#later = db.collection<Later>(`${state._id}_later`);
  }

  get position(): string | null {
    return this.#state.position;
  }

  /** Rows of all pages; a key that came twice counts twice. */
  get rows(): number {
    return this.#state.rows;
  }

  /** Documents, where a key counts once. */
  get count(): number {
    return this.#state.documents;
  }

  /** Stages what `fill` puts, all of it with the position or nothing. `fill` answers how many rows are to be kept. */
  async page(position: string, fill: (page: StagedPage) => Promise<number>): Promise<void> {
    const { _id, epoch, pages } = this.#state;
    const page = new StagedPage(pages, this.documents, this.#announced, this.#later);
    try {
      const rows = await fill(page);
      const next = { position, pages: pages + 1, rows: this.rows + rows, documents: this.count + page.documents };
      const { matchedCount } = await guarded(() => this.#states.updateOne({ _id, epoch, pages }, { $set: next }));
      if (matchedCount === 0) throw lost();
      this.#state = { ...this.#state, ...next };
    } catch (error) {
      await page.ended();
      await this.#undo(page.notStaged);
      throw error;
    }
    if (page.documents > 0) await guarded(() => this.#announced.deleteMany({ page: { $lte: pages } }));
  }

  /** Puts the later ones of keys that came twice in the place of the earlier. May be repeated. */
  async complete(): Promise<void> {
    await guarded(async () => {
      for await (const { document } of this.#later.find().sort({ page: 1 })) {
        await this.documents.replaceOne({ _id: document._id }, document, { upsert: true });
      }
      await drop(this.#later);
    });
  }

  /** What is left of the load no longer is one: whoever comes next begins anew. */
  async forget(): Promise<void> {
    const { _id } = this.#state;
    await guarded(() => this.#states.deleteOne({ _id }));
  }

  async discard(): Promise<void> {
    await this.forget();
    await guarded(async () => {
      for (const each of [this.documents, this.#announced, this.#later]) await drop(each);
    });
  }

  /** Whether what is staged is what was kept, once a page that broke off is taken away. */
  async #resume(): Promise<boolean> {
    const { pages, documents } = this.#state;
    const staged = await this.documents.countDocuments();
    const broken = await this.#keysOf({ page: pages });
    let found = 0;
    for (const keys of broken) found += await this.documents.countDocuments({ _id: { $in: keys } } as Filter<Doc>);
    // A key of it that an earlier page holds as well: nobody knows any more which of the two is staged.
    if (staged - found !== documents) return false;
    await this.#undo(new Set());
    return true;
  }

  async #undo(notStaged: ReadonlySet<string>): Promise<void> {
    const { pages } = this.#state;
    await guarded(async () => {
      for (const keys of await this.#keysOf({ page: pages })) {
        const own = keys.filter((key) => !notStaged.has(key));
        if (own.length > 0) await this.documents.deleteMany({ _id: { $in: own } } as Filter<Doc>);
      }
      await this.#later.deleteMany({ page: { $gte: pages } });
      await this.#announced.deleteMany({});
    });
  }

  /** Each key once. */
  async #keysOf(filter: Filter<Announced>): Promise<string[][]> {
    const keys = new Set<string>();
    for await (const announced of this.#announced.find(filter)) for (const key of announced.keys) keys.add(key);
    const all = [...keys];
    return Array.from({ length: Math.ceil(all.length / KEYS_A_QUERY) }, (_, i) =>
      all.slice(i * KEYS_A_QUERY, (i + 1) * KEYS_A_QUERY),
    );
  }
}

export interface Refused {
  readonly key: string;
  readonly reason: Rejection;
}

/** A page on its way into the staging. */
export class StagedPage {
  /** Documents that the staging has got from it. */
  documents = 0;
  /** Keys that it has announced and not staged: an earlier one holds them, or they were refused. */
  readonly notStaged = new Set<string>();
  readonly #page: number;
  readonly #staged: Collection<Doc>;
  readonly #announced: Collection<Announced>;
  readonly #later: Collection<Later>;
  #sending: Promise<readonly Refused[]> = Promise.resolve([]);

  constructor(page: number, staged: Collection<Doc>, announced: Collection<Announced>, later: Collection<Later>) {
    this.#page = page;
    this.#staged = staged;
    this.#announced = announced;
    this.#later = later;
  }

  /** Sends documents of distinct keys while the next ones are made; answers what was refused of those before. */
  async put(documents: readonly Doc[]): Promise<readonly Refused[]> {
    const refused = await this.#sending;
    this.#sending = guarded(() => this.#send(documents));
    // Whoever awaits it is told; nobody may until the next page.
    this.#sending.catch(() => {});
    return refused;
  }

  /** Nothing of it is under way any more. */
  async ended(): Promise<void> {
    await this.#sending.catch(() => []);
  }

  /** The rest of what was refused. */
  settled(): Promise<readonly Refused[]> {
    return this.#sending;
  }

  async #send(documents: readonly Doc[]): Promise<readonly Refused[]> {
    await this.#announced.insertOne({ page: this.#page, keys: documents.map(({ _id }) => _id) });
    const { done, refusals } = await sendAll(
      this.#staged,
      documents.map((document) => ({ insertOne: { document } })),
      UNHURRIED,
    );
    this.documents += done;
    const refused: Refused[] = [];
    const before = new Set(this.notStaged);
    for (const { _id } of before.size > 0 ? documents : []) this.notStaged.delete(_id);
    for (const { index, reason } of refusals) {
      const document = documents[index]!;
      const key = document._id;
      if (reason.code === String(DUPLICATE_KEY)) {
        const later = { page: this.#page, document };
        await this.#later.replaceOne({ _id: `${this.#page} ${key}` }, later, { upsert: true });
        // What this very page has staged goes with it.
        const isOwn = !before.has(key) && (await this.#announced.countDocuments({ page: this.#page, keys: key })) > 1;
        if (!isOwn) this.notStaged.add(key);
      } else {
        refused.push({ key, reason });
        this.notStaged.add(key);
      }
    }
    return refused;
  }
}

/** Servers before 7.0 refuse to drop what is not there. */
async function drop(collection: { drop(): Promise<unknown> }): Promise<void> {
  await collection.drop().catch((error) => {
    if ((error as { code?: unknown }).code !== NAMESPACE_NOT_FOUND) throw error;
  });
}

function lost(): OwnershipLostError {
  return new OwnershipLostError('another worker goes on with this load');
}
