import { withPriority } from '../../base/caller.ts';
import { CheckpointExpiredError, RequestRefusedError, SweepRefusedError, UnexpectedReplyError } from '../../base/errors.ts';
import { rowsOfBlock } from '../../model/block.ts';
import type { WriteCalls } from '../../model/preview.ts';
import { keyOf } from '../../model/value.ts';
import type { RunKind } from '../../store/store.ts';
import type { PlannedWrite } from '../dry-run.ts';
import { SWEEP_ROWS_FREE } from '../full.ts';
import { type RunScope, StoppedError, Tally } from '../opened-sync.ts';
import { type Recording, type RunOptions, type RunReport, recorded, type ScopeOf, scopeWith } from '../recorded-run.ts';
import { UNKNOWN } from './conflicts.ts';
import { callsOf, DrySide } from './dry-side.ts';
import { touchedBy } from './failures.ts';
import { otherSide, type SideName } from './merge-record.ts';
import { type FoundPair, type OpenedPairing, ownerOf, PairingTally, takeOver } from './opened-pairing.ts';
import { type ReconcileOptions, reconcile } from './reconcile.ts';

/** Records reconciled together: one query of an org reads them, and one transaction of a database holds their locks. */
const RECORDS_MAX = 500;
/** What is gone on both sides is remembered for so long that no outage brings it back. */
const TOMBSTONES_MS = 30 * 86_400_000;
/** Share of the records that a run over everything may delete on one side without asking. */
const SWEEP_MAX = 0.1;

const sides = ['left', 'right'] as const;

/** How far both sides were read, and what that is good for. Opaque to everybody else. */
interface PairingCheckpoint {
  readonly fingerprint: string;
  readonly positions: Readonly<Record<SideName, string>>;
  readonly origins: Readonly<Record<SideName, string>>;
}

export type OpenPairing = (signal: AbortSignal) => Promise<OpenedPairing>;

export interface PairingRunOptions extends RunOptions {
  /** Reads what changed on this side alone. */
  readonly only?: SideName;
}

export interface PreparedPairing extends Recording {
  readonly fingerprint: string;
}

/** One run of a two-way sync: what changed on either side since the last one, or everything. Never throws; the report says. */
export function runPairing(prepared: PreparedPairing, open: OpenPairing, options: PairingRunOptions): Promise<RunReport> {
  return recorded(prepared, options, (scopeOf, decide) =>
    attempt(prepared.fingerprint, open, options, scopeOf, decide, new PairingTally()),
  );
}

async function attempt(
  fingerprint: string,
  open: OpenPairing,
  options: PairingRunOptions,
  scopeOf: ScopeOf,
  decide: (kind: RunKind, reason: string | null) => void,
  tally: PairingTally,
): Promise<void> {
  const pairing = await open(options.signal);
  // Who has to end takes nothing from whoever has it now.
  options.signal.throwIfAborted();
  const { store, clock, name } = pairing;
  const checkpoint = await takeOver(pairing, options.takeOverFrom);
  const scope = scopeOf(ownerOf(pairing).epoch);
  const kept = decode(checkpoint);
  refuseOtherOrigin(pairing, kept);
  try {
    await retryDue(pairing, { signal: scope.signal, tally });
    await concludeAll(pairing, { signal: scope.signal, tally });
    const why = reasonForFull(fingerprint, pairing, kept, options.full ?? false);
    decide(why === null ? 'delta' : 'full', why);
    const run: PairingRun = { pairing, scope, tally, fingerprint, sweepMax: options.sweepMax };
    // As of a one-way sync: what was to be a delta, and is a load, has no claim to what deltas may use.
    if (why !== null) await (options.full === true ? readEverything(run) : withPriority('full', () => readEverything(run)));
    else {
      try {
        await readChanges(run, kept!, options.only === undefined ? sides : [options.only]);
      } catch (error) {
        if (!(error instanceof CheckpointExpiredError)) throw error;
        decide('full', 'the history since the last run is gone on one of the sides');
        await readEverything(run);
      }
    }
    await store.links.removeGoneLinks(name, clock.now() - TOMBSTONES_MS);
  } finally {
    report(pairing, tally, scope);
  }
}

