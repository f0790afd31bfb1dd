import { rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { AnyConnector } from '@tidemark/core';
import type { Life, Scheduler } from '@tidemark/testkit/simulation';
import { createConnector } from '../../connectors/sqlite/connector.ts';
import type { Mapped, Values } from './mapping.ts';
import type { SimulatedTarget } from './simulated-target.ts';

/** A SQLite file, written in turn. */
export class TargetFile implements SimulatedTarget {
  readonly path: string;
  readonly readsAtOnce = true;
  polls = 0;
  #reader: DatabaseSync | null = null;
  #locker: DatabaseSync | null = null;

  constructor(path: string) {
    this.path = path;
    removeFile(path);
  }

  get connection(): object {
    return { type: 'sqlite', path: this.path, busyTimeoutMs: 0 };
  }

  connector(scheduler: Scheduler, life: Life, delay: () => number): AnyConnector {
    const files = new Set<object>();
    const sqlite = createConnector({
      runInProcess: (op, work, file) => {
        if (!files.has(file)) {
          files.add(file);
          life.onAbandoned(() => file.close());
        }
        const done = () => {
          try {
            const result = work();
            if (op === 'commitWrite' || op === 'finishLoad') this.polls++;
            return result;
          } finally {
            this.hasDone(life);
          }
        };
        return scheduler.outside(life, `sqlite ${op}`, done, { beforeMs: delay(), afterMs: delay() });
      },
    });
    return sqlite as AnyConnector;
  }

  /** That life has done something here, or tried to. */
  protected hasDone(_life: Life): void {}

  /** All tables at one moment; null while one of them is not there yet. */
  read(mappings: readonly Mapped[]): ReadonlyMap<string, ReadonlyMap<string, Values>> | null {
    this.#reader ??= new DatabaseSync(this.path, { timeout: 0 });
    const reader = this.#reader;
    reader.exec('BEGIN');
    try {
      const tables = new Map<string, ReadonlyMap<string, Values>>();
      for (const { table, fields, computed, deletes } of mappings) {
        if (reader.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(table) === undefined) return null;
        const columns = [...Object.keys(fields), ...Object.keys(computed)].map((name) => `"${name}"`).join(', ');
        const alive = deletes === 'mark' ? ' WHERE "_tidemark_deleted_at" IS NULL' : '';
        const rows = reader.prepare(`SELECT ${columns} FROM "${table}"${alive}`).all() as unknown as Values[];
        tables.set(table, new Map(rows.map((row) => [row.id!, row])));
      }
      return tables;
    } finally {
      reader.exec('COMMIT');
    }
  }

  position(): string | null {
    this.#reader ??= new DatabaseSync(this.path, { timeout: 0 });
    const row = this.#reader.prepare("SELECT checkpoint FROM _tidemark_checkpoints WHERE unit LIKE 'live:%'").get();
    return typeof row?.checkpoint === 'string' ? (JSON.parse(row.checkpoint) as { position: string | null }).position : null;
  }

  /** Another program takes the write lock. Whether it got it. */
  lock(): boolean {
    this.#locker ??= new DatabaseSync(this.path, { timeout: 0 });
    if (this.#locker.isTransaction) return false;
    try {
      this.#locker.exec('BEGIN IMMEDIATE');
      return true;
    } catch {
      // The engine has it.
      return false;
    }
  }

  unlock(): void {
    if (this.#locker?.isTransaction) this.#locker.exec('ROLLBACK');
  }

  async close(): Promise<void> {
    this.unlock();
    this.#locker?.close();
    this.#reader?.close();
    removeFile(this.path);
  }
}

function removeFile(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
}
