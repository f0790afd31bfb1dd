import { withPriority } from '../base/caller.ts';
import { CheckpointExpiredError, InvariantError, RequestRefusedError } from '../base/errors.ts';
import type { Effect, WriteCalls } from '../model/preview.ts';
import type { RunKind } from '../store/store.ts';
import { runDelta } from './delta.ts';
import { drySync, type PlannedWrite, type PlannedWrites } from './dry-run.ts';
import { decodeEnvelope, type Envelope, encodeEnvelope, envelopeBase, reasonForFull } from './envelope.ts';
import { runFull } from './full.ts';
import { type OpenedSync, type RunScope, Tally } from './opened-sync.ts';
import {
  type Recording,
  type RunOptions,
  type RunReport,
  readingSignal,
  recorded,
  type ScopeOf,
  scopeWith,
} from './recorded-run.ts';
import { refetch } from './refetch.ts';
import { retryFailures } from './retry-failures.ts';
import { type Verdict, verify } from './verify.ts';

/** Opens the sync's two sides; called again after an attempt that lost its connection. */
export type OpenSync = (signal: AbortSignal) => Promise<OpenedSync>;

type Prepared = Recording & Pick<OpenedSync, 'config'>;

/**
 * One run of a sync, from taking it over to its record in the store. Never throws for what went wrong in it: the report says.
 * An attempt that fails for a passing reason is made again; everything it had kept stays kept.
 */
export async function runSync(prepared: Prepared, open: OpenSync, options: RunOptions): Promise<RunReport> {
  return recorded(prepared, options, (scopeOf, decide) => attempt(open, scopeOf, decide, options));
}

async function attempt(
  open: OpenSync,
  scopeOf: ScopeOf,
  decide: (kind: RunKind, reason: string | null) => void,
  options: RunOptions,
): Promise<void> {
  const sync = await open(readingSignal(options));
  const { scope, envelope } = await takeOver(sync, scopeOf, options.signal);
  const failing = new Set(await sync.store.failingKeys(sync.config.name));
  const base = envelopeBase(sync);
  refuseOtherOrigin(sync, envelope);
  const why = reasonForFull(sync, envelope, options.full ?? false);
  if (sync.config.onFailure === 'hold' && sync.source.readKeys !== undefined && failing.size > 0) {
    // A record that was refused holds the window, whichever run or attempt met it: it is tried now, due or not.
    await sync.store.makeFailuresDue({ sync: sync.config.name }, sync.clock.now());
    await retryFailures(sync, scope, failing);
    scope.tally.heldBy ??= [...failing][0] ?? null;
  } else await retryFailures(sync, scope, failing);
  if (why === null) {
    decide('delta', null);
    try {
      return await runDelta(sync, scope, { ...base, position: startOf(sync, envelope!, options) }, failing);
    } catch (error) {
      if (!(error instanceof CheckpointExpiredError)) throw error;
      decide('full', 'the history since the last run is gone at the source');
    }
  } else decide('full', why);
  if (sync.source.changesOnly === true) return runFromOldest(sync, scope, base, failing);
  const failedBefore = [...failing];
  const readAll = () => runFull(sync, scope, base, failing, options);
  // A delta that has become a load of everything has no claim to what deltas may use; one that was asked for is known for it.
  await (options.full === true ? readAll() : withPriority('full', readAll));
  // A full read brought every record once more: who failed before may pass now, whenever the next attempt was due.
  if (failedBefore.length === 0) return;
  const again = await sync.store.failures({ sync: sync.config.name, keys: failedBefore });
  await retryFailures(
    sync,
    scope,
    failing,
    again.map(({ id }) => id),
  );
}

function startOf({ source }: OpenedSync, { position }: Envelope, { sinceMs }: RunOptions): string {
  return sinceMs === undefined ? position : (source.rewind?.(position, sinceMs) ?? position);
}

/** Tries failing records again, now. */
export function retrySync(
  prepared: Prepared,
  open: OpenSync,
  options: RunOptions & { ids?: readonly string[] },
): Promise<RunReport> {
  return recorded(prepared, options, async (scopeOf, decide) => {
    decide('retry', null);
    const sync = await open(readingSignal(options));
    const { scope } = await takeOver(sync, scopeOf, options.signal);
    const failing = new Set(await sync.store.failingKeys(sync.config.name));
    await retryFailures(sync, scope, failing, options.ids);
  });
}

/** Reads these records again and writes them. */
export function refetchSync(
  prepared: Prepared,
  open: OpenSync,
  keys: readonly string[],
  options: RunOptions,
): Promise<RunReport> {
  return recorded(prepared, options, async (scopeOf, decide) => {
    decide('retry', null);
    const sync = await open(readingSignal(options));
    const { scope } = await takeOver(sync, scopeOf, options.signal);
    await refetch(sync, scope, keys, new Set(await sync.store.failingKeys(sync.config.name)));
  });
}

