import { expect } from 'vitest';

/** A version of a row as it is kept. */
export interface Version {
  readonly key: string;
  /** Of all columns, as one text. */
  readonly values: string;
  readonly from: string;
  readonly to: string | null;
  readonly operation: string;
  readonly endedBy: string | null;
}

/** Asks a SQL target as another program would; answers rows of texts. */
export type Ask = (sql: string) => Promise<readonly (readonly (string | null)[])[]> | readonly (readonly (string | null)[])[];

/** Columns of the table, the key first; without those that tell of a stamp. */
export interface HistoryPlace {
  readonly table: string;
  readonly columns: readonly string[];
}

const texts = (columns: readonly string[]) => columns.map((column) => `CAST(${column} AS text)`).join(', ');

/** All versions, by key and time. */
export async function readVersions(ask: Ask, { table, columns }: HistoryPlace): Promise<Version[]> {
  const told = `${texts(['valid_from', 'valid_to'])}, operation, ended_by`;
  const rows = await ask(`SELECT ${told}, ${texts(columns)} FROM ${table}_history ORDER BY ${columns[0]}, valid_from`);
  return rows.map(([from, to, operation, endedBy, ...values]) => ({
    key: values[0]!,
    values: JSON.stringify(values),
    from: from!,
    to: to!,
    operation: operation!,
    endedBy: endedBy!,
  }));
}

/** The rows as they stand: by key, in the form of `Version.values`. */
export async function readCurrent(ask: Ask, { table, columns }: HistoryPlace): Promise<ReadonlyMap<string, string>> {
  const rows = await ask(`SELECT ${texts(columns)} FROM ${table}`);
  return new Map(rows.map((values) => [values[0]!, JSON.stringify(values)]));
}

/**
 * What holds of every history at every moment: the open versions are the rows that stand; versions of one row neither overlap nor leave
 * a hole but where the row was gone; none is empty, and none is equal to the one before it.
 */
export function expectSoundHistory(versions: readonly Version[], current: ReadonlyMap<string, string>): void {
  const open = versions.filter(({ to }) => to === null).map(({ key, values }) => [key, values] as const);
  expect(new Map(open)).toEqual(current);
  expect(open).toHaveLength(current.size);
  for (const { from, to, endedBy } of versions) {
    expect(endedBy === null).toBe(to === null);
    if (to !== null) expect(from < to, `${from} … ${to}`).toBe(true);
  }
  for (const all of Map.groupBy(versions, ({ key }) => key).values()) {
    expect(all[0]!.operation).toBe('insert');
    for (const [i, next] of all.slice(1).entries()) {
      const { to, endedBy, values } = all[i]!;
      expect({ endedBy, next: next.operation }).toEqual(
        endedBy === 'delete' ? { endedBy: 'delete', next: 'insert' } : { endedBy: 'update', next: 'update' },
      );
      if (endedBy === 'delete') expect(to! <= next.from, `${to} … ${next.from}`).toBe(true);
      else expect(to).toBe(next.from);
      if (endedBy === 'update') expect(values).not.toBe(next.values);
    }
  }
}

/** The values that each key had, one after the other; null where it was gone. What a history should tell, in the least words. */
export class Told {
  readonly #byKey = new Map<string, (string | null)[]>();

  /** Looks at what is committed now. */
  note(current: ReadonlyMap<string, string>): void {
    for (const key of new Set([...this.#byKey.keys(), ...current.keys()])) {
      const told = this.#byKey.get(key) ?? [];
      const now = current.get(key) ?? null;
      if ((told.at(-1) ?? null) !== now) this.#byKey.set(key, [...told, now]);
    }
  }

  expectOf(versions: readonly Version[]): void {
    const told = new Map<string, (string | null)[]>();
    for (const { key, values, endedBy } of versions) {
      told.set(key, [...(told.get(key) ?? []), values, ...(endedBy === 'delete' ? [null] : [])]);
    }
    expect(told).toEqual(this.#byKey);
  }
}
