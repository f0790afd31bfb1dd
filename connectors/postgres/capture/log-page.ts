/** What the log says of one row: as read, without its values. */
export interface Touched {
  /** Texts of the key's columns. */
  readonly key: readonly string[];
  /** Columns that changed; null when that is not known: a new row, one that went, one of a table whose columns are others by now. */
  readonly changed: ReadonlySet<string> | null;
  /** Syncs of ours that wrote it; null when somebody else did as well. */
  readonly writers: ReadonlySet<string> | null;
  readonly atMs: number;
}

export interface LogRow {
  readonly op: string;
  readonly key: readonly string[];
  readonly changed: readonly string[] | null;
  readonly writer: string | null;
  readonly atMs: number;
}

/** One entry for each key, in the order in which keys were last written. */
export function touchedKeys(rows: readonly LogRow[]): Touched[] {
  const byKey = new Map<string, Touched>();
  for (const row of rows) {
    const name = JSON.stringify(row.key);
    const before = byKey.get(name);
    byKey.delete(name);
    byKey.set(name, before === undefined ? first(row) : merged(before, row));
  }
  return [...byKey.values()];
}

function first({ op, key, changed, writer, atMs }: LogRow): Touched {
  return {
    key,
    changed: op === 'U' && changed !== null ? new Set(changed) : null,
    writers: writer === null ? null : new Set(writer.split(',')),
    atMs,
  };
}

function merged(before: Touched, row: LogRow): Touched {
  const { changed, writers, atMs } = first(row);
  const union = <T>(a: ReadonlySet<T> | null, b: ReadonlySet<T> | null) =>
    a === null || b === null ? null : new Set([...a, ...b]);
  return {
    key: row.key,
    changed: union(before.changed, changed),
    writers: union(before.writers, writers),
    atMs: Math.max(before.atMs, atMs),
  };
}