export interface PairingDryRunOptions extends PairingRunOptions {
  /** Takes each write that would be made, and each that would be refused unsent, with the connection that it is for. */
  readonly onWrite?: (write: PlannedPairWrite) => void;
  /** Takes each pair of records that would be found to be the same. */
  readonly onLink?: (found: FoundPair) => void;
}

export interface PlannedPairWrite extends PlannedWrite {
  /** The connection of the side. */
  readonly side: string;
}

/** What a run would come to: who would be linked, made and overwritten, and what that costs. */
export interface PairingPlan extends Pick<PairingTally, 'read' | 'linked' | 'left' | 'right' | 'failed' | 'conflicts' | 'shown'> {
  readonly kind: RunKind;
  readonly reason: string | null;
  /** Of both sides, reading among them; null where neither counts requests. */
  readonly calls: WriteCalls | null;
}

/**
 * What a run would do, by the very procedure of a run, between sides that are not written. Writes nothing.
 * @param open  opens it with a `dryStore`
 */
export async function planPairing(fingerprint: string, open: OpenPairing, options: PairingDryRunOptions): Promise<PairingPlan> {
  const tally = new PairingTally(options.onLink);
  let decided: Pick<PairingPlan, 'kind' | 'reason'> = { kind: 'delta', reason: null };
  const pairing = await open(options.signal);
  const dry = (name: SideName) => {
    const side = pairing.names[name];
    return new DrySide(pairing[name], side, (write) => options.onWrite?.({ side, ...write }));
  };
  const [left, right] = [dry('left'), dry('right')];
  const decide = (kind: RunKind, reason: string | null) => (decided = { kind, reason });
  const scopeOf = scopeWith(options, new Tally(options.onProgress));
  // What a run would refuse to delete is what somebody wants to see.
  await attempt(fingerprint, async () => ({ ...pairing, left, right }), { ...options, sweepMax: 1 }, scopeOf, decide, tally);
  const { read, linked, failed, conflicts, shown } = tally;
  const counts = { read, linked, left: tally.left, right: tally.right, failed, conflicts, shown };
  return { ...decided, ...counts, calls: callsOf([left, right]) };
}

/** Tries records again that a side refused, or carries out what somebody decided. */
export function retryPairing(
  prepared: PreparedPairing,
  open: OpenPairing,
  options: RunOptions & { readonly ids?: readonly string[]; readonly decisions?: ReconcileOptions['decisions'] },
): Promise<RunReport> {
  return recorded(prepared, options, async (scopeOf, decide) => {
    decide('retry', null);
    const pairing = await open(options.signal);
    options.signal.throwIfAborted();
    await takeOver(pairing);
    const scope = scopeOf(ownerOf(pairing).epoch);
    const tally = new PairingTally();
    try {
      const { decisions } = options;
      if (decisions === undefined) {
        await retryDue(pairing, { signal: scope.signal, tally }, options.ids ?? 'all');
        return;
      }
      for (const left of batchesOf([...new Set(decisions.map(({ conflict }) => conflict.leftKey))])) {
        await reconcile(pairing, { left, right: [] }, { signal: scope.signal, tally, decisions });
      }
    } finally {
      report(pairing, tally, scope);
    }
  });
}

interface PairingRun {
  readonly pairing: OpenedPairing;
  readonly scope: RunScope;
  readonly tally: PairingTally;
  readonly fingerprint: string;
  readonly sweepMax: number | undefined;
}

async function readChanges(run: PairingRun, kept: PairingCheckpoint, from: readonly SideName[]): Promise<void> {
  const { pairing, scope } = run;
  let { positions } = kept;
  for (const side of from) {
    for await (const { changes, checkpoint, window } of pairing[side].source.readDelta!(positions[side], scope.signal)) {
      scope.tally.window(window);
      // A record whose key was changed comes before what looks like its delete.
      const { upsert = [], delete: gone = [] } = Object.groupBy(changes, ({ op }) => op);
      await reconcileKeys(
        run,
        side,
        [...upsert, ...gone].map(({ key }) => key),
      );
      if (checkpoint === null) continue;
      positions = { ...positions, [side]: checkpoint };
      await keep(run, positions);
      scope.tally.kept++;
    }
  }
}

