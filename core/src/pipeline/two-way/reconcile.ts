import { TransientError } from '../../base/errors.ts';
import { traced } from '../../base/tracing.ts';
import { sameValue } from '../../model/compare.ts';
import type { Side, SideResult, SideWrite } from '../../model/side.ts';
import { newRow, type Row } from '../../model/value.ts';
import type { Conflict, Link } from '../../store/links.ts';
import { conclude, concludeLeftBehind, concludeRefused, conflictsOf, keepConflicts, type Records } from './conflicts.ts';
import { decidePair } from './decide-pair.ts';
import { keepFailures } from './failures.ts';
import { findPartners, type Partners, withLeftAnew } from './find-partners.ts';
import { type Base, otherSide, type Policy, type SideName } from './merge-record.ts';
import { type OpenedPairing, ownerOf, type PairField, type PairingTally, shared, sideRow } from './opened-pairing.ts';
import type { Done, Work, Writes } from './work.ts';

export interface ReconcileOptions {
  readonly signal: AbortSignal;
  readonly tally: PairingTally;
  /** Takes keys of the right side whose partners have been looked at. */
  readonly paired?: Set<string>;
  /** What is touched was told by its side. What is not there and was not told does not take its partner with it: a side may hide it (P4). */
  readonly told?: true;
  /**
   * Takes pairs that have lost the record of this side since they were last looked at, by their left keys. They are not decided upon:
   * how many there are says whether to believe it (P4).
   */
  readonly bereft?: Readonly<Record<SideName, Set<string>>>;
  /** What people decided about open conflicts. */
  readonly decisions?: readonly { readonly conflict: Conflict; readonly policy: Policy }[];
}

/** How often a pair is looked at again at once; what still moves after that is told by its next change. */
const ROUNDS_MAX = 3;

/** What was read so long ago is read again: who waited for a lock, or slept, would put back what somebody has changed since. */
const FRESH_MS = 15_000;

/**
 * Brings both sides of the touched records together (P7). Whatever touched a record, both sides are read, compared with what they
 * agreed on last, and what differs is written. To do it again does nothing, so a crash anywhere is made up by repeating.
 */
export async function reconcile(
  pairing: OpenedPairing,
  touched: Readonly<Record<SideName, Iterable<string>>>,
  options: ReconcileOptions,
): Promise<void> {
  let keys = { left: [...new Set(touched.left)], right: [...new Set(touched.right)] };
  const told = options.told ? { left: new Set(keys.left), right: new Set(keys.right) } : null;
  for (let round = 0; round < ROUNDS_MAX && keys.left.length + keys.right.length > 0; round++) {
    options.signal.throwIfAborted();
    const facts = { 'tidemark.sync': pairing.name, 'tidemark.records': keys.left.length + keys.right.length };
    keys = await traced('batch', facts, () => reconcileOnce(pairing, keys, told, options));
  }
}

/** @returns records that are looked at once more: those that were made, to be told their partner's key, and those that went or moved meanwhile */
async function reconcileOnce(
  pairing: OpenedPairing,
  touched: Readonly<Record<SideName, readonly string[]>>,
  told: Told | null,
  options: ReconcileOptions,
): Promise<{ left: string[]; right: string[] }> {
  const { signal, tally, bereft } = options;
  const decidedKeys = new Set(options.decisions?.map(({ conflict }) => conflict.leftKey));
  const { partners, unpaired } = await findPartners(pairing, touched, signal, decidedKeys);
  let readAtMs = pairing.clock.now();
  const isStale = () => pairing.clock.now() - readAtMs > FRESH_MS;
  tally.read += partners.length + unpaired.length;
  tally.failed += unpaired.length;
  let works: readonly Work[] = [];
  let decided = touched;
  let writes = { left: noWrites, right: noWrites };
  let records: Records = { writing: [], moot: [] };

  // The right side is decided upon under its locks; the left, which may have none, was read just before.
  const rightKeys = partners.flatMap(({ rightKey }) => rightKey ?? []);
  for (const key of rightKeys) options.paired?.add(key);
  const rightResults = await pairing.right.merge(
    rightKeys,
    async (rows) => {
      let current = partners;
      if (isStale()) {
        current = await withLeftAnew(pairing, partners, signal);
        readAtMs = pairing.clock.now();
      }
      const pairs = current.map((pair) => ({ ...pair, right: rows.get(pair.rightKey ?? '') ?? null }));
      const open = await openConflicts(pairs, pairing);
      const all = pairs.map((pair) => decide(pair, pairing, options));
      const putOff = new Set(all.filter((work) => (bereft === undefined ? isDoubtful(work, told) : isBereft(work))));
      for (const { leftKey, left } of putOff) bereft?.[left === null ? 'left' : 'right'].add(leftKey!);
      works = all.filter((work) => !putOff.has(work));
      decided = without([...putOff], touched);
      tally.read -= putOff.size;
      writes = { left: writesTo('left', works, pairing), right: writesTo('right', works, pairing) };
      for (const { link, left, right } of works) {
        if (link === null && left !== null && right !== null) tally.link({ left: left.key, right: right.key });
      }
      tally.tell(works.flatMap((work) => conflictsOf(work, pairing).map(({ conflict }) => conflict)));
      // Durable before anything is overwritten.
      records = await keepConflicts(works, pairing, open);
      return [...writes.right.values()];
    },
    signal,
  );
  const right = resultsOf(writes.right, rightResults);
  records = await conclude(records, pairing, { left: new Map(), right }, ['right']);
  // What was agreed with the right side must not be forgotten by a crash before the left is written; a former owner writes it no more.
  await keepLinks(works, pairing, { left: new Map(), right }, writes);
  if (writes.left.size > 0 && isStale()) {
    throw new TransientError(`it took so long to write to ${pairing.names.right} that the records have to be read again first`);
  }
  const leftResults = writes.left.size === 0 ? [] : await pairing.left.merge([], async () => [...writes.left.values()], signal);
  const done: Done = { left: resultsOf(writes.left, leftResults), right };
  records = await conclude(records, pairing, done, ['right', 'left']);
  if (writes.left.size > 0) await keepLinks(works, pairing, done, writes);
  await keepFailures(works, { touched: decided, unpaired }, pairing, done, writes);
  await concludeRefused(records, pairing, signal);
  for (const side of ['left', 'right'] as const) {
    for (const [{ action }, result] of done[side]) tally.count(side, action, result);
  }
  return lookAgain(works, done);
}

