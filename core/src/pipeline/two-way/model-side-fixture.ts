import { isDeepStrictEqual } from 'node:util';
import { TransientError } from '../../base/errors.ts';
import type { Change, Rejection } from '../../model/change.ts';
import type { Source } from '../../model/connector.ts';
import type { DatasetSchema } from '../../model/schema.ts';
import type { Side, SideResult, SideRow, SideWrite } from '../../model/side.ts';
import { type FieldValue, newRow, type Row } from '../../model/value.ts';

/** What becomes of the engine's calls, decided by the test: `null` goes well. */
export type Fate = 'breaks before' | 'breaks after' | null;

/** One side of a two-way sync as plain rows, with people who edit them, spellings of its own, refusals and broken connections. */
export class ModelSide implements Side {
  readonly rows = new Map<string, { row: Row; atMs: number }>();
  /** Keys that changed since somebody asked, whoever changed them. */
  readonly touched = new Set<string>();
  /** Fields written by the engine. */
  writes = 0;
  /** Values of fields that the engine replaced, by people's edits that no write of the engine had made. */
  readonly overwritten: { key: string; field: string; value: FieldValue }[] = [];
  /** Every value that the engine put another one in the place of, whoever had made it. */
  readonly replaced: { key: string; field: string; value: FieldValue }[] = [];
  /** Fields that the engine set to what it had just read there. */
  idle = 0;
  /** Every value that the engine ever set here. */
  readonly received = new Set<FieldValue>();
  readonly link: string;
  readonly creates = { ok: true } as const;
  readonly source: Source;
  spell: (value: string) => string = (value) => value;
  /** Null is a delete. */
  refuses: (row: Row | null) => Rejection | null = () => null;
  /** As when the reply of a first try is lost, and the second meets a lock: it is written, and said to be refused. */
  refusesWritten: Rejection | null = null;
  fate: () => Fate = () => null;
  /** What people do between the engine's reading and its writing, where nothing is locked. */
  meanwhile: () => void = () => {};
  /** Writes have the condition that the record is as it was shown. */
  conditional = false;
  readonly #prefix: string;
  readonly #now: () => number;
  /** Values of a field that the engine wrote there. */
  readonly #ours = new Set<string>();
  readonly #read = new Map<string, Row>();
  #made = 0;

  constructor(prefix: string, fields: readonly string[], now: () => number) {
    this.#prefix = prefix;
    this.#now = now;
    this.link = 'partner';
    const schema: DatasetSchema = {
      name: prefix,
      key: ['id'],
      fields: ['id', 'partner', ...fields].map((name) => ({ name, type: 'text', nullable: name !== 'id' })),
    };
    const readKeys = async (keys: readonly string[]) => keys.map((key) => this.#change(key));
    this.source = { schema, readKeys } as unknown as Source;
  }

  /** A person makes a record. */
  create(values: Row): string {
    return this.#create(values);
  }

  edit(key: string, field: string, value: FieldValue): void {
    const found = this.rows.get(key);
    if (found === undefined) return;
    found.row[field] = this.#spelled(field, value);
    this.#ours.delete(`${key} ${field}`);
    found.atMs = this.#now();
    this.touched.add(key);
  }

  delete(key: string): void {
    if (this.rows.delete(key)) this.touched.add(key);
  }

  async merge(
    keys: readonly string[],
    decide: (rows: ReadonlyMap<string, SideRow>) => Promise<readonly SideWrite[]>,
  ): Promise<readonly SideResult[]> {
    const rows = new Map(keys.flatMap((key) => (this.rows.has(key) ? [[key, this.#sideRow(key)] as const] : [])));
    const writes = await decide(rows);
    this.meanwhile();
    const fate = writes.length === 0 ? null : this.fate();
    if (fate === 'breaks before') throw new TransientError('the connection broke before the write');
    const isMoved = (write: SideWrite) => this.conditional && write.op !== 'create' && !this.#isAsShown(write.key, rows);
    const answers = writes.map((write): SideResult => (isMoved(write) ? { status: 'moved' } : this.#write(write)));
    const refused = this.refusesWritten;
    const results = refused === null ? answers : answers.map((): SideResult => ({ status: 'rejected', reason: refused }));
    if (fate === 'breaks after') throw new TransientError('the reply was lost');
    return results;
  }

  async find(wanted: readonly Row[]): Promise<readonly SideRow[]> {
    const same = (row: Row) => wanted.some((want) => Object.entries(want).every(([name, value]) => row[name] === value));
    return [...this.rows].flatMap(([key, { row }]) => (same({ ...row, id: key }) ? [this.#sideRow(key)] : []));
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #isAsShown(key: string, rows: ReadonlyMap<string, SideRow>): boolean {
    return isDeepStrictEqual({ ...rows.get(key)?.row }, { ...this.rows.get(key)?.row, id: key });
  }

  #write(write: SideWrite): SideResult {
    const reason = this.refuses(write.op === 'delete' ? null : write.row);
    if (reason !== null) return { status: 'rejected', reason };
    if (write.op === 'create') {
      // The partner's key is unique: to make it again is to find it.
      const known = [...this.rows].find(([, { row }]) => row.partner === write.row.partner);
      if (known !== undefined) return this.#write({ op: 'update', key: known[0], row: write.row });
      this.writes++;
      const key = this.#create(write.row);
      for (const [field, value] of Object.entries(write.row)) {
        this.#ours.add(`${key} ${field}`);
        this.received.add(value);
      }
      return { status: 'written', key };
    }
    const found = this.rows.get(write.key);
    if (found === undefined) return { status: 'gone' };
    this.writes++;
    if (write.op === 'delete') {
      for (const [field, value] of Object.entries(found.row)) {
        this.replaced.push({ key: write.key, field, value });
        if (!this.#ours.has(`${write.key} ${field}`)) this.overwritten.push({ key: write.key, field, value });
      }
      this.delete(write.key);
    } else {
      for (const [field, value] of Object.entries(write.row)) {
        const id = `${write.key} ${field}`;
        const before = found.row[field] ?? null;
        if ((this.#read.get(write.key)?.[field] ?? null) === value) this.idle++;
        this.replaced.push({ key: write.key, field, value: before });
        if (!this.#ours.has(id) && before !== null && before !== value)
          this.overwritten.push({ key: write.key, field, value: before });
        this.received.add(value);
        found.row[field] = this.#spelled(field, value);
        this.#ours.add(id);
      }
      found.atMs = this.#now();
      this.touched.add(write.key);
    }
    return { status: 'written', key: write.key };
  }

  #create(values: Row): string {
    const key = `${this.#prefix}${++this.#made}`;
    const row = newRow();
    for (const [field, value] of Object.entries(values)) row[field] = this.#spelled(field, value);
    this.rows.set(key, { row, atMs: this.#now() });
    this.touched.add(key);
    return key;
  }

  #spelled(field: string, value: FieldValue): FieldValue {
    return typeof value === 'string' && field !== this.link ? this.spell(value) : value;
  }

  #sideRow(key: string): SideRow {
    const { row, atMs } = this.rows.get(key)!;
    this.#read.set(key, Object.assign(newRow(), row));
    return { key, row: Object.assign(newRow(), row, { id: key }), atMs };
  }

  #change(key: string): Change {
    if (!this.rows.has(key)) return { op: 'delete', key, row: null, stampMs: 0 };
    const { row, atMs } = this.#sideRow(key);
    return { op: 'upsert', key, row, stampMs: atMs ?? 0 };
  }
}
