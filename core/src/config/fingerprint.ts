import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ConnectionConfig, SyncConfig } from './config.ts';

/**
 * A hash of everything that decides what lands in the target; kept with the checkpoint. Schedules, notes and credentials
 * are no part of it; the code of `run:` files is, because a changed function makes other rows of old records.
 */
export function fingerprint(sync: Omit<SyncConfig, 'fingerprint'>, connections: ReadonlyMap<string, ConnectionConfig>): string {
  const type = (name: string) => connections.get(name)?.connector.name;
  const { from, to } = sync;
  const relevant = {
    from:
      from.kind === 'run'
        ? { code: hashFile(from.file), key: from.key, fields: from.fields, options: from.options }
        : { connection: from.connection, type: type(from.connection), spec: from.spec },
    to: { connection: to.connection, type: type(to.connection), spec: to.spec, key: to.key },
    where: sync.where,
    fields: sync.fields,
    exclude: [...sync.exclude].sort(),
    steps: sync.steps.map((step) => {
      if (step.kind === 'filter') return { filter: step.expression };
      if (step.kind === 'map') return { map: step.fields };
      return { run: hashFile(step.file), reads: step.reads ?? undefined, options: step.options };
    }),
    startAt: sync.startAt,
    deletes: sync.deletes,
  };
  return hashOf(relevant);
}

export function hashOf(value: unknown): string {
  return createHash('sha256').update(stableText(value)).digest('hex').slice(0, 32);
}

export function hashFile(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** JSON with sorted keys: the same content gives the same text, however it is ordered in the file. */
export function stableText(value: unknown): string {
  if (value instanceof Map) return stableText(Object.fromEntries(value));
  if (Array.isArray(value)) return `[${value.map(stableText).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, member]) => member !== undefined);
    return `{${entries
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => `${JSON.stringify(key)}:${stableText(member)}`)
      .join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}