/** Whether one of two records that were both there is not any more. */
function isBereft({ link, left, right }: Work): boolean {
  return link?.gone === null && (left === null) !== (right === null);
}

/** Whether a record would go because its partner is not there, of which nobody has told, now or before. */
function isDoubtful({ action, link, leftKey, rightKey }: Work, told: Told | null): boolean {
  if (action.kind !== 'delete' || told === null) return false;
  const gone = otherSide(action.on);
  return link?.gone !== gone && !told[gone].has((gone === 'left' ? leftKey : rightKey)!);
}

type Told = Readonly<Record<SideName, ReadonlySet<string>>>;

/** The touched records but for those of these pairs. */
function without(
  pairs: readonly Partners[],
  touched: Readonly<Record<SideName, readonly string[]>>,
): Readonly<Record<SideName, readonly string[]>> {
  const left = new Set(pairs.map(({ leftKey }) => leftKey));
  const right = new Set(pairs.map(({ rightKey }) => rightKey));
  return { left: touched.left.filter((key) => !left.has(key)), right: touched.right.filter((key) => !right.has(key)) };
}

/** What is open of these pairs. What an earlier attempt has left half done among their conflicts is concluded first. */
async function openConflicts(pairs: readonly Partners[], pairing: OpenedPairing): Promise<readonly Conflict[]> {
  const keys = pairs.flatMap(({ leftKey, rightKey }) => (leftKey === null || rightKey === null ? [] : [{ leftKey, rightKey }]));
  if (keys.length === 0) return [];
  const found = await pairing.store.links.conflicts({ sync: pairing.name, state: ['open', 'writing'], keys });
  const leftBehind = found.filter(({ state }) => state === 'writing');
  await concludeLeftBehind(pairs, leftBehind, pairing);
  return found.filter(({ state }) => state === 'open');
}

const noWrites: Writes = new Map();

function decide(pair: Partners, pairing: OpenedPairing, { decisions = [] }: ReconcileOptions): Work {
  const own = decisions.filter(
    ({ conflict }) => conflict.leftKey === pair.leftKey && conflict.rightKey === pair.rightKey && conflict.sync === pairing.name,
  );
  const rules = own.length === 0 ? pairing.fields : pairing.fields.map((rule) => decided(rule, own));
  const existence = own.find((made) => made.conflict.field === null && isAsShown(pair, made, pairing))?.policy;
  const sides = {
    left: pair.left === null ? null : shared(pairing, 'left', pair.left),
    right: pair.right === null ? null : shared(pairing, 'right', pair.right),
  };
  const exists = existence?.kind === 'wins' ? { exists: existence.side } : {};
  return { ...pair, action: decidePair({ ...pair, ...sides, ...exists }, rules, pairing.deletes) };
}

/**
 * Whoever decides whether a record exists decides about what they were shown: this side without it, and that one with it. Where it is
 * back, gone on the other side instead, or is to go and was edited since, it has to be looked at anew.
 */
function isAsShown(
  pair: Partners,
  { conflict, policy }: NonNullable<ReconcileOptions['decisions']>[number],
  pairing: OpenedPairing,
): boolean {
  if (policy.kind !== 'wins') return false;
  const gone: SideName = conflict.left === null ? 'left' : 'right';
  const there = otherSide(gone);
  if (pair[gone] !== null || pair[there] === null) return false;
  if (policy.side === there) return true;
  const { row } = pair[there];
  const shown = conflict[there] as Row | null;
  return pairing.fields.every((rule) => sameValue(row[rule[there]], shown?.[rule[there]], rule.field));
}

