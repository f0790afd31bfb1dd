import type { Change } from '../../model/change.ts';
import { NO_STAMP } from '../../model/change.ts';
import type { Source } from '../../model/connector.ts';
import { addCalls, type FieldPreview, noCalls, type WriteCalls } from '../../model/preview.ts';
import type { Side, SidePreview, SideResult, SideRow, SideWrite } from '../../model/side.ts';
import { newRow, type Row, textOf } from '../../model/value.ts';
import type { PlannedWrite } from '../dry-run.ts';
import { isLike } from './is-like.ts';

/** Rows that are remembered: more than are read before any of them is written. */
const SEEN_MAX = 5000;

/**
 * A side that is read and not written: what a run would write there is told, and from then on answered as if it had been. What the
 * system itself would make of a value (trim it, round it, refuse it) does not show; the next run would find it.
 */
export class DrySide implements Side {
  readonly link: string | null;
  readonly creates: Side['creates'];
  readonly source: Source;
  readonly now?: NonNullable<Side['now']>;
  readonly caseless?: NonNullable<Side['caseless']>;
  readonly #side: Side;
  readonly #name: string;
  readonly #preview: SidePreview | null;
  readonly #onWrite: (write: PlannedWrite) => void;
  /** As it would be: null for what would be deleted. */
  readonly #rows = new Map<string, SideRow | null>();
  /** As they were read lately, to tell what a write would replace. */
  readonly #seen = new Map<string, SideRow>();
  #made = 0;

  /** @param name  tells the records that would be made here from those of the other side */
  constructor(side: Side, name: string, onWrite: (write: PlannedWrite) => void) {
    this.#side = side;
    this.#name = name;
    this.#preview = side.openPreview?.() ?? null;
    this.#onWrite = onWrite;
    this.link = side.link;
    this.creates = side.creates;
    if (side.now !== undefined) this.now = (signal) => side.now!(signal);
    if (side.caseless !== undefined) this.caseless = side.caseless;
    this.source = this.#readOnly(side.source);
  }

  /** Null where requests are not counted. */
  get calls(): WriteCalls | null {
    return this.#preview?.calls ?? null;
  }

  async merge(
    keys: readonly string[],
    decide: (rows: ReadonlyMap<string, SideRow>) => Promise<readonly SideWrite[]>,
    signal: AbortSignal,
  ): Promise<readonly SideResult[]> {
    const rows = new Map<string, SideRow>();
    const there = keys.filter((key) => !this.#rows.has(key));
    const read = async (found: ReadonlyMap<string, SideRow>) => {
      for (const [key, row] of found) rows.set(key, row);
      return [];
    };
    if (there.length > 0) await this.#side.merge(there, read, signal);
    for (const key of keys) {
      const row = this.#rows.get(key);
      if (row != null) rows.set(key, row);
    }
    const writes = await decide(rows);
    const refusals = (await this.#preview?.write(writes, signal)) ?? [];
    return writes.map((write, i): SideResult => {
      const reason = refusals[i] ?? (write.op === 'create' && !this.creates.ok ? cannotCreate(this.creates.message) : null);
      if (reason === null) return this.#apply(write, rows);
      const key = write.op === 'create' ? (textOf(write.row[this.link ?? '']) ?? '') : write.key;
      this.#onWrite({ key, effect: 'refused', fields: [], resent: 0, reason });
      return { status: 'rejected', reason };
    });
  }

  #apply(write: SideWrite, rows: ReadonlyMap<string, SideRow>): SideResult {
    if (write.op === 'create') {
      const key = `(new in ${this.#name}: ${++this.#made})`;
      const fields = Object.entries(write.row).map(([field, after]) => ({ field, after }));
      this.#onWrite({ key, effect: 'create', fields, resent: 0 });
      const named = Object.fromEntries(this.source.schema.key.map((name) => [name, key]));
      this.#rows.set(key, { key, row: Object.assign(newRow(), write.row, named), atMs: null });
      return { status: 'written', key };
    }
    const before = rows.get(write.key) ?? this.#rows.get(write.key) ?? this.#seen.get(write.key) ?? null;
    if (write.op === 'delete') {
      this.#onWrite({ key: write.key, effect: 'delete', fields: [], resent: 0 });
      this.#rows.set(write.key, null);
      return { status: 'written', key: write.key };
    }
    const fields = Object.entries(write.row).map(([field, after]): FieldPreview => {
      return before === null ? { field, after } : { field, before: before.row[field] ?? null, after };
    });
    this.#onWrite({ key: write.key, effect: 'update', fields, resent: 0 });
    const atMs = before?.atMs ?? null;
    this.#rows.set(write.key, { key: write.key, row: Object.assign(newRow(), before?.row, write.row), atMs });
    return { status: 'written', key: write.key };
  }

  async find(wanted: readonly Row[], signal: AbortSignal, caseless?: ReadonlySet<string>): Promise<readonly SideRow[]> {
    const found = (await this.#side.find(wanted, signal, caseless)).filter(({ key }) => !this.#rows.has(key));
    for (const row of found) this.#remember(row);
    const isWanted = ({ row }: SideRow) => wanted.some((want) => isLike(row, want, caseless));
    return [...found, ...[...this.#rows.values()].filter((row): row is SideRow => row !== null && isWanted(row))];
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #remember(row: SideRow): void {
    this.#seen.delete(row.key);
    this.#seen.set(row.key, row);
    if (this.#seen.size <= SEEN_MAX) return;
    const [oldest] = this.#seen.keys();
    this.#seen.delete(oldest!);
  }

  #readOnly(source: Source): Source {
    const readKeys = async (keys: readonly string[], signal: AbortSignal): Promise<readonly Change[]> => {
      const known = new Map(keys.flatMap((key) => (this.#rows.has(key) ? [[key, this.#rows.get(key)!] as const] : [])));
      const asked = keys.filter((key) => known.get(key)?.key.startsWith('(new ') !== true);
      const read = asked.length === 0 ? [] : await source.readKeys!(asked, signal);
      // The run would ask for what it has made.
      if (asked.length === 0 && keys.length > 0) this.#preview?.readMade(keys.length);
      const changes = new Map(read.map((change) => [change.key, change]));
      return keys.map((key): Change => {
        const own = known.get(key);
        const change =
          own === undefined
            ? changes.get(key)!
            : own === null
              ? gone(key)
              : ({ op: 'upsert', key, row: own.row, stampMs: own.atMs ?? NO_STAMP } as const);
        if (change.op === 'upsert') this.#remember({ key, row: change.row!, atMs: change.stampMs });
        return change;
      });
    };
    return new Proxy(source, {
      get(target, name) {
        if (name === 'mark' && source.markKeeps === true) return async () => null;
        const value = Reflect.get(target, name, target) as unknown;
        if (name === 'readKeys' && value !== undefined) return readKeys;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }
}

const gone = (key: string): Change => ({ op: 'delete', key, row: null, stampMs: NO_STAMP });
const cannotCreate = (message: string) => ({ code: 'cannot_create', message });

/** Of both sides together; null where neither counts requests. */
export function callsOf(sides: readonly DrySide[]): WriteCalls | null {
  const counted = sides.flatMap(({ calls }) => calls ?? []);
  if (counted.length === 0) return null;
  const sum = noCalls();
  for (const calls of counted) addCalls(sum, calls);
  return sum;
}
