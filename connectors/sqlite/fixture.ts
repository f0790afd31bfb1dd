import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  type ConnectorContext,
  type DatasetSchema,
  type DeleteRule,
  keyOf,
  newRow,
  type Row,
  systemClock,
  type Target,
  type TargetScope,
} from '@tidemark/core';
import type { SourceFixture, TargetFixture } from '@tidemark/testkit';
import type { SqliteFrom } from './config.ts';
import sqlite from './connector.ts';
import { quoted } from './identifiers.ts';

/** A connection to a fresh file in a folder of its own, and the file itself for looking at from outside. */
export async function createFile() {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-sqlite-'));
  const path = join(folder, 'test.db');
  const open = (overrides: { tablePrefix?: string; path?: string } = {}) =>
    sqlite.open({ path, tablePrefix: '', busyTimeoutMs: 2000, ...overrides }, contextIn(folder));
  const connections = [open()];
  return {
    folder,
    path,
    connection: connections[0]!,
    /** As another process would. */
    connect(overrides: { tablePrefix?: string; path?: string } = {}) {
      const connection = open(overrides);
      connections.push(connection);
      return connection;
    },
    /** Looks at the file, or changes it, as another program would. */
    sql<T = unknown>(text: string, ...values: (string | number | null)[]): T[] {
      const database = new DatabaseSync(path, { timeout: 2000, enableForeignKeyConstraints: false });
      try {
        return database.prepare(text).all(...values) as T[];
      } finally {
        database.close();
      }
    },
    async [Symbol.asyncDispose]() {
      for (const connection of connections) await connection[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function contextIn(baseDir: string): ConnectorContext {
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  return { connection: 'db', clock: systemClock, random: Math.random, log, fetch, baseDir };
}

export async function createTargetFixture(): Promise<TargetFixture> {
  const file = await createFile();
  let counting = false;
  const openTarget = (
    schema: DatasetSchema,
    deletes: DeleteRule,
    table: 'contacts' | 'other' = 'contacts',
    scope?: TargetScope,
  ): Promise<Target> => {
    const unit = scope !== undefined ? `contract@${scope.value}` : table === 'other' ? table : 'contract';
    return file.connection.openTarget!({ to: { table }, unit, schema, deletes, scope }, AbortSignal.timeout(60_000));
  };
  const columnOf = (field: string) =>
    file.sql<{ column_name: string }>('SELECT column_name FROM _tidemark_columns WHERE field = ?', field)[0]!.column_name;
  return {
    open: ({ schema, deletes, dataset, scope }) => openTarget(schema, deletes, dataset, scope),
    openStreamWriter: (targets) => file.connection.openStreamWriter!(targets),
    async rows(schema, dataset = 'contacts') {
      const columns = schema.key.map((field) => quoted(columnOf(field))).join(', ');
      const found = file.sql<Row>(`SELECT ${columns} FROM ${dataset} WHERE _tidemark_deleted_at IS NULL`);
      const keys = found.map((row) => {
        const named = newRow();
        Object.values(row).forEach((value, i) => {
          named[schema.key[i]!] = value;
        });
        return keyOf(named, schema.key)!;
      });
      const target = await openTarget(schema, 'mirror', dataset);
      await target.prepare();
      return target.read!(keys);
    },
    async insertForeign(row) {
      file.sql('INSERT INTO contacts (Id, Name) VALUES (?, ?)', String(row.Id), row.Name as string | null);
    },
    async marked() {
      return file
        .sql<{ Id: string }>('SELECT Id FROM contacts WHERE _tidemark_deleted_at IS NOT NULL ORDER BY Id')
        .map(({ Id }) => Id);
    },
    async writes() {
      if (!counting) {
        file.sql('CREATE TABLE writes (what TEXT)');
        for (const what of ['INSERT', 'UPDATE', 'DELETE']) {
          file.sql(`CREATE TRIGGER count_${what} AFTER ${what} ON contacts BEGIN INSERT INTO writes VALUES ('${what}'); END`);
        }
        counting = true;
      }
      return file.sql<{ n: number }>('SELECT count(*) AS n FROM writes')[0]!.n;
    },
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}

export async function createSourceFixture(from: SqliteFrom): Promise<SourceFixture> {
  const file = await createFile();
  file.sql('PRAGMA journal_mode = WAL');
  file.sql('CREATE TABLE contacts (Id TEXT PRIMARY KEY, Name TEXT, ModifiedAt DATETIME NOT NULL)');
  await file.connection.prepareSource!(from, AbortSignal.timeout(60_000));
  const within = (work: (database: DatabaseSync) => void) => {
    const database = new DatabaseSync(file.path, { timeout: 2000 });
    database.exec('BEGIN IMMEDIATE');
    work(database);
    database.exec('COMMIT');
    database.close();
  };
  return {
    open: (spec) =>
      file.connection.openSource!(
        {
          from,
          where: undefined,
          fields: null,
          exclude: [],
          startAtMs: null,
          ...spec,
        },
        AbortSignal.timeout(60_000),
      ),
    async put(records) {
      within((database) => {
        const put = database.prepare('INSERT OR REPLACE INTO contacts VALUES (?, ?, ?)');
        for (const { id, name, stampMs } of records) put.run(id, name, new Date(stampMs).toISOString());
      });
    },
    async remove(ids) {
      within((database) => {
        const remove = database.prepare('DELETE FROM contacts WHERE Id = ?');
        for (const id of ids) remove.run(id);
      });
    },
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}
