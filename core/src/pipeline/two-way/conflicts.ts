import { sameValue } from '../../model/compare.ts';
import type { SideRow } from '../../model/side.ts';
import type { FieldValue } from '../../model/value.ts';
import type { Conflict, NewConflict } from '../../store/links.ts';
import { otherSide, type SideName } from './merge-record.ts';
import { type OpenedPairing, ownerOf, shared } from './opened-pairing.ts';
import type { Done, Work } from './work.ts';

// Every overwrite is on record, and no record tells of one that was not made. The store and the two sides commit each on its own, so
// an overwrite is kept as `writing` before it is made, and becomes `settled` when it is acknowledged, or goes. What a crash leaves as
// `writing` is concluded from what the side holds when the pair is looked at again, which it is before anything else is written there.
// What looks as if it had not been made may be on its way still, sent by a former owner: who hears of it tells it all the same.

/** What a leftover that nobody can tell of says. */
export const UNKNOWN = 'whether it was written is not known: something broke, and the value has changed since';

/** A disagreement, and the sides on which something is overwritten for it. */
export interface Found {
  readonly conflict: NewConflict;
  readonly overwrites: readonly SideName[];
}

interface Writing extends Found {
  readonly id: string;
  readonly work: Work;
}

/** What is on record of a batch of pairs while it is being written. */
export interface Records {
  /** Overwrites that are about to be made. */
  readonly writing: readonly Writing[];
  /** Open ones that are so no more: somebody made the two sides equal, or decided. */
  readonly moot: readonly { readonly conflict: Conflict; readonly work: Work }[];
}

export function conflictsOf(work: Work, pairing: OpenedPairing): Found[] {
  const { action, leftKey, rightKey } = work;
  if (leftKey === null || rightKey === null) return [];
  const common = { sync: pairing.name, leftKey, rightKey, atMs: pairing.clock.now() };
  const rows = { left: work.left?.row ?? null, right: work.right?.row ?? null };
  const whole = { ...common, field: null, base: null, ...rows, outcome: null };
  if (action.kind === 'contested') {
    const { [action.gone]: gone, [otherSide(action.gone)]: there } = pairing.names;
    const why = work.orphaned
      ? `deleted in ${gone} before both had agreed`
      : `deleted in ${gone} and changed in ${there} since both agreed`;
    return [{ conflict: { ...whole, state: 'open', why }, overwrites: [] }];
  }
  if (action.kind === 'delete') {
    if (action.decided || !holdsItsOwn(work, action.on, pairing)) return [];
    const why = 'deleted on the other side; what was changed here may not flow there';
    return [{ conflict: { ...whole, state: 'settled', why }, overwrites: [action.on] }];
  }
  if (action.kind !== 'merge') return [];
  const { merge } = action;
  return merge.conflicts.map(({ field, base = null, left, right, state, outcome = null, why }) => ({
    conflict: { ...common, field, base, left, right, state, outcome, why: why(pairing.names) },
    overwrites: sides.filter((side) => Object.hasOwn(merge[side], field)),
  }));
}

const sides = ['left', 'right'] as const;

/** Whether a record that is about to go has values that the other side never had. */
function holdsItsOwn({ base, left, right }: Work, on: SideName, pairing: OpenedPairing): boolean {
  const { row } = shared(pairing, on, (on === 'left' ? left : right)!);
  return pairing.fields.some(({ field, masked }) => !masked && !sameValue(row[field.name], base[field.name]?.[on], field));
}

/** Keeps what is about to be overwritten, and what waits for somebody. Nothing may be written unless this has gone well. */
export async function keepConflicts(works: readonly Work[], pairing: OpenedPairing, open: readonly Conflict[]): Promise<Records> {
  const found = works.flatMap((work) => conflictsOf(work, pairing).map((each) => ({ ...each, work })));
  const kept = found.map(({ conflict, overwrites }): NewConflict => {
    return overwrites.length === 0 ? conflict : { ...conflict, state: 'writing' };
  });
  // Also when there are none: a former owner of the sync goes no further (P11).
  const ids = await pairing.store.links.putConflicts(ownerOf(pairing), kept);
  const told = new Set(found.map(({ conflict }) => identity(conflict)));
  const byPair = new Map(works.map((work) => [pairOf(work), work]));
  return {
    writing: found.flatMap((each, i) => (each.overwrites.length === 0 ? [] : [{ ...each, id: ids[i]! }])),
    moot: open.flatMap((conflict) => {
      const work = byPair.get(pairOf(conflict));
      return work === undefined || told.has(identity(conflict)) ? [] : [{ conflict, work }];
    }),
  };
}

