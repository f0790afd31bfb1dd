import type { Link, NewConflict, NewFailure } from '@tidemark/core';
import { type Field, fields, meaningOf, orgFields, otherOf, type Side, type SideRecord } from './fields.ts';

/** What a life of the engine has seen of the org, as numbers of the org's commits. */
export interface Reads {
  /** When it last saw a record, by Id. */
  readonly seen: Map<string, number>;
  /** When it last asked who is the partner of a record of the app, by its key. */
  readonly asked: Map<string, number>;
}

export type Writer = { readonly who: 'person' } | { readonly who: 'engine'; readonly reads?: Reads };

interface Deletion {
  readonly side: Side;
  readonly key: string;
  readonly partner: string;
}

/** What is lost when the engine writes, and who was told of it. */
export class Ledger {
  /** What went wrong, as it happened. */
  readonly wrong: string[] = [];
  /** Edits of the org between our reading and our writing of a record: nobody that polls can see them. */
  unseen = 0;
  /** Overwrites that are on record, and such of values that had reached the other side before. */
  told = 0;
  arrived = 0;
  /** Deletes of records that the engine had made and of which it did not know yet. */
  unknowable = 0;
  writes = 0;
  readonly #person = { left: new Map<string, Map<Field, Entry>>(), right: new Map<string, Map<Field, Entry>>() };
  readonly #received = { left: new Set<string>(), right: new Set<string>() };
  readonly #told = { left: new Set<string>(), right: new Set<string>() };
  readonly #records = { left: new Map<string, SideRecord>(), right: new Map<string, SideRecord>() };
  /** By key, the partner that a link names. */
  readonly #partners = { left: new Map<string, string>(), right: new Map<string, string>() };
  readonly #deletions: Deletion[] = [];
  readonly #madeByUs = new Set<string>();
  /** Records that a person has told whose partner they are, or we when we matched them, with that partner. */
  readonly #introducedBefore = new Set<string>();
  /** Values that the engine brought to the app, by record and field, of which the org has been written since. */
  readonly #brought = new Map<string, { readonly value: string; readonly atMs: number; agreed: boolean }>();
  /** What has to be found in the conflicts at the end. */
  readonly #owed: { readonly side: Side; readonly key: string; readonly field: Field; readonly value: string }[] = [];
  readonly #tracked: readonly Field[];
  readonly #oneWay: readonly Field[];
  /** What the org's records were, each from one of its commits on. */
  readonly #versions = new Map<string, { readonly at: number; readonly record: SideRecord }[]>();
  readonly #clock: LedgerClock;
  /** Since when a record has its name. */
  readonly #named = { left: new Map<string, number>(), right: new Map<string, number>() };
  /** Pairs of which a person has decided whether they exist. */
  readonly #decided = new Set<string>();

  /**
   * @param untracked  fields whose values are not unique
   * @param oneWay  fields of the app that never flow to the org
   */
  constructor(clock: LedgerClock, untracked: readonly Field[], oneWay: readonly Field[]) {
    this.#clock = clock;
    this.#tracked = fields.filter((field) => !untracked.includes(field));
    this.#oneWay = oneWay;
  }

  /** @param at  the number of the org's commits so far */
  changed(side: Side, key: string, before: SideRecord | null, after: SideRecord | null, by: Writer, at: number): void {
    if (after === null) this.#records[side].delete(key);
    else this.#records[side].set(key, after);
    if (before === null || before.values.name !== after?.values.name) this.#named[side].set(key, this.#clock.nowMs());
    if (side === 'left' && after !== null) {
      const versions = this.#versions.get(key) ?? [];
      versions.push({ at, record: after });
      this.#versions.set(key, versions);
    }
    if (by.who === 'person') this.#byPerson(side, key, before, after, at);
    else this.#byEngine(side, key, before, after, by.reads);
  }

