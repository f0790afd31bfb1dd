import type { ConnectionConfig, SyncConfig } from './config.ts';
import type { Path } from './located-yaml.ts';
import type { Report } from './report.ts';

/**
 * What a sync with `parts:` is: each part is a sync of its own, named `orders.1of4`, with its own checkpoint, owner, runs and
 * failures, so that workers share them as they share any others.
 */
export function inParts(sync: SyncConfig): readonly SyncConfig[] {
  const { parts } = sync;
  if (parts === undefined) return [sync];
  const names = (name: string) => Array.from({ length: parts }, (_, index) => `${name}.${index + 1}of${parts}`);
  const units = names(sync.watermarkKey);
  return names(sync.name).map((name, index) => {
    const part = { index, of: parts, units, sync: sync.name };
    return { ...sync, part, name, watermarkKey: units[index]! };
  });
}

/** Whether its source can be read in parts, and its target takes from several at once. */
export function checkParts(
  { from, to, org }: Pick<SyncConfig, 'from' | 'to'> & { readonly org: string | undefined },
  path: Path,
  { report, connections }: { readonly report: Report; readonly connections: ReadonlyMap<string, ConnectionConfig> },
): void {
  const at = [...path, 'parts'];
  // Receipts of what is posted are told in its order, by who has read all of it.
  if (from.kind === 'connection' && from.hook !== undefined) {
    const hint = 'let it fill a queue, and read that one in parts';
    report.error(at, 'is not for a hook', hint, 'key');
    return;
  }
  const source = from.kind === 'connection' ? connections.get(from.connection)?.connector : undefined;
  const target = connections.get(to.connection)!.connector;
  if (source?.readsInParts !== true) {
    const hint = 'leave it out; topics of Kafka and queues can';
    report.error(at, `is not something in which ${source?.name ?? 'a source of your own'} can be read`, hint, 'key');
  }
  if (target.hasOneWriter === true) {
    const hint = 'leave it out, or write to a database';
    report.error(at, `is not for ${target.name}, which takes from one at a time`, hint, 'key');
  }
  if (org !== undefined) report.error(at, 'has no meaning with forEach: org', 'workers share the orgs', 'key');
}