/** Answers what is still to be concluded: what waits for the other side's answer, and in the end what was refused there. */
export async function conclude(
  { writing, moot }: Records,
  pairing: OpenedPairing,
  done: Done,
  written: readonly SideName[],
): Promise<Records> {
  const { links } = pairing.store;
  const isDone = ({ work }: { readonly work: Work }, side: SideName) => done[side].get(work)?.status === 'written';
  const confirmed = writing.filter((each) => each.overwrites.some((side) => isDone(each, side)));
  const others = writing.filter((each) => !confirmed.includes(each));
  const left = others.filter(({ overwrites }) => overwrites.some((side) => !written.includes(side)));
  await links.confirmConflicts(confirmed.map(({ id, conflict }) => ({ ...conflict, id })));
  const over = others.filter((each) => !left.includes(each));
  const inDoubt = over.filter(
    ({ work, overwrites }) => overwrites.includes('left') && done.left.get(work)?.status === 'rejected',
  );
  await links.dropConflicts(over.filter((each) => !inDoubt.includes(each)).map(({ id }) => id));
  if (!sides.every((side) => written.includes(side))) return { writing: left, moot };
  for (const { conflict, work } of moot) {
    const isBack = conflict.field === null && work.action.kind === 'merge';
    // What somebody decided and a side refused is as open as before; only whether a record exists is plain once it is there again.
    if (!isBack && sides.some((side) => (done[side].get(work)?.status ?? 'written') !== 'written')) continue;
    const why = 'it was decided, or the two sides became equal';
    await links.settleConflicts([conflict.id], { why, value: standing(work, conflict.field, pairing) });
  }
  return { writing: inDoubt, moot: [] };
}

/** What the record has in this field from now on. */
function standing({ action, left }: Work, field: string | null, pairing: OpenedPairing): FieldValue {
  if (field === null) return null;
  const own = pairing.fields.find((rule) => rule.field.name === field)?.left;
  const before = own === undefined ? null : (left?.row[own] ?? null);
  return action.kind === 'merge' && Object.hasOwn(action.merge.left, field) ? action.merge.left[field]! : before;
}

/**
 * What a system without transactions refuses it may have done all the same: an earlier try of the request arrived, its reply was lost,
 * and the next one met a lock. Only a look at the record tells.
 */
export async function concludeRefused({ writing: inDoubt }: Records, pairing: OpenedPairing, signal: AbortSignal): Promise<void> {
  if (inDoubt.length === 0) return;
  const keys = [...new Set(inDoubt.map(({ conflict }) => conflict.leftKey))];
  const changes = await pairing.left.source.readKeys!(keys, signal);
  const now = new Map(changes.map(({ key, row }) => [key, row === null ? null : { key, row, atMs: null }]));
  const pairs = inDoubt.map(({ work }) => ({ ...work, left: now.get(work.leftKey!) ?? null }));
  await concludeLeftBehind(
    pairs,
    inDoubt.map(({ conflict, id }) => ({ ...conflict, id })),
    pairing,
  );
}

/** What an earlier attempt was about to overwrite when it broke off: made or not, by what the sides hold now. */
export async function concludeLeftBehind(
  pairs: readonly (Pick<Work, 'leftKey' | 'rightKey'> & Readonly<Record<SideName, SideRow | null>>)[],
  leftBehind: readonly Conflict[],
  pairing: OpenedPairing,
): Promise<void> {
  if (leftBehind.length === 0) return;
  const byPair = new Map(pairs.map((pair) => [pairOf(pair), pair]));
  const fates = leftBehind.map((conflict) => {
    const pair = byPair.get(pairOf(conflict));
    return { id: conflict.id, fate: pair === undefined ? null : fateOf(conflict, pair, pairing) };
  });
  const ids = (wanted: Fate) => fates.filter(({ fate }) => fate === wanted).map(({ id }) => id);
  const { links } = pairing.store;
  await links.presumeConflicts(ids('made'));
  await links.presumeConflicts(ids('unknown'), UNKNOWN);
  await links.dropConflicts(ids('not made'));
}

type Fate = 'made' | 'not made' | 'unknown';

function fateOf(conflict: Conflict, now: Readonly<Record<SideName, SideRow | null>>, { fields }: OpenedPairing): Fate {
  if (conflict.field === null) {
    const doomed: SideName = conflict.left === null ? 'right' : 'left';
    return now[doomed] === null ? 'made' : 'not made';
  }
  const rule = fields.find(({ field }) => field.name === conflict.field);
  if (rule === undefined) return 'unknown';
  const same = (a: FieldValue | undefined, b: FieldValue) => sameValue(a, b, rule.field);
  const fates = sides
    .filter((side) => !same(conflict[side], conflict.outcome))
    .map((side): Fate => {
      const row = now[side]?.row;
      if (row === undefined) return 'unknown';
      if (same(row[rule[side]], conflict.outcome)) return 'made';
      return same(row[rule[side]], conflict[side]) ? 'not made' : 'unknown';
    });
  return fates.find((fate) => fate === 'made') ?? fates.find((fate) => fate === 'unknown') ?? 'not made';
}

function pairOf({ leftKey, rightKey }: { readonly leftKey: string | null; readonly rightKey: string | null }): string {
  return JSON.stringify([leftKey, rightKey]);
}

function identity({ leftKey, rightKey, field }: Pick<Conflict, 'leftKey' | 'rightKey' | 'field'>): string {
  return JSON.stringify([leftKey, rightKey, field]);
}
