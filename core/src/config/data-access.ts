import { z } from 'zod';
import type { TableSurroundings } from '../model/rows.ts';
import type { ConnectionConfig } from './config.ts';
import { type SyncedConfig, type SyncedTable, syncedTables } from './data-tables.ts';
import type { Report } from './report.ts';

/** What may be asked of a table over HTTP; each allows what stands before it. */
const accesses = ['read', 'write', 'write-through'] as const;
export type DataAccess = (typeof accesses)[number];

/** By connection: for all its tables, or table by table. */
export type DataConfig = ReadonlyMap<string, DataAccess | ReadonlyMap<string, DataAccess>>;

const access = z.enum(accesses).meta({
  description:
    'read; write: into the database, from where syncs bring it on; write-through: the answer tells what the other side of the two-way sync made of it',
});

export const dataSchema = z.record(z.string(), z.union([access, z.record(z.string(), access)])).meta({
  description:
    'Tables of syncs that are served at /data/<connection>/<table>: a connection with read, write or write-through, or its tables with one each. None unless told',
});

/** What may be asked of a table, where nothing may that nobody has written down. */
export function accessTo({ connection, spec, isCopy, pairing }: SyncedTable, data: DataConfig): DataAccess | null {
  const given = data.get(connection);
  const wished = typeof given === 'object' ? given.get(spec.name) : given;
  if (wished === undefined) return null;
  if (isCopy || (wished === 'write-through' && pairing === null)) return 'read';
  return wished;
}

/** `http: { data: … }`, held against the tables that there are. */
export function readData(
  data: z.output<typeof dataSchema>,
  synced: SyncedConfig & { readonly surroundings: TableSurroundings; readonly hasOrgs: boolean },
  report: Report,
): DataConfig {
  const tables = syncedTables(synced, synced.surroundings);
  const read = new Map<string, DataAccess | ReadonlyMap<string, DataAccess>>();
  for (const [connection, given] of Object.entries(data)) {
    const path = ['http', 'data', connection];
    const configured = synced.connections.get(connection);
    const own = tables.get(connection) ?? new Map<string, SyncedTable>();
    if (configured === undefined)
      report.unknown(path, 'there is no such connection', connection, synced.connections.keys(), 'key');
    else if (configured.connector.rows === undefined) refuseType(configured, path, report);
    else if (typeof given === 'object') checkTables(given, own, { path, hasOrgs: synced.hasOrgs }, report);
    read.set(connection, typeof given === 'string' ? given : new Map(Object.entries(given)));
  }
  return read;
}

function refuseType({ connector }: ConnectionConfig, path: readonly string[], report: Report): void {
  const message = `is of type ${connector.name}, whose records are not served`;
  report.error([...path], message, 'name a database that syncs read or write', 'key');
}

function checkTables(
  given: Readonly<Record<string, DataAccess>>,
  own: ReadonlyMap<string, SyncedTable>,
  { path, hasOrgs }: { readonly path: readonly string[]; readonly hasOrgs: boolean },
  report: Report,
): void {
  for (const [name, wished] of Object.entries(given)) {
    const table = own.get(name);
    // Tables of orgs that are connected later have names that only then are known.
    if (table === undefined && hasOrgs) continue;
    if (table === undefined)
      report.unknown([...path, name], 'is no table that a sync reads or writes here', name, own.keys(), 'key');
    else if (wished !== 'read' && table.isCopy) {
      const message = 'is a copy, which its sync would write over';
      report.error([...path, name], message, 'take read, or make it a side of a two-way sync (between:)');
    } else if (wished === 'write-through' && table.pairing === null) {
      const message = 'is no side of a two-way sync that could bring it on';
      report.error([...path, name], message, 'take write, or make it a side of a two-way sync (between:)');
    }
  }
}
