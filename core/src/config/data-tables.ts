import type { RowsSpec, TableSurroundings, TableUse } from '../model/rows.ts';
import type { ConnectionConfig, SyncConfig } from './config.ts';
import type { PairingConfig } from './pairing.ts';

/** A table that syncs read or write, and what they are to it. */
export interface SyncedTable {
  readonly connection: string;
  readonly spec: RowsSpec;
  /** One-way syncs write it: what anybody else writes there is written over again. */
  readonly isCopy: boolean;
  /** The two-way sync whose side it is. */
  readonly pairing: { readonly sync: string; readonly side: 'left' | 'right' } | null;
}

export interface SyncedConfig {
  readonly connections: ReadonlyMap<string, ConnectionConfig>;
  readonly syncs: Iterable<SyncConfig>;
  readonly pairings: Iterable<PairingConfig>;
}

/** Which use of a table knows most about it. */
const KNOWS = ['to', 'from', 'side'] as const;

/** The tables of a configuration that can be looked into row by row: of each connection, by their names. */
export function syncedTables(
  { connections, syncs, pairings }: SyncedConfig,
  surroundings: TableSurroundings,
): ReadonlyMap<string, ReadonlyMap<string, SyncedTable>> {
  const found = new Map<string, Map<string, SyncedTable & { readonly as: TableUse['as'] }>>();
  const add = (connection: string, use: TableUse, pairing: SyncedTable['pairing'], mentions: readonly string[]) => {
    const { connector, config } = connections.get(connection) ?? {};
    const place = connector?.rows?.place(config, use, surroundings) ?? null;
    if (place === null) return;
    const tables = found.get(connection) ?? new Map();
    found.set(connection, tables);
    const before = tables.get(place.name);
    const knowsMore = before === undefined || KNOWS.indexOf(use.as) > KNOWS.indexOf(before.as);
    tables.set(place.name, {
      connection,
      as: knowsMore ? use.as : before.as,
      spec: { ...(knowsMore ? place : before.spec), mentions: [...new Set([...(before?.spec.mentions ?? []), ...mentions])] },
      isCopy: use.as === 'to' || (before?.isCopy ?? false),
      pairing: before?.pairing ?? pairing,
    });
  };
  for (const { from, to, fields } of syncs) {
    if (from.kind === 'connection') add(from.connection, { as: 'from', spec: from.spec }, null, []);
    add(to.connection, { as: 'to', spec: to.spec }, null, [...(fields?.keys() ?? [])]);
  }
  for (const { name, fields, ...sides } of pairings) {
    for (const side of ['left', 'right'] as const) {
      const { connection, spec, link } = sides[side];
      const mentions = [...fields.map((field) => field[side]), ...(link === null ? [] : [link])];
      add(connection, { as: 'side', spec }, { sync: name, side }, mentions);
    }
  }
  return found;
}
