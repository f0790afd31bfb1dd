import type { Change } from './change.ts';

/** One entry of a database's change log, as its triggers wrote it. */
export interface LogEntry<Key> {
  /** `U` for an update of a row that stays the same record; any other leaves open what changed. */
  readonly op: string;
  readonly key: Key;
  /** Columns that changed, where an update told. */
  readonly changed: readonly string[] | null;
  /** Our syncs that wrote, separated by commas; null for anybody else. */
  readonly writer: string | null;
  readonly atMs: number;
}

/** What a stretch of the log says of one record: everything but its values, which are read as they are now. */
export interface Touched<Key> {
  readonly key: Key;
  /** Null when that is not known: a new record, one that went. */
  readonly changed: ReadonlySet<string> | null;
  /** Null when somebody else wrote as well. */
  readonly writers: ReadonlySet<string> | null;
  readonly atMs: number;
}

/** One for each key, in the order in which keys were last written. `nameOf` tells keys apart. */
export function touchedRecords<Key>(entries: readonly LogEntry<Key>[], nameOf: (key: Key) => string): Touched<Key>[] {
  const byName = new Map<string, Touched<Key>>();
  for (const entry of entries) {
    const name = nameOf(entry.key);
    const before = byName.get(name);
    byName.delete(name);
    byName.set(name, before === undefined ? first(entry) : merged(before, entry));
  }
  return [...byName.values()];
}

/** The change with what the log told beside its values. */
export function withLogFacts<Key>(change: Change, { changed, writers, atMs }: Touched<Key>): Change {
  return {
    ...change,
    changedAtMs: atMs,
    ...(changed === null || change.op === 'delete' ? {} : { changed: [...changed] }),
    ...(writers === null ? {} : { writers: [...writers] }),
  };
}

function first<Key>({ op, key, changed, writer, atMs }: LogEntry<Key>): Touched<Key> {
  return {
    key,
    changed: op === 'U' && changed !== null ? new Set(changed) : null,
    writers: writer === null ? null : new Set(writer.split(',')),
    atMs,
  };
}

function merged<Key>(before: Touched<Key>, entry: LogEntry<Key>): Touched<Key> {
  const { key, changed, writers, atMs } = first(entry);
  const union = (a: ReadonlySet<string> | null, b: ReadonlySet<string> | null) =>
    a === null || b === null ? null : new Set([...a, ...b]);
  return {
    key,
    changed: union(before.changed, changed),
    writers: union(before.writers, writers),
    atMs: Math.max(before.atMs, atMs),
  };
}
