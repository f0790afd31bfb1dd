import type { StreamEvent } from '../../model/stream.ts';
import { newRow, type Row } from '../../model/value.ts';

/** What events have told of one record, all of them taken together in their order. */
export interface KnownRecord {
  /** The latest value of each field that is known. */
  row: Row;
  /** Its beginning, or its return, is among the events, and nothing since was left untold. */
  born: boolean;
  /** The last that was heard of it is its end. */
  gone: boolean;
  /** Something happened to it that was not told: only what was told later counts. */
  torn: boolean;
  /** Of its latest event that has one; null when none has, and then nobody knows how old this is. */
  stampMs: number | null;
  /** To be replayed; others are followed because they may come to be. */
  selected: boolean;
}

/** Records to hold at once. Beyond it half of them are left to another pass over the journal, so that memory stays flat (P9). */
const RECORDS_MAX = 100_000;

/** Records whose key falls to this rest, modulo. */
export interface Share {
  readonly rest: number;
  readonly modulus: number;
}

export const WHOLE: Share = { rest: 0, modulus: 1 };

/** Folds events into what is known of their records. Knows its share of them only, which it halves when they are too many. */
export class KnownRecords {
  readonly #records = new Map<string, KnownRecord>();
  readonly #keyField: string;
  readonly #derived: ReadonlyMap<string, readonly string[] | null>;
  readonly #max: number;
  #share: Share;
  #isComplete = false;
  /** Shares that were given up: another pass has to see to them. */
  readonly left: Share[] = [];

  /** @param derived  `Source.derivedFields`: what an event tells of them is over with the next one */
  constructor(
    share: Share,
    { keyField, derived }: { keyField: string; derived: ReadonlyMap<string, readonly string[] | null> },
    max = RECORDS_MAX,
  ) {
    this.#share = share;
    this.#keyField = keyField;
    this.#derived = derived;
    this.#max = max;
  }

  get(key: string): KnownRecord | undefined {
    return this.#records.get(key);
  }

  *selected(): Iterable<string> {
    for (const [key, { selected }] of this.#records) if (selected) yield key;
  }

  /** @returns the records that it is about; `all` when any may be meant */
  add(event: StreamEvent, selected: boolean): readonly string[] | 'all' {
    if (event.op === 'overflow') {
      this.tearAll();
      return 'all';
    }
    if (event.op === 'wildcard') {
      for (const beginning of event.keys) this.tearAll(beginning);
      return 'all';
    }
    for (const key of event.keys) {
      const record = this.#isComplete ? this.#records.get(key) : this.#isOurs(key) ? this.#recordOf(key) : undefined;
      if (record !== undefined) this.#addTo(record, key, event, selected);
    }
    return event.keys;
  }

  /** From here on events of these records are taken in, and no others: what is being written stays the same share. */
  complete(): void {
    this.#isComplete = true;
  }

  /** This record is to be replayed, and nothing is known of it. */
  select(keys: readonly string[]): void {
    for (const key of keys) {
      if (this.#isOurs(key)) {
        const record = this.#recordOf(key);
        record.selected = true;
        tear(record);
      }
    }
  }

  /** Any of them may have changed untold. */
  tearAll(prefix = ''): void {
    for (const [key, record] of this.#records) if (key.startsWith(prefix)) tear(record);
  }

  #addTo(record: KnownRecord, key: string, { op, row, untold, stampMs, committedAtMs }: StreamEvent, selected: boolean): void {
    record.selected ||= selected;
    switch (op) {
      case 'create':
      case 'undelete':
        if (row === null) {
          tear(record);
          return;
        }
        record.row = Object.assign(newRow(), row, { [this.#keyField]: key });
        record.born = true;
        record.gone = false;
        record.torn = false;
        record.stampMs = stampMs;
        for (const name of untold) delete record.row[name];
        return;
      case 'update':
        if (row === null) {
          tear(record);
          return;
        }
        // Of one that had gone: its return was not told.
        if (record.gone) tear(record);
        for (const name of Object.keys(row)) this.#forgetDerived(record, name);
        for (const name of untold) {
          this.#forgetDerived(record, name);
          delete record.row[name];
        }
        Object.assign(record.row, row, { [this.#keyField]: key });
        if (stampMs !== null) record.stampMs = Math.max(record.stampMs ?? stampMs, stampMs);
        return;
      case 'delete':
        record.row = newRow();
        record.born = false;
        record.gone = true;
        record.torn = false;
        // The record's own stamp counts whole seconds, and is set before its transaction commits.
        record.stampMs = Math.floor(committedAtMs / 1000) * 1000;
        return;
      default:
        tear(record);
    }
  }

  /** A value that follows from one that has changed. */
  #forgetDerived(record: KnownRecord, changed: string): void {
    for (const [name, from] of this.#derived) if (from === null || from.includes(changed)) delete record.row[name];
  }

  #recordOf(key: string): KnownRecord {
    let record = this.#records.get(key);
    if (record === undefined) {
      record = { row: newRow(), born: false, gone: false, torn: false, stampMs: null, selected: false };
      this.#records.set(key, record);
      while (this.#records.size > this.#max) this.#halve();
    }
    return record;
  }

  #halve(): void {
    const { rest, modulus } = this.#share;
    this.left.push({ rest: rest + modulus, modulus: modulus * 2 });
    this.#share = { rest, modulus: modulus * 2 };
    for (const key of this.#records.keys()) if (!this.#isOurs(key)) this.#records.delete(key);
  }

  #isOurs(key: string): boolean {
    const { rest, modulus } = this.#share;
    return modulus === 1 || hashOf(key) % modulus === rest;
  }
}

function tear(record: KnownRecord): void {
  record.row = newRow();
  record.born = false;
  record.gone = false;
  record.torn = true;
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
