import { chownSync } from 'node:fs';
import { createRequire } from 'node:module';
import { DatabaseSync } from 'node:sqlite';
import type { Clock } from '@tidemark/core';
import { type Emulator, startEmulator, type Values } from '@tidemark/emulator';
import { createTestDatabase } from '@tidemark/testkit';
import { expect, test } from 'vitest';
import { type Answer, Workplace } from '../src/testing.ts';

/** A configuration file as data. YAML reads JSON. */
export interface ConfigFile {
  connections: Record<string, Record<string, unknown>>;
  syncs: Record<string, Record<string, unknown>>;
  [more: string]: unknown;
}

/** One thing that goes wrong while Tidemark works, and what whoever looks after it gets to see. */
export interface BadInput {
  readonly what: string;
  readonly target?: 'sqlite' | 'postgres';
  /** A good run has been made before it goes wrong, and the org has changed since. */
  readonly filled?: true;
  /** Tidemark runs as a user who may not do everything. */
  readonly unprivileged?: true;
  /** What is wrong in the file; taken back to mend it. */
  readonly file?: (file: ConfigFile, world: BadInputWorld) => void;
  /** What goes wrong outside the file. Returns what takes it back. */
  readonly arrange?: (world: BadInputWorld) => Mend | Promise<Mend>;
  /** What is asked for; `run s` when absent. */
  readonly call?: readonly string[];
  readonly exitCode: 0 | 1 | 2;
  /** What is wrong, and where. */
  readonly says: RegExp;
  /** What to do about it; absent where that is what is said. */
  readonly toDo?: RegExp;
  /** More that has to hold while it is wrong. */
  readonly meanwhile?: (world: BadInputWorld, answer: Answer) => void | Promise<void>;
}
export type Mend = undefined | void | (() => void | Promise<void>);