async function readEverything(run: PairingRun): Promise<void> {
  const { pairing, scope } = run;
  const positions = {
    left: await pairing.left.source.mark(scope.signal),
    right: await pairing.right.source.mark(scope.signal),
  };
  await everyRecord(run, () => {
    scope.tally.progress('reading', run.tally.read);
    return scope.stopping();
  });
  if (positions.left === null || positions.right === null) return;
  // What changed while it was read is in the next delta, which begins where the reading began.
  await keep(run, { left: positions.left, right: positions.right });
}

/** Every record of both sides once, then the links whose records neither side showed, and at last what is gone on one of them. */
async function everyRecord(run: PairingRun, stopping: () => boolean): Promise<void> {
  const { pairing } = run;
  const { store, name, deletes } = pairing;
  const paired = new Set<string>();
  const shown = { left: 0, right: 0 };
  const bereft = nobody();
  const options = optionsOf(run);
  const reading = deletes === 'propagate' ? { ...options, bereft } : options;
  for (const side of sides) {
    for await (const keys of keysOf(pairing, side, options.signal)) {
      shown[side] += keys.length;
      // The partners of the left side's records have been looked at with them.
      const open = side === 'left' ? keys : keys.filter((key) => !paired.has(key));
      await reconcile(pairing, { left: [], right: [], [side]: open }, { ...reading, paired });
      if (stopping()) throw new StoppedError();
    }
  }
  for (let after = ''; ; ) {
    const links = await store.links.linksAfter(name, after, RECORDS_MAX);
    if (links.length === 0) break;
    after = links.at(-1)!.leftKey;
    // What was looked at from either side was looked at with its partner.
    const missing = links.filter(({ gone, rightKey }) => gone !== 'both' && !paired.has(rightKey));
    await reconcile(pairing, { left: missing.map(({ leftKey }) => leftKey), right: [] }, reading);
  }
  const lookAt = async (found: Bereft, how: ReconcileOptions) => {
    for (const left of batchesOf([...found.left, ...found.right])) {
      if (stopping()) throw new StoppedError();
      await reconcile(pairing, { left, right: [] }, how);
    }
  };
  // Some have been met since, by another key.
  const still = nobody();
  await lookAt(bereft, { ...options, bereft: still });
  await refuseLargeSweep(run, still, shown);
  await lookAt(still, options);
}

type Bereft = NonNullable<ReconcileOptions['bereft']>;
const nobody = (): Bereft => ({ left: new Set(), right: new Set() });

/** Absence alone proves nothing: a lost permission, or a table that was emptied, looks just like deletes (P4). */
async function refuseLargeSweep(
  { pairing, sweepMax }: PairingRun,
  bereft: Bereft,
  shown: Readonly<Record<SideName, number>>,
): Promise<void> {
  const { names, name, store } = pairing;
  const total = await store.links.countLinks(name);
  const share = sweepMax ?? SWEEP_MAX;
  for (const side of sides) {
    const missing = bereft[side].size;
    const free = shown[side] > 0 && sweepMax === undefined ? SWEEP_ROWS_FREE : 0;
    if (missing <= Math.max(free, share * total)) continue;
    throw new SweepRefusedError(
      `${missing} of ${total} records are not in ${names[side]} any more: more than ${Math.round(share * 100)} % are not deleted in ${names[otherSide(side)]} unasked`,
      {
        hint: `nothing was deleted. When this is right: tidemark run ${name} --full --sweep-max ${Math.ceil((missing / total) * 100)}%. Otherwise look for a lost permission, or a table that was emptied`,
      },
    );
  }
}

async function* keysOf(pairing: OpenedPairing, side: SideName, signal: AbortSignal): AsyncGenerator<string[]> {
  const { source } = pairing[side];
  let keys: string[] = [];
  for await (const page of source.readFull(null, signal)) {
    for await (const block of page.blocks) {
      for (const row of rowsOfBlock(block, source.schema.fields)) {
        const key = keyOf(row, source.schema.key);
        if (key !== null) keys.push(key);
        if (keys.length === RECORDS_MAX) {
          yield keys;
          keys = [];
        }
      }
    }
  }
  if (keys.length > 0) yield keys;
}

function* batchesOf(keys: readonly string[]): Generator<readonly string[]> {
  for (let at = 0; at < keys.length; at += RECORDS_MAX) yield keys.slice(at, at + RECORDS_MAX);
}

