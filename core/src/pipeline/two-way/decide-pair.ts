import { sameValue } from '../../model/compare.ts';
import type { SideRow } from '../../model/side.ts';
import { newRow, type Row } from '../../model/value.ts';
import type { Link } from '../../store/links.ts';
import { type Base, type FieldRule, type Merge, mergeRecord, otherSide, type SideName } from './merge-record.ts';

/** What happens when a record goes on one side: it goes on the other, or stays there and is left alone from then on. */
export type PairDeletes = 'propagate' | 'ignore';

/** Two records that belong together, as they are now; null where there is none. Rows in the names of the mapping. */
export interface Pair {
  readonly left: SideRow | null;
  readonly right: SideRow | null;
  /** What is known of the two; null when they have just been found. */
  readonly link: Link | null;
  /** The record that is there names the other one, which is not; no link tells how they stood. */
  readonly orphaned?: true;
  readonly base: Base;
  /** Somebody decided which side's existence counts, after a delete had met an edit. */
  readonly exists?: SideName;
}

export type Action =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'merge'; readonly merge: Merge }
  | { readonly kind: 'create'; readonly on: SideName; readonly row: Row; readonly base: Base }
  | { readonly kind: 'delete'; readonly on: SideName; readonly decided?: true }
  /** One side is gone, and so it stays; nothing is written. */
  | { readonly kind: 'gone'; readonly gone: NonNullable<Link['gone']> }
  /** A record that one side deleted and the other changed: a person decides, because either answer loses something. */
  | { readonly kind: 'contested'; readonly gone: SideName };

/** What is to be done about a pair. Pure. Nothing is ever revived: a record that one side deleted is made again on request only. */
export function decidePair(pair: Pair, rules: readonly FieldRule[], deletes: PairDeletes): Action {
  const { left, right, link, base, orphaned } = pair;
  if (left !== null && right !== null) {
    return { kind: 'merge', merge: mergeRecord(base, left, right, rules) };
  }
  if (left === null && right === null) {
    return link === null || link.gone === 'both' ? { kind: 'nothing' } : { kind: 'gone', gone: 'both' };
  }
  const there: SideName = left === null ? 'right' : 'left';
  const gone = otherSide(there);
  const row = (left ?? right)!.row;
  if (pair.exists !== undefined) {
    return pair.exists === gone ? { kind: 'delete', on: there, decided: true } : create(gone, row, rules);
  }
  if (link === null && orphaned) return { kind: 'contested', gone };
  // Never linked, or deleted on both sides and since undeleted on one: new to the other.
  if (link === null || link.gone === 'both') return create(gone, row, rules);
  if (link.gone === gone && deletes === 'ignore') return { kind: 'nothing' };
  if (deletes === 'ignore') return { kind: 'gone', gone };
  return isEdited(row, base, there, rules) ? { kind: 'contested', gone } : { kind: 'delete', on: there };
}

function create(on: SideName, row: Row, rules: readonly FieldRule[]): Action {
  const made = newRow();
  const base: { [field: string]: Base[string] } = {};
  for (const { field, flows } of rules) {
    if (flows !== 'both' && flows !== `to-${on}`) continue;
    const value = row[field.name] ?? null;
    made[field.name] = value;
    base[field.name] = { left: value, right: value };
  }
  return { kind: 'create', on, row: made, base };
}

/** Whether the side that still has the record changed it since both agreed. A field that may not flow from there does not count. */
function isEdited(row: Row, base: Base, there: SideName, rules: readonly FieldRule[]): boolean {
  return rules.some(({ field, flows }) => {
    if (flows !== 'both' && flows !== `to-${otherSide(there)}`) return false;
    const agreed = Object.hasOwn(base, field.name) ? base[field.name]![there] : undefined;
    return !sameValue(row[field.name], agreed, field);
  });
}
