import { sameValue } from '../../model/compare.ts';
import type { FieldSchema } from '../../model/schema.ts';
import type { FieldClash } from '../../model/user-modules.ts';
import { type FieldValue, newRow, type Row } from '../../model/value.ts';

/** The two systems of a two-way sync, in the order of `between`. */
export type SideName = 'left' | 'right';

export function otherSide(side: SideName): SideName {
  return side === 'left' ? 'right' : 'left';
}

/**
 * What a field was when both sides last agreed on it, as each side holds it: they may write the same value down differently
 * (trimmed, rounded, in another case). After a write it is the value that was *sent*: one that is read back would hide an edit that
 * somebody made in between.
 */
export interface Agreed {
  readonly left: FieldValue;
  readonly right: FieldValue;
  /** How the value came here last, to notice one that goes back and forth; absent when both sides simply had it. */
  readonly carried?: {
    readonly from: SideName;
    /** What it took the place of. */
    readonly was: FieldValue;
    /** How often in a row each side brought its own old value back. */
    readonly bounces: number;
  };
}

/** By field, in the names of the mapping. A field that is not there was never agreed upon. */
export type Base = { readonly [field: string]: Agreed };

/** A record as one side has it. */
export interface Seen {
  readonly row: Row;
  /** When it was last modified, epoch ms, on a clock that both sides' times were brought to; null when nobody knows. */
  readonly atMs: number | null;
}

/** Who is right about a field that both sides changed. */
export type Policy =
  | { readonly kind: 'wins'; readonly side: SideName }
  /** The later one; `left` when they are equally late or nobody knows. */
  | { readonly kind: 'latest' }
  /** Neither, until somebody decides. */
  | { readonly kind: 'manual' }
  /** The user's function. What it throws leaves the conflict open. */
  | { readonly kind: 'decide'; readonly decide: (conflict: FieldClash) => FieldValue };

export interface FieldRule {
  readonly field: FieldSchema;
  /** Where its changes go: a field that flows one way is put back on the other side. */
  readonly flows: 'both' | 'to-left' | 'to-right';
  readonly policy: Policy;
  /** The side that it flows to shows a mask, which is no value: what the field is there, nobody knows. */
  readonly masked?: true;
}

/** A field that both sides changed, and what became of it. */
export interface FieldConflict extends FieldClash {
  /** `open` waits for somebody; `settled` went by the policy: what one side held is overwritten. */
  readonly state: 'open' | 'settled';
  /** The value that stands; absent while it is open. */
  readonly outcome?: FieldValue;
  /** In words, with the sides by the names that people know them by. */
  readonly why: (names: Readonly<Record<SideName, string>>) => string;
}

export interface Merge {
  /** Fields to set, by side. */
  readonly left: Row;
  readonly right: Row;
  /** What is agreed upon once the writes to these sides are acknowledged: none, one, or both of them. */
  readonly agreed: readonly { readonly field: string; readonly base: Agreed; readonly after: readonly SideName[] }[];
  readonly conflicts: readonly FieldConflict[];
}

/** A value may go to and fro this often; then the two sides simply cannot hold the same one, which is said and left alone. */
const BOUNCES_MAX = 4;

/**
 * Three-way merge of a record that both sides have, field by field: a change of one side goes to the other, a change of both goes by
 * the rule. Pure: what it answers is written by whoever asked, and becomes the base once it is acknowledged.
 */