  /** Conflicts that are durable now. */
  conflicts(kept: readonly NewConflict[]): void {
    for (const conflict of kept) {
      const { leftKey, rightKey, field, state } = conflict;
      for (const side of ['left', 'right'] as const) {
        for (const value of toldBy(conflict, side)) this.#told[side].add(value);
      }
      if (field !== null) this.#clashed(conflict);
      if (field === null && state === 'open' && this.#isOld('left', leftKey) && this.#isOld('right', rightKey))
        this.wrong.push(`it is asked whether left ${leftKey} and right ${rightKey} exist, and both do`);
    }
  }

  /** Failures that are durable now. @param alone  at no time two processes wrote */
  failures(kept: readonly NewFailure[], alone: boolean): void {
    for (const { key, code, message } of kept) {
      if (alone && unique.has(code)) this.wrong.push(`${key} was to be made again, though its partner names it: ${message}`);
    }
  }

  /** The one process that there is asks the org for something: by now it has kept what it agreed with the app before. */
  orgIsAsked(): void {
    const sinceMs = this.#clock.sinceMs();
    for (const brought of this.#brought.values()) brought.agreed ||= brought.atMs > sinceMs;
  }

  links(kept: readonly Link[]): void {
    for (const { leftKey, rightKey } of kept) {
      this.#matched({ left: leftKey, right: rightKey });
      this.#introduced({ left: leftKey, right: rightKey });
      this.#partners.left.set(leftKey, rightKey);
      this.#partners.right.set(rightKey, leftKey);
    }
  }

  /** A person has decided whether a record exists. */
  decided(leftKey: string, rightKey: string): void {
    this.#lift({ left: leftKey, right: rightKey });
    this.#decided.add(leftKey).add(rightKey);
  }

  /** Everything that was overwritten and told has to be on record still. */
  atEnd(conflicts: readonly NewConflict[]): string[] {
    const known = { left: new Set<string>(), right: new Set<string>() };
    for (const conflict of conflicts) {
      for (const side of ['left', 'right'] as const) for (const value of toldBy(conflict, side)) known[side].add(value);
    }
    return this.#owed
      .filter(({ side, field, value }) => !known[side].has(`${field} ${value}`))
      .map(({ side, key, field, value }) => `${side} ${key}: ${field} ${value} was overwritten, and is no more on record`);
  }

  /** What took the place of the value that we had brought is no contradiction to it. */
  #clashed({ leftKey, rightKey, field, left, right }: NewConflict): void {
    const value = meaningOf(field as Field, right);
    const entry = this.#person.right.get(rightKey)?.get(field as Field);
    if (value === null || entry?.value !== value || entry.over === undefined || this.#oneWay.includes(field as Field)) return;
    if (entry.over !== meaningOf(field as Field, left)) return;
    this.wrong.push(
      `${field} ${value} of right ${rightKey} was set in place of ${entry.over}, which we had brought from left ${leftKey}: no conflict`,
    );
  }

  /** Who names somebody that is there belongs to nobody else. */
  #introduced(keys: Readonly<Record<Side, string>>): void {
    for (const side of ['left', 'right'] as const) {
      const other = otherOf(side);
      const named = this.#records[side].get(keys[side])?.partner ?? null;
      if (named === null || named === keys[other] || !this.#records[other].has(named)) continue;
      this.wrong.push(`${side} ${keys[side]} names ${other} ${named}, which is there, and was linked with ${keys[other]}`);
    }
  }

  /** Two that nobody had made for each other are linked: neither may have had a twin that would have done as well. */
  #matched(keys: Readonly<Record<Side, string>>): void {
    const { left, right } = { left: this.#records.left.get(keys.left), right: this.#records.right.get(keys.right) };
    const isNew = !this.#partners.left.has(keys.left) && !this.#partners.right.has(keys.right);
    const names = [`left ${keys.left} ${keys.right}`, `right ${keys.right} ${keys.left}`];
    if (names.some((name) => this.#introducedBefore.has(name))) return;
    const isMade = this.#madeByUs.has(`left ${keys.left}`) || this.#madeByUs.has(`right ${keys.right}`);
    if (!isNew || isMade || left === undefined || right === undefined) return;
    for (const side of ['left', 'right'] as const) {
      const name = this.#records[side].get(keys[side])!.values.name;
      const twin = [...this.#records[side]].find(
        ([key, { values, partner }]) =>
          key !== keys[side] &&
          values.name === name &&
          partner === null &&
          !this.#partners[side].has(key) &&
          this.#isOld(side, key),
      );
      if (twin === undefined || !this.#isOld(side, keys[side])) continue;
      this.wrong.push(`left ${keys.left} and right ${keys.right} were linked, and ${side} ${twin[0]} is called ${name} as well`);
    }
  }

  /** Whoever of the engine is alive has always seen it there, under this name. */
  #isOld(side: Side, key: string): boolean {
    return this.#records[side].has(key) && (this.#named[side].get(key) ?? 0) < this.#clock.sinceMs();
  }

  #byPerson(side: Side, key: string, before: SideRecord | null, after: SideRecord | null, at: number): void {
    const entries = this.#person[side].get(key) ?? new Map<Field, Entry>();
    this.#person[side].set(key, entries);
    if (after === null) {
      this.#deleted(side, key, before?.partner ?? null);
      return;
    }
    if (before !== null && after.partner !== before.partner) this.#introducedBefore.add(`${side} ${key} ${after.partner}`);
    // Taken out of the bin: what was deleted because of it may come back.
    if (before === null) this.#lift({ [side]: key });
    for (const field of this.#tracked) {
      const value = meaningOf(field, after.values[field]);
      if (before !== null && meaningOf(field, before.values[field]) === value) continue;
      if (value === null) entries.delete(field);
      // An undelete brings back what was there, whoever wrote it.
      else if (before !== null || !entries.has(field)) {
        if (this.#received[side].has(`${field} ${value}`)) continue;
        const brought = side === 'right' ? this.#brought.get(`${key} ${field}`) : undefined;
        const over = brought?.agreed && before !== null && meaningOf(field, before.values[field]) === brought.value;
        entries.set(field, { value, at, ...(over ? { over: brought.value } : {}) });
      }
    }
  }

  #byEngine(side: Side, key: string, before: SideRecord | null, after: SideRecord | null, reads: Reads | undefined): void {
    this.writes++;
    if (before === null && after !== null) this.#made(side, key, after);
    if (before !== null && after !== null && after.partner !== null && after.partner !== before.partner) {
      // Who does so has matched them just now. Whoever finds the two again after a crash goes by that.
      this.#matched({ left: side === 'left' ? key : after.partner, right: side === 'left' ? after.partner : key });
      this.#introducedBefore.add(`${side} ${key} ${after.partner}`);
    }
    const entries = this.#person[side].get(key);
    for (const field of this.#tracked) {
      const was = before === null ? null : meaningOf(field, before.values[field]);
      const is = after === null ? null : meaningOf(field, after.values[field]);
      if (is !== null && is !== was) this.#received[side].add(`${field} ${is}`);
      if (
        side === 'right' &&
        is !== was &&
        is !== null &&
        this.#hasHeld(after?.partner ?? this.#partners.right.get(key), field, is)
      )
        this.#brought.set(`${key} ${field}`, { value: is, atMs: this.#clock.nowMs(), agreed: false });
      if (was === is) continue;
      const entry = entries?.get(field);
      if (was !== null && entry?.value === was)
        this.#overwritten({ side, key, field, is, isDelete: after === null }, entry, reads);
      entries?.delete(field);
    }
  }

  /** What somebody decided, or a function, is no side's own value: it is brought to both, one after the other. */
  #hasHeld(leftKey: string | undefined, field: Field, value: string): boolean {
    const versions = this.#versions.get(leftKey ?? '') ?? [];
    return versions.some(({ record }) => meaningOf(field, record.values[field]) === value);
  }

  #overwritten(write: Overwrite, { value, at }: Entry, reads: Reads | undefined): void {
    const { side, key, field, isDelete } = write;
    const name = `${field} ${value}`;
    // What somebody changed is deleted only when somebody has decided so: to be told of it is not enough.
    const mayGo = !isDelete || this.#decided.has(key) || (side === 'right' && this.#oneWay.includes(field));
    if (this.#told[side].has(name) && mayGo) {
      this.told++;
      this.#owed.push({ side, key, field, value });
    } else if (this.#received[otherOf(side)].has(name)) this.arrived++;
    else if (reads !== undefined && this.#isUnseen(write, at, reads)) this.unseen++;
    else
      this.wrong.push(
        `${side} ${key}: ${field} ${value} of a person was ${isDelete ? 'deleted' : 'overwritten'}, and nobody was told`,
      );
  }

  /** Written after we had read the record last; and what we wrote there was something else than what we had read. */
  #isUnseen({ side, key, field, is, isDelete }: Overwrite, at: number, reads: Reads): boolean {
    const readAt = reads.seen.get(key);
    // To make a record that is there already is to update it: whoever did so asked before, and it was not there.
    if (readAt === undefined) {
      const askedAt = reads.asked.get(this.#records[side].get(key)?.partner ?? '');
      const madeAt = this.#versions.get(key)?.[0]?.at ?? 0;
      return this.#madeByUs.has(`${side} ${key}`) && askedAt !== undefined && askedAt < madeAt;
    }
    const seen = this.#versions.get(key)?.findLast((version) => version.at <= readAt)?.record;
    // An empty text of the app's is sent where the org has none, as which the org takes it.
    const isEmpty = [...this.#records.right.values()].some(({ values }) => values[field] === '');
    return at > readAt && (isDelete || isEmpty || seen === undefined || meaningOf(field, seen.values[field]) !== is);
  }

  #made(side: Side, key: string, { partner }: SideRecord): void {
    this.#madeByUs.add(`${side} ${key}`);
    const deleted = this.#deletions.find((deletion) => deletion.side === side && deletion.partner === partner);
    if (deleted === undefined) return;
    this.wrong.push(`${side} ${deleted.key} was deleted by a person, and is there again as ${key}`);
  }

  #deleted(side: Side, key: string, named: string | null): void {
    const naming = [...this.#records[otherOf(side)]].find(([, { partner }]) => partner === key)?.[0];
    const partner = this.#partners[side].get(key) ?? naming;
    if (partner !== undefined) this.#deletions.push({ side, key, partner });
    else if (named !== null) this.unknowable++;
  }

  #lift(keys: { readonly left?: string; readonly right?: string }): void {
    for (let i = this.#deletions.length - 1; i >= 0; i--) {
      const { side, key, partner } = this.#deletions[i]!;
      if (keys[side] === key || keys[otherOf(side)] === partner) this.#deletions.splice(i, 1);
    }
  }
}

interface LedgerClock {
  nowMs(): number;
  /** When the oldest process of the engine that is alive was started: what is older was there when it read. */
  sinceMs(): number;
}

interface Overwrite {
  readonly side: Side;
  readonly key: string;
  readonly field: Field;
  /** What it is now. */
  readonly is: string | null;
  readonly isDelete: boolean;
}

interface Entry {
  readonly value: string;
  /** The org's commits when it was written. */
  readonly at: number;
  /** What it took the place of, when we had brought that. */
  readonly over?: string;
}

/** Somebody else has that key already. */
const unique = new Set(['SQLITE_CONSTRAINT_UNIQUE', 'DUPLICATE_VALUE', '23505']);

function toldBy(conflict: NewConflict, side: Side): string[] {
  const value = conflict[side];
  if (conflict.field !== null) {
    const meaning = meaningOf(conflict.field as Field, value);
    return meaning === null ? [] : [`${conflict.field} ${meaning}`];
  }
  // Whole records, in their side's own names.
  const row = (value ?? {}) as Readonly<Record<string, unknown>>;
  return fields.flatMap((field) => {
    const meaning = meaningOf(field, row[side === 'left' ? orgFields[field] : field]);
    return meaning === null ? [] : [`${field} ${meaning}`];
  });
}