/** The value that a decision replaces is told as it is when it is replaced. */
function decided(rule: PairField, own: NonNullable<ReconcileOptions['decisions']>): PairField {
  const made = own.find(({ conflict }) => conflict.field === rule.field.name);
  return made === undefined ? rule : { ...rule, policy: made.policy };
}

function writesTo(side: SideName, works: readonly Work[], pairing: OpenedPairing): Writes {
  return new Map(
    works.flatMap((work) => {
      const write = writeOf(work, side, pairing);
      return write === null ? [] : [[work, write] as const];
    }),
  );
}

function writeOf({ action, leftKey, rightKey, left, right }: Work, side: SideName, pairing: OpenedPairing): SideWrite | null {
  const own = side === 'left' ? { key: leftKey, row: left?.row } : { key: rightKey, row: right?.row };
  const otherKey = side === 'left' ? rightKey : leftKey;
  if (action.kind === 'create' && action.on === side) {
    return { op: 'create', row: Object.assign(linkTo(pairing[side], otherKey), sideRow(pairing, side, action.row)) };
  }
  if (action.kind === 'delete' && action.on === side) return { op: 'delete', key: own.key! };
  if (action.kind !== 'merge') return null;
  const row = sideRow(pairing, side, action.merge[side]);
  const { link } = pairing[side];
  // Told once who its partner is, a record finds it again whatever becomes of our own memory. An org keeps no blanks around a text.
  if (link !== null && own.row !== undefined && String(own.row[link] ?? '').trim() !== otherKey!.trim()) row[link] = otherKey;
  return Object.keys(row).length === 0 ? null : { op: 'update', key: own.key!, row };
}

function linkTo({ link }: Side, otherKey: string | null): Row {
  return link === null ? newRow() : Object.assign(newRow(), { [link]: otherKey });
}

function resultsOf(writes: Writes, results: readonly SideResult[]): ReadonlyMap<Work, SideResult> {
  return new Map([...writes.keys()].map((work, i) => [work, results[i]!]));
}

/** Keeps what is agreed by now: nothing of a write before its side has acknowledged it. */
async function keepLinks(
  works: readonly Work[],
  pairing: OpenedPairing,
  done: Done,
  writes: Readonly<Record<SideName, Writes>>,
): Promise<void> {
  const changedAtMs = pairing.clock.now();
  const kept = works.flatMap((work) => {
    const link = linkOf(work, done, writes);
    return link === null ? [] : [{ ...link, changedAtMs }];
  });
  await pairing.store.links.putLinks(ownerOf(pairing), kept);
}

function linkOf(work: Work, done: Done, writes: Readonly<Record<SideName, Writes>>): Omit<Link, 'changedAtMs'> | null {
  const { action, link, leftKey, rightKey, base } = work;
  const acknowledged = (side: SideName) => !writes[side].has(work) || done[side].get(work)?.status === 'written';
  const keys = { leftKey: leftKey!, rightKey: rightKey! };
  switch (action.kind) {
    case 'merge': {
      const agreed = action.merge.agreed.filter(({ after }) => after.every(acknowledged));
      if (agreed.length === 0 && link?.gone === null) return null;
      const next: Base = { ...base, ...Object.fromEntries(agreed.map(({ field, base: entry }) => [field, entry])) };
      return { ...keys, base: JSON.stringify(next), gone: null };
    }
    case 'create': {
      const made = done[action.on].get(work);
      if (made?.status !== 'written') return null;
      const both = action.on === 'left' ? { ...keys, leftKey: made.key } : { ...keys, rightKey: made.key };
      return { ...both, base: JSON.stringify(action.base), gone: null };
    }
    case 'delete': {
      const result = done[action.on].get(work)?.status;
      return result === 'written' || result === 'gone' ? { ...keys, base: link!.base, gone: 'both' } : null;
    }
    case 'gone':
      return { ...keys, base: link!.base, gone: action.gone };
    case 'contested':
      return link?.gone === action.gone ? null : { ...keys, base: link?.base ?? '{}', gone: action.gone };
    default:
      return null;
  }
}

function lookAgain(works: readonly Work[], done: Done): { left: string[]; right: string[] } {
  const again = { left: [] as string[], right: [] as string[] };
  for (const work of works) {
    const results = [done.left.get(work), done.right.get(work)];
    const made = work.action.kind === 'create' && results.some((result) => result?.status === 'written');
    if (!made && !results.some((result) => result?.status === 'gone' || result?.status === 'moved')) continue;
    if (work.leftKey !== null) again.left.push(work.leftKey);
    else again.right.push(work.rightKey!);
  }
  return again;
}