export function mergeRecord(base: Base, left: Seen, right: Seen, rules: readonly FieldRule[]): Merge {
  const writes = { left: newRow(), right: newRow() };
  const agreed: Merge['agreed'][number][] = [];
  const conflicts: FieldConflict[] = [];

  for (const rule of rules) {
    const { name } = rule.field;
    const known = Object.hasOwn(base, name) ? base[name] : undefined;
    const clash: FieldClash = {
      field: name,
      ...(known === undefined ? {} : { base: known.left }),
      left: left.row[name] ?? null,
      right: right.row[name] ?? null,
      leftAtMs: left.atMs,
      rightAtMs: right.atMs,
    };
    const same = (a: FieldValue, b: FieldValue) => sameValue(a, b, rule.field);

    if (same(clash.left, clash.right)) {
      if (known === undefined || !same(known.left, clash.left) || !same(known.right, clash.right)) agree(clash.left, clash.right);
      continue;
    }
    if (rule.masked) {
      sendUnseen(rule.flows === 'to-left' ? 'right' : 'left');
      continue;
    }
    const changed = {
      left: known === undefined || !same(known.left, clash.left),
      right: known === undefined || !same(known.right, clash.right),
    };
    if (!changed.left && !changed.right) continue;
    if (changed.left && changed.right) clashed();
    else carry(changed.left ? 'left' : 'right');

    function agree(leftValue: FieldValue, rightValue: FieldValue, after: readonly SideName[] = []): void {
      agreed.push({ field: name, base: { left: leftValue, right: rightValue }, after });
    }

    /** Sets the other side to what this one holds. */
    function send(from: SideName, bounces = 0, was = known?.[from]): void {
      const value = clash[from];
      const to = otherSide(from);
      writes[to][name] = value;
      const carried = was === undefined ? {} : { carried: { from, was, bounces } };
      agreed.push({ field: name, base: { left: value, right: value, ...carried }, after: [to] });
    }

    /** Sets the other side, of which nothing can be read, to what is new here. What was always empty here empties nothing there. */
    function sendUnseen(from: SideName): void {
      if (known === undefined ? clash[from] === null : same(known[from], clash[from])) return;
      send(from);
      if (known === undefined && clash[otherSide(from)] !== null) record('settled', oneWay(otherSide(from)), clash[from]);
    }

    function record(state: FieldConflict['state'], why: FieldConflict['why'], outcome?: FieldValue): void {
      conflicts.push({ ...clash, state, why, ...(outcome === undefined ? {} : { outcome }) });
    }

    function carry(from: SideName): void {
      const to = otherSide(from);
      const mayFlow = rule.flows === 'both' || rule.flows === `to-${to}`;
      // Whoever writes a value down in a way of its own answers with it, and the other may do the same, or it is put back each time.
      const last = known?.carried;
      const back = last !== undefined && last.from !== from && same(last.was, clash[from]);
      const bounces = back ? last.bounces + 1 : 0;
      if (bounces >= BOUNCES_MAX) {
        agree(clash.left, clash.right);
        record('settled', () => 'the two sides do not keep the same value: each holds its own', clash[from]);
      } else if (mayFlow) {
        send(from, bounces);
      } else {
        send(to, bounces, clash[from]);
        record('settled', oneWay(from), clash[to]);
      }
    }

    function clashed(): void {
      if (rule.flows !== 'both') {
        const from = rule.flows === 'to-right' ? 'left' : 'right';
        send(from);
        record('settled', oneWay(otherSide(from)), clash[from]);
        return;
      }
      const { policy } = rule;
      if (policy.kind === 'manual') {
        record('open', () => 'both sides changed it');
      } else if (policy.kind === 'decide') {
        decided(policy.decide);
      } else {
        const winner = policy.kind === 'wins' ? policy.side : later(clash);
        send(winner);
        const words = policy.kind === 'wins' ? 'wins' : 'is the later one';
        record('settled', (names) => `${names[winner]} ${words}`, clash[winner]);
      }
    }

    function decided(decide: (conflict: FieldClash) => FieldValue): void {
      let outcome: FieldValue;
      try {
        outcome = answered(decide(clash));
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        record('open', () => `the function that decides failed: ${message}`);
        return;
      }
      const after: SideName[] = [];
      for (const side of ['left', 'right'] as const) {
        if (same(clash[side], outcome)) continue;
        writes[side][name] = outcome;
        after.push(side);
      }
      agree(outcome, outcome, after);
      record('settled', () => 'it was decided', outcome);
    }
  }
  return { ...writes, agreed, conflicts };
}

/** A module in JavaScript may answer with what is no value: both sides would get whatever a text made of it is. */
function answered(answer: unknown): FieldValue {
  if (answer === undefined) throw new Error('it answered nothing (null is what empties a field)');
  if (answer instanceof Promise) {
    // What becomes of it is nobody's.
    answer.catch(() => {});
    throw new Error('it is asynchronous, and has to answer at once');
  }
  return answer as FieldValue;
}

function oneWay(to: SideName): FieldConflict['why'] {
  return (names) => `the field flows to ${names[to]} only`;
}

function later({ leftAtMs, rightAtMs }: FieldClash): SideName {
  return rightAtMs !== null && (leftAtMs === null || rightAtMs > leftAtMs) ? 'right' : 'left';
}
