import type { ConnectionConfig, SyncConfig } from './config.ts';
import { fieldsToRead } from './fields-to-read.ts';
import { stableText } from './fingerprint.ts';
import type { Report } from './report.ts';

/** The words by which connectors name what is read or written. Other keys of `from` and `to` say how, not what. */
export const namingKeys = ['object', 'table', 'dataset', 'path', 'file', 'collection', 'topic', 'queue', 'schema'] as const;

interface Dataset {
  /** The connector and what it is configured with: two connections to one system are one. */
  readonly system: string;
  readonly names: ReadonlyMap<string, string>;
}

/** What a sync reads or writes; null when it has no name, e.g. a console. */
function datasetOf(connection: ConnectionConfig | undefined, spec: unknown): Dataset | null {
  if (connection === undefined || typeof spec !== 'object' || spec === null) return null;
  const names = new Map<string, string>();
  for (const key of namingKeys) {
    const value = (spec as Record<string, unknown>)[key];
    if (typeof value === 'string') names.set(key, value.toLowerCase());
  }
  return names.size === 0 ? null : { system: stableText([connection.connector.name, connection.config]), names };
}

/** What only one of them says, such as a schema, is taken for the default that the other one means. */
function same(a: Dataset, b: Dataset): boolean {
  const shared = [...a.names.keys()].filter((key) => b.names.has(key));
  if (a.system !== b.system || shared.every((key) => key === 'schema')) return false;
  return shared.every((key) => a.names.get(key) === b.names.get(key));
}

/** Two syncs that write one dataset overwrite each other's rows and sweep them away; a circle of syncs never comes to rest. */
export function checkDatasets(
  syncs: ReadonlyMap<string, SyncConfig>,
  connections: ReadonlyMap<string, ConnectionConfig>,
  report: Report,
): void {
  const writers: { sync: string; to: Dataset }[] = [];
  const edges: Edge[] = [];
  for (const sync of syncs.values()) {
    const to = datasetOf(connections.get(sync.to.connection), sync.to.spec);
    const from = sync.from.kind === 'connection' ? datasetOf(connections.get(sync.from.connection), sync.from.spec) : null;
    if (to === null) continue;
    // What is published, or put into a queue, stands beside what others put there.
    const other = to.names.has('topic') || to.names.has('queue') ? undefined : writers.find((writer) => same(writer.to, to));
    if (other !== undefined) {
      report.error(['syncs', sync.name, 'to'], `writes what sync ${other.sync} writes`, 'give each sync a table of its own');
    }
    writers.push({ sync: sync.name, to });
    if (from !== null) edges.push({ sync: sync.name, from, to, reads: readsOf(sync), writes: writesOf(sync) });
  }
  for (const circle of circles(edges)) {
    const names = [...circle, circle[0]!].join(' → ');
    const message = circle.length === 1 ? 'reads what it writes' : `is part of a circle: ${names}`;
    report.error(
      ['syncs', circle[0]!],
      message,
      'let it write fields that the next one does not read (fields:, exclude:), or make it a two-way sync (between:)',
    );
  }
}

/** The syncs that write the very dataset that this one writes, by their checkpoints: of other orgs, or other parts of its source. */
export function neighboursOf({ to, watermarkKey }: SyncConfig, syncs: Iterable<SyncConfig>): string[] {
  const place = stableText(to.spec);
  return [...syncs]
    .filter((each) => each.watermarkKey !== watermarkKey && each.to.connection === to.connection)
    .filter((each) => stableText(each.to.spec) === place)
    .map((each) => each.watermarkKey);
}

interface Edge {
  readonly sync: string;
  readonly from: Dataset;
  readonly to: Dataset;
  readonly reads: Fields;
  readonly writes: Fields;
}

/** Folded names: these, or all but these. */
type Fields = { readonly only: ReadonlySet<string> } | { readonly allBut: ReadonlySet<string> };

const folded = (names: Iterable<string>) => new Set([...names].map((name) => name.toLowerCase()));

function readsOf(sync: SyncConfig): Fields {
  const names = fieldsToRead(sync);
  return names === null ? { allBut: folded(sync.exclude) } : { only: folded(names) };
}

/** A key finds the record and is not changed by it. */
function writesOf({ fields, to }: SyncConfig): Fields {
  if (fields === null) return { allBut: new Set() };
  const key = folded(to.key ?? []);
  return { only: new Set([...folded(fields.keys())].filter((name) => !key.has(name))) };
}

/** Whether what one writes may be what another reads. */
function meet(written: Fields, read: Fields): boolean {
  if (!('only' in written)) return true;
  return [...written.only].some((name) => ('only' in read ? read.only.has(name) : !read.allBut.has(name)));
}

/** Each circle once, by the names of its syncs, from the one that comes first in the file. */
function circles(edges: readonly Edge[]): string[][] {
  const found: string[][] = [];
  const reported = new Set<string>();
  for (const start of edges) {
    if (reported.has(start.sync)) continue;
    const circle = wayBack(start, edges);
    if (circle === null || circle.some((name) => reported.has(name))) continue;
    for (const name of circle) reported.add(name);
    found.push(circle);
  }
  return found;
}

/** The shortest chain of syncs from a sync's target back to its source. */
function wayBack(start: Edge, edges: readonly Edge[]): string[] | null {
  const open: { at: Edge; names: string[] }[] = [{ at: start, names: [start.sync] }];
  const visited = new Set<string>([start.sync]);
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    const { at, names } = next;
    if (same(at.to, start.from) && meet(at.writes, start.reads)) return names;
    for (const edge of edges) {
      if (visited.has(edge.sync) || !same(edge.from, at.to) || !meet(at.writes, edge.reads)) continue;
      visited.add(edge.sync);
      open.push({ at: edge, names: [...names, edge.sync] });
    }
  }
  return null;
}