async function reconcileKeys(run: PairingRun, side: SideName, keys: readonly string[]): Promise<void> {
  const { pairing, scope } = run;
  const options = { ...optionsOf(run), told: true } as const;
  for (const batch of batchesOf(keys)) {
    await reconcile(pairing, { left: [], right: [], [side]: batch }, options);
    scope.tally.progress('delta', run.tally.read);
    if (scope.stopping()) throw new StoppedError();
  }
}

async function retryDue(
  pairing: OpenedPairing,
  options: ReconcileOptions,
  which: readonly string[] | 'due' | 'all' = 'due',
): Promise<void> {
  const { store, clock, name } = pairing;
  const filter = which === 'due' ? { dueAtMs: clock.now() } : which === 'all' ? {} : { ids: which };
  const failures = await store.failures({ sync: name, ...filter });
  const touched = touchedBy(failures.map(({ key }) => key));
  for (const side of sides) {
    for (const keys of batchesOf(touched[side])) await reconcile(pairing, { left: [], right: [], [side]: keys }, options);
  }
}

/** Looks at every pair that was about to be overwritten when something broke off, whatever it was that had touched it. */
async function concludeAll(pairing: OpenedPairing, options: ReconcileOptions): Promise<void> {
  const { links } = pairing.store;
  const leftBehind = () => links.conflicts({ sync: pairing.name, state: 'writing', limit: RECORDS_MAX });
  for (let found = await leftBehind(); found.length > 0; found = await leftBehind()) {
    await reconcile(pairing, { left: found.map(({ leftKey }) => leftKey), right: [] }, options);
    // Those of records that belong to others by now.
    await links.presumeConflicts(
      found.map(({ id }) => id),
      UNKNOWN,
    );
  }
}

async function keep({ pairing, scope, fingerprint }: PairingRun, positions: PairingCheckpoint['positions']): Promise<void> {
  const origins = { left: pairing.left.source.origin, right: pairing.right.source.origin };
  const checkpoint = JSON.stringify({ v: 1, fingerprint, positions, origins });
  await pairing.store.checkpoints.write(pairing.name, scope.epoch, checkpoint);
}

function decode(text: string | null): PairingCheckpoint | null {
  if (text === null) return null;
  const { v, ...checkpoint } = JSON.parse(text) as PairingCheckpoint & { v: number };
  if (v === 1) return checkpoint;
  throw new UnexpectedReplyError(`a two-way checkpoint of version ${v} is newer than this Tidemark`, {
    hint: 'run the newer version, or reset the sync',
  });
}

function refuseOtherOrigin(pairing: OpenedPairing, kept: PairingCheckpoint | null): void {
  for (const side of sides) {
    const now = pairing[side].source.origin;
    if (kept === null || kept.origins[side] === now) continue;
    throw new RequestRefusedError(
      `${pairing.name} was in sync with ${kept.origins[side]}, and ${pairing.names[side]} now leads to ${now}`,
      { hint: `if that is meant (a refreshed sandbox, say): tidemark reset ${pairing.name}, which forgets who belongs to whom` },
    );
  }
}

function reasonForFull(
  fingerprint: string,
  pairing: OpenedPairing,
  kept: PairingCheckpoint | null,
  asked: boolean,
): string | null {
  if (asked) return 'asked for';
  for (const side of sides) {
    if (pairing[side].source.readDelta === undefined) return `${pairing.names[side]} cannot tell what changed`;
  }
  if (kept === null) return 'there is no checkpoint yet';
  return kept.fingerprint === fingerprint ? null : 'the configuration of the sync has changed';
}

function optionsOf({ scope, tally }: PairingRun): ReconcileOptions {
  return { signal: scope.signal, tally };
}

/** The run's record counts what was written, wherever. */
function report({ names }: OpenedPairing, { read, failed, left, right }: PairingTally, { tally }: RunScope): void {
  tally.sides = [
    { connection: names.left, ...left },
    { connection: names.right, ...right },
  ];
  tally.read = read;
  tally.failed = failed;
  tally.created = left.created + right.created;
  tally.updated = left.updated + right.updated;
  tally.deleted = left.deleted + right.deleted;
}
