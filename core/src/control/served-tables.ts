import type { Clock } from '../base/clock.ts';
import { InvariantError } from '../base/errors.ts';
import type { Config } from '../config/config.ts';
import { accessTo, type DataAccess } from '../config/data-access.ts';
import { type SyncedTable, syncedTables } from '../config/data-tables.ts';
import type { Connection } from '../model/connector.ts';
import type { Rows } from '../model/rows.ts';

/** A table that may be asked for row by row, and for what. */
export interface ServedTable extends SyncedTable {
  readonly access: DataAccess;
}

interface Parts {
  readonly config: Config;
  readonly clock: Clock;
  connection(name: string): Connection<unknown, unknown>;
}

/** Tables and orgs come, and tables change: so long what was seen of them holds. */
const SEEN_MS = 5_000;

/** The tables that the configuration has served, opened as they are asked for. */
export class ServedTables {
  readonly #parts: Parts;
  #tables: readonly ServedTable[] = [];
  #seenAtMs = Number.NEGATIVE_INFINITY;
  readonly #opened = new Map<string, { readonly rows: Promise<Rows>; readonly atMs: number }>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  all(): readonly ServedTable[] {
    const { config, clock } = this.#parts;
    if (config.http.data.size === 0 || clock.now() - this.#seenAtMs < SEEN_MS) return this.#tables;
    const { connections, syncs, pairings } = config;
    const synced = { connections, syncs: syncs.values(), pairings: pairings.values() };
    this.#seenAtMs = clock.now();
    this.#tables = [...syncedTables(synced, config).values()].flatMap((tables) =>
      [...tables.values()].flatMap((table) => {
        const access = accessTo(table, config.http.data);
        return access === null ? [] : [{ ...table, access }];
      }),
    );
    return this.#tables;
  }

  /** Null for one that nobody serves. */
  get(connection: string, name: string): ServedTable | null {
    return this.all().find((table) => table.connection === connection && table.spec.name === name) ?? null;
  }

  /** @throws {SyncError} it cannot be looked into */
  open({ connection, spec }: ServedTable): Promise<Rows> {
    const { clock } = this.#parts;
    const place = JSON.stringify([connection, spec.name]);
    const known = this.#opened.get(place);
    if (known !== undefined && clock.now() - known.atMs < SEEN_MS) return known.rows;
    const opened = this.#parts.connection(connection);
    if (opened.openRows === undefined) throw new InvariantError(`${connection} has no tables`);
    // Whoever asked first may leave, and others wait for it as well.
    const rows = opened.openRows(spec, new AbortController().signal);
    this.#opened.set(place, { rows, atMs: clock.now() });
    rows.catch(() => this.#opened.delete(place));
    return rows;
  }
}