/** Says what is wrong, where, and what to do; ends with the right code; and once it is mended, nothing is missing. */
export function tryAll(cases: readonly BadInput[]): void {
  test.each(cases)('$what', async (bad) => {
    await using world = await BadInputWorld.open(bad.target ?? 'sqlite');
    if (bad.unprivileged) world.becomeNobody();
    if (bad.filled) {
      world.configure();
      expect(await world.call('run', 's')).toMatchObject({ exitCode: 0 });
      world.change();
    }
    world.configure((file) => bad.file?.(file, world));
    const mend = await bad.arrange?.(world);
    const answer = await world.call(...(bad.call ?? ['run', 's']));
    const said = (answer.out + answer.err).replaceAll(/^\{"level".*\n/gm, '');
    expect(said).toMatch(bad.says);
    if (bad.toDo !== undefined) expect(said.match(/to do: .*/g)?.join('\n') ?? '').toMatch(bad.toDo);
    expect(answer.exitCode, said).toBe(bad.exitCode);
    for (const secret of world.secrets) expect(answer.out + answer.err).not.toContain(secret);
    await bad.meanwhile?.(world, answer);
    await mend?.();
    if (bad.file !== undefined) world.configure();
    await world.expectWhole();
  });
}

const { Client } = createRequire(import.meta.url)('pg') as { Client: new (config: object) => PgClient };

const NAMES = ['Ann', 'Bo', 'Cy', 'Dee', 'Eve'];
export const FIELDS = { id: 'Id', last: 'LastName', first: 'FirstName', email: 'Email' };
/** Longer than any wait between attempts: the deadline of a request, which never comes because replies take no time here. */
const DEADLINE_MS = 30_000;
/** Longer than any deadline: a wait for the org's allowance. */
const QUOTA_MS = 300_000;
const NOBODY = 65_534;

/** A listening org, a database and a folder with a configuration: everything real but the time between attempts. */
export class BadInputWorld implements AsyncDisposable {
  readonly emulator: Emulator;
  readonly place: Workplace;
  /** Of the target; null for SQLite. */
  readonly databaseUrl: string | null;
  readonly #drop: () => Promise<void>;
  #offsetMs = 0;
  #nobody = false;
  /** Of the SQLite target, from the folder on. */
  sqlitePath = 'copy.db';
  /** What is different here from everywhere. */
  base: (file: ConfigFile) => void = () => {};

  private constructor(emulator: Emulator, database: { url: string; drop(): Promise<void> } | null) {
    this.emulator = emulator;
    this.databaseUrl = database?.url ?? null;
    this.#drop = async () => database?.drop();
    const clock: Clock = {
      now: () => Date.now() + this.#offsetMs,
      sleep: (ms, signal) => this.#sleep(ms, signal),
    };
    const { clientSecret } = emulator.credentials;
    const url = this.databaseUrl === null ? {} : { DATABASE_URL: this.databaseUrl };
    this.place = new Workplace({ PATH: process.env.PATH ?? '', SF_CLIENT_SECRET: clientSecret, ...url }, clock);
  }

  static async open(target: 'sqlite' | 'postgres'): Promise<BadInputWorld> {
    const database = target === 'postgres' ? await createTestDatabase() : null;
    const emulator = await startEmulator();
    const world = new BadInputWorld(emulator, database);
    for (const name of NAMES) world.insert({ LastName: name, Email: `${name}@example.com` });
    return world;
  }

  async #sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (ms >= DEADLINE_MS && ms < QUOTA_MS) {
      return new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    }
    this.#offsetMs += ms;
    if (ms >= QUOTA_MS) throw new Error('nobody waits so long for an org');
    await new Promise(setImmediate);
  }

  /** Writes the configuration, after `change` has spoilt it. */
  configure(change: (file: ConfigFile) => void = () => {}): void {
    const { loginUrl, clientId } = this.emulator.credentials;
    const auth = { flow: 'client-credentials', clientId, clientSecret: '$' + '{SF_CLIENT_SECRET}' };
    const file: ConfigFile = {
      connections: {
        org: { type: 'salesforce', loginUrl, auth },
        db:
          this.databaseUrl === null
            ? { type: 'sqlite', path: this.sqlitePath, busyTimeoutMs: 10 }
            : { type: 'postgres', url: '$' + '{DATABASE_URL}' },
      },
      syncs: {
        s: {
          from: { connection: 'org', object: 'Contact' },
          to: { connection: 'db', table: 'copy' },
          fields: { ...FIELDS },
          retry: { attempts: 2, delay: '10ms', delayMax: '10ms' },
        },
      },
    };
    this.base(file);
    change(file);
    this.place.write('tidemark.yaml', JSON.stringify(file, null, 2));
  }

  async call(...argv: string[]): Promise<Answer> {
    if (!this.#nobody) return this.place.call(...argv);
    process.seteuid!(NOBODY);
    try {
      return await this.place.call(...argv);
    } finally {
      process.seteuid!(0);
    }
  }

  /** From now on Tidemark is no superuser, if the tests are. */
  becomeNobody(): void {
    this.#nobody = process.getuid?.() === 0;
    if (this.#nobody) chownSync(this.place.folder, NOBODY, NOBODY);
  }

  /** Time goes by. */
  pass(ms: number): void {
    this.#offsetMs += ms;
    this.emulator.org.clock.advance(ms);
  }

  insert(values: Values, object = 'Contact'): string {
    return this.emulator.org.write((transaction) => transaction.insert(object, values)).id;
  }

  update(id: string, values: Values, object = 'Contact'): void {
    this.emulator.org.write((transaction) => transaction.update(object, id, values));
  }

  idOf(last: string): string {
    return this.orgRows().find((row) => row.LastName === last)!.Id as string;
  }

  /** What a run that goes wrong might lose: an update, an insert and a delete. */
  change(): void {
    this.update(this.idOf('Bo'), { FirstName: 'Bob' });
    this.insert({ LastName: 'Fay' });
    const gone = this.idOf('Cy');
    this.emulator.org.write((transaction) => transaction.delete('Contact', gone));
  }

  orgRows(object = 'Contact', fields = 'Id, LastName, FirstName, Email'): Record<string, unknown>[] {
    return this.emulator.org.query(`SELECT ${fields} FROM ${object}`).page(0, 2000, 'v62.0') as Record<string, unknown>[];
  }

  get secrets(): readonly string[] {
    const { clientSecret, accessToken } = this.emulator.credentials;
    const password = this.databaseUrl === null ? '' : decodeURIComponent(new URL(this.databaseUrl).password);
    return [clientSecret, accessToken, password].filter((secret) => secret !== '');
  }

  /** Statements of the user's own, past Tidemark. */
  async sql(text: string, url = this.databaseUrl): Promise<Record<string, unknown>[]> {
    if (url === null) {
      const database = new DatabaseSync(this.place.path(this.sqlitePath));
      try {
        if (!/^\s*select/i.test(text)) database.exec(text);
        return /^\s*select/i.test(text) ? (database.prepare(text).all() as Record<string, unknown>[]) : [];
      } finally {
        database.close();
      }
    }
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  }

  /** Somebody else's transaction, open until it is released. */
  async hold(text: string): Promise<() => Promise<void>> {
    const client = new Client({ connectionString: this.databaseUrl });
    await client.connect();
    await client.query(`BEGIN; ${text}`);
    return () => client.end();
  }

  /** One run later target and org are equal, record by record, by `verify` and by our own eyes. */
  async expectWhole(): Promise<void> {
    const run = await this.call('run', 's');
    expect(run.exitCode, run.out + run.err).toBe(0);
    const verified = await this.call('verify', 's', '--json');
    expect(verified.exitCode, verified.out + verified.err).toBe(0);
    const wanted = this.orgRows().map((row) => [row.Id, row.LastName, row.FirstName, row.Email]);
    expect(JSON.parse(verified.out)).toMatchObject({ verified: wanted.length, differences: 0 });
    const held = await this.sql('SELECT id, last, first, email FROM copy');
    expect(held.map((row) => [row.id, row.last, row.first, row.email]).sort()).toEqual(wanted.sort());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.emulator.close();
    await this.#drop();
    this.place[Symbol.dispose]();
  }
}

interface PgClient {
  connect(): Promise<void>;
  query(text: string): Promise<{ rows: Record<string, unknown>[] }>;
  end(): Promise<void>;
}