export interface DryRunOptions extends RunOptions {
  /** Takes each record that would be written or refused, in the order in which a run would. */
  readonly onWrite?: (write: PlannedWrite) => void;
}

/** What a run would come to. */
export interface DryRun extends Pick<RunReport, 'kind' | 'reason' | 'counts'> {
  readonly effects: Readonly<Record<Effect, number>>;
  /** Of writing; null where writes are not counted in requests. */
  readonly calls: WriteCalls | null;
}

/**
 * What a run would do, by the very procedure of a run, with a store that keeps nothing and a target that is not written. Takes
 * nothing over and writes nothing, not even its own record.
 * @param store  a `dryStore`, with which the sync is open as well; its failures go to `planned.refused`
 */
export async function dryRunSync(open: OpenSync, planned: PlannedWrites, options: DryRunOptions): Promise<DryRun> {
  const tally = new Tally(options.onProgress);
  let decided: Pick<DryRun, 'kind' | 'reason'> = { kind: 'delta', reason: null };
  const dry = async (signal: AbortSignal) => drySync(await open(signal), planned);
  await attempt(dry, scopeWith(options, tally), (kind, reason) => (decided = { kind, reason }), options);
  return { ...decided, counts: tally.counts(), effects: planned.effects, calls: planned.calls };
}

/**
 * Compares source and target record by record. Runs a delta in between, so that what is merely late is no difference.
 * @throws {RequestRefusedError} no full run has been made, or the target cannot be read.
 */
export async function verifySync(
  prepared: Prepared,
  open: OpenSync,
  options: RunOptions & { repair: boolean },
): Promise<Verdict> {
  const sync = await open(readingSignal(options));
  if (sync.source.changesOnly === true) {
    throw new RequestRefusedError(`${prepared.config.name} reads changes, which do not tell what the target should hold`, {
      hint: 'verify the sync that fills what it reads, or the last target against the first source',
    });
  }
  if (sync.steps.ownKey) {
    throw new RequestRefusedError(
      `${prepared.config.name} writes by another key than its source has, so that nothing tells which records belong together`,
      { hint: `tidemark run ${prepared.config.name} --full writes everything once more, where it differs` },
    );
  }
  const tally = new Tally(options.onProgress);
  const { scope, envelope } = await takeOver(sync, scopeWith(options, tally), options.signal);
  refuseOtherOrigin(sync, envelope);
  if (envelope === null && sync.source.readDelta !== undefined) {
    throw new RequestRefusedError(`${prepared.config.name} has not completed a full run yet, so there is nothing to verify`, {
      hint: `tidemark run ${prepared.config.name}`,
    });
  }
  const failing = new Set(await sync.store.failingKeys(sync.config.name));
  const settle = async () => {
    if (envelope !== null && sync.source.readDelta !== undefined) await runDelta(sync, scope, envelope, failing);
  };
  return verify(sync, scope, failing, settle, options);
}

async function takeOver(
  sync: OpenedSync,
  scopeOf: ScopeOf,
  signal: AbortSignal,
): Promise<{ scope: RunScope; envelope: Envelope | null }> {
  const { epoch, checkpoint } = await sync.checkpoints.acquire(sync.config.watermarkKey, signal);
  return { scope: scopeOf(epoch), envelope: decodeEnvelope(checkpoint) };
}

/** The full run of a source that holds changes and no state. The mark is kept first, so that a crash goes on from there. */
async function runFromOldest(
  sync: OpenedSync,
  scope: RunScope,
  base: Omit<Envelope, 'position'>,
  failing: Set<string>,
): Promise<void> {
  const position = await sync.source.mark(scope.reading);
  if (position === null) throw new InvariantError('a source that holds nothing but changes has no mark');
  const envelope = { ...base, position };
  if (scope.tally.heldBy === null) {
    await sync.checkpoints.write(sync.config.watermarkKey, scope.epoch, encodeEnvelope(envelope, sync));
  }
  await runDelta(sync, scope, envelope, failing);
}

/** A refreshed sandbox or a mistaken URL must not be merged into another org's copy. */
function refuseOtherOrigin(sync: OpenedSync, envelope: Envelope | null): void {
  if (envelope === null || envelope.origin === sync.source.origin) return;
  throw new RequestRefusedError(
    `the target holds records of ${envelope.origin}, and the connection now leads to ${sync.source.origin}`,
    { hint: `if that is meant (a refreshed sandbox, say): tidemark reset ${sync.config.name}, then a full run` },
  );
}
