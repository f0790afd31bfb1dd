import type { ConnectionConfig, SyncConfig } from './config.ts';
import { stableText } from './fingerprint.ts';
import type { Report } from './report.ts';

/** The words by which connectors name what is read or written. Other keys of `from` and `to` say how, not what. */
const namingKeys = ['object', 'table', 'schema', 'dataset', 'path', 'file', 'collection', 'topic'];

/**
 * What a sync reads or writes, so that two ways to name one thing compare: two connections to the same system are one.
 * Null when it has no name, e.g. a console.
 */
function datasetOf(connection: ConnectionConfig | undefined, spec: unknown): string | null {
  if (connection === undefined || typeof spec !== 'object' || spec === null) return null;
  const named = namingKeys.flatMap((key) => {
    const value = (spec as Record<string, unknown>)[key];
    return typeof value === 'string' ? [[key, value.toLowerCase()]] : [];
  });
  if (named.length === 0) return null;
  return stableText([connection.connector.name, connection.config, named]);
}

/** Two syncs that write one dataset overwrite each other's rows and sweep them away; a circle of syncs never comes to rest. */
export function checkDatasets(
  syncs: ReadonlyMap<string, SyncConfig>,
  connections: ReadonlyMap<string, ConnectionConfig>,
  report: Report,
): void {
  const writers = new Map<string, string>();
  const edges: { sync: string; from: string; to: string }[] = [];
  for (const sync of syncs.values()) {
    const to = datasetOf(connections.get(sync.to.connection), sync.to.spec);
    const from = sync.from.kind === 'connection' ? datasetOf(connections.get(sync.from.connection), sync.from.spec) : null;
    if (to === null) continue;
    const other = writers.get(to);
    if (other === undefined) writers.set(to, sync.name);
    else report.error(['syncs', sync.name, 'to'], `writes what sync ${other} writes`, 'give each sync a table of its own');
    if (from !== null) edges.push({ sync: sync.name, from, to });
  }
  for (const cycle of cycles(edges)) {
    const names = [...cycle, cycle[0]!].join(' → ');
    const message = cycle.length === 1 ? 'reads what it writes' : `is part of a circle: ${names}`;
    report.error(['syncs', cycle[0]!], message, 'one-way syncs must not lead back; two-way syncs are not in this version');
  }
}

/** Each circle once, by the names of its syncs, from the one that comes first in the file. */
function cycles(edges: readonly { sync: string; from: string; to: string }[]): string[][] {
  const found: string[][] = [];
  const reported = new Set<string>();
  for (const start of edges) {
    const reached = new Map<string, string[]>([[start.to, [start.sync]]]);
    const open = [start.to];
    for (let at = open.shift(); at !== undefined; at = open.shift()) {
      if (at === start.from) break;
      for (const edge of edges) {
        if (edge.from !== at || reached.has(edge.to)) continue;
        reached.set(edge.to, [...reached.get(at)!, edge.sync]);
        open.push(edge.to);
      }
    }
    const cycle = reached.get(start.from);
    if (cycle === undefined || cycle.some((name) => reported.has(name))) continue;
    for (const name of cycle) reported.add(name);
    found.push(cycle);
  }
  return found;
}
