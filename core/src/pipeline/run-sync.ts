import { CheckpointExpiredError, RequestRefusedError, SyncError } from '../base/errors.ts';
import { retrying } from '../base/retry.ts';
import type { RunKind, RunState } from '../store/store.ts';
import { runDelta } from './delta.ts';
import { dryRun } from './dry-run.ts';
import { decodeEnvelope, type Envelope, envelopeBase, reasonForFull } from './envelope.ts';
import { type FullOptions, runFull } from './full.ts';
import { heldWindow } from './held.ts';
import { type OpenedSync, type Progress, type RunScope, StoppedError, Tally } from './opened-sync.ts';
import { refetch } from './refetch.ts';
import { retryFailures } from './retry-failures.ts';
import { type Verdict, verify } from './verify.ts';

export interface RunOptions extends FullOptions {
  readonly full?: boolean;
  readonly signal: AbortSignal;
  /** Finish the page or batch under way, then end. Waits between attempts end at once. */
  readonly stop?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

/** What came of one execution, as `run` prints it. */
export interface RunReport {
  readonly sync: string;
  readonly kind: RunKind;
  readonly state: RunState;
  /** Why a delta became a full run; null when it did not. */
  readonly reason: string | null;
  readonly counts: ReturnType<Tally['counts']>;
  readonly windowFromMs: number | null;
  readonly windowToMs: number | null;
  readonly durationMs: number;
  readonly error: { readonly code: string; readonly message: string; readonly hint?: string } | null;
  readonly heldBy: string | null;
  readonly openFailures: number;
}

/** Opens the sync's two sides; called again after an attempt that lost its connection. */
export type OpenSync = (signal: AbortSignal) => Promise<OpenedSync>;

type Prepared = Pick<OpenedSync, 'config' | 'store' | 'clock' | 'random' | 'log'>;

/**
 * One run of a sync, from taking it over to its record in the store. Never throws for what went wrong in it: the report says.
 * An attempt that fails for a passing reason is made again; everything it had kept stays kept.
 */
export async function runSync(prepared: Prepared, open: OpenSync, options: RunOptions): Promise<RunReport> {
  return recorded(prepared, options, async (scopeOf, decide) => {
    const sync = await open(options.signal);
    const { scope, envelope } = await takeOver(sync, scopeOf);
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
        return await runDelta(sync, scope, { ...base, position: envelope!.position }, failing);
      } catch (error) {
        if (!(error instanceof CheckpointExpiredError)) throw error;
        decide('full', 'the history since the last run is gone at the source');
      }
    } else decide('full', why);
    const failedBefore = [...failing];
    await runFull(sync, scope, base, failing, options);
    // A full read brought every record once more: who failed before may pass now, whenever the next attempt was due.
    if (failedBefore.length === 0) return;
    const again = await sync.store.failures({ sync: sync.config.name, keys: failedBefore });
    await retryFailures(
      sync,
      scope,
      failing,
      again.map(({ id }) => id),
    );
  });
}

/** Tries failing records again, now. */
export function retrySync(
  prepared: Prepared,
  open: OpenSync,
  options: RunOptions & { ids?: readonly string[] },
): Promise<RunReport> {
  return recorded(prepared, options, async (scopeOf, decide) => {
    decide('retry', null);
    const sync = await open(options.signal);
    const { scope } = await takeOver(sync, scopeOf);
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
    const sync = await open(options.signal);
    const { scope } = await takeOver(sync, scopeOf);
    await refetch(sync, scope, keys, new Set(await sync.store.failingKeys(sync.config.name)));
  });
}

/** What a run would do. Takes nothing over and writes nothing, not even its own record. */
export async function dryRunSync(open: OpenSync, options: RunOptions): Promise<Pick<RunReport, 'kind' | 'reason' | 'counts'>> {
  const sync = await open(options.signal);
  const envelope = decodeEnvelope(await sync.checkpoints.read(sync.config.watermarkKey));
  refuseOtherOrigin(sync, envelope);
  const reason = reasonForFull(sync, envelope, options.full ?? false);
  const tally = new Tally(options.onProgress);
  const scope = scopeWith(options, tally)(0);
  await dryRun(sync, scope, reason === null ? envelope : null);
  return { kind: reason === null ? 'delta' : 'full', reason, counts: tally.counts() };
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
  const sync = await open(options.signal);
  const tally = new Tally(options.onProgress);
  const { scope, envelope } = await takeOver(sync, scopeWith(options, tally));
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

type ScopeOf = (epoch: number) => RunScope;

/** What the attempts of one run share is `run`; each has a tally of its own. */
function scopeWith(options: RunOptions, tally: Tally, run: RunScope['run'] = { loadsThrownAway: 0 }): ScopeOf {
  const { signal, stop } = options;
  return (epoch) => ({ epoch, signal, stopping: () => stop?.aborted ?? false, tally, run });
}

async function takeOver(sync: OpenedSync, scopeOf: ScopeOf): Promise<{ scope: RunScope; envelope: Envelope | null }> {
  const { epoch, checkpoint } = await sync.checkpoints.acquire(sync.config.watermarkKey);
  return { scope: scopeOf(epoch), envelope: decodeEnvelope(checkpoint) };
}

/** A refreshed sandbox or a mistaken URL must not be merged into another org's copy. */
function refuseOtherOrigin(sync: OpenedSync, envelope: Envelope | null): void {
  if (envelope === null || envelope.origin === sync.source.origin) return;
  throw new RequestRefusedError(
    `the target holds records of ${envelope.origin}, and the connection now leads to ${sync.source.origin}`,
    { hint: `if that is meant (a refreshed sandbox, say): tidemark reset ${sync.config.name}, then a full run` },
  );
}

async function recorded(
  prepared: Prepared,
  options: RunOptions,
  attempt: (scopeOf: ScopeOf, decide: (kind: RunKind, reason: string | null) => void) => Promise<void>,
): Promise<RunReport> {
  const { config, store, clock, random, log } = prepared;
  const startedAtMs = clock.now();
  await store.closeAbandonedRuns(config.name, startedAtMs);
  let kind: RunKind = options.full ? 'full' : 'delta';
  let reason: string | null = null;
  const id = await store.startRun({ sync: config.name, kind, startedAtMs });
  let tally = new Tally(options.onProgress);
  const run = { loadsThrownAway: 0 };
  let state: RunState = 'succeeded';
  let failure: unknown = null;
  try {
    await retrying(
      () => {
        tally = new Tally(options.onProgress);
        return attempt(scopeWith(options, tally, run), (decidedKind, decidedReason) => {
          kind = decidedKind;
          reason = decidedReason;
        });
      },
      {
        clock,
        random,
        policy: config.retry,
        signal: options.stop === undefined ? options.signal : AbortSignal.any([options.signal, options.stop]),
        progressed: () => tally.kept > 0,
        onRetry: (error, waitMs, tried) =>
          log.warn({ sync: config.name, attempt: tried, waitMs, err: error }, 'the run was interrupted and goes on'),
      },
    );
    if (tally.heldBy !== null) state = 'failed';
  } catch (error) {
    failure = error;
    state = error instanceof StoppedError || options.signal.aborted || options.stop?.aborted ? 'stopped' : 'failed';
  }
  const error = state === 'failed' ? describeError(failure, tally) : null;
  const finishedAtMs = clock.now();
  const counts = tally.counts();
  await store.updateRun(id, {
    state,
    kind,
    finishedAtMs,
    windowFromMs: tally.windowFromMs,
    windowToMs: tally.windowToMs,
    counts,
    error,
    heldBy: tally.heldBy,
  });
  const openFailures = await store.countFailures(config.name);
  const report: RunReport = {
    sync: config.name,
    kind,
    state,
    reason,
    counts,
    windowFromMs: tally.windowFromMs,
    windowToMs: tally.windowToMs,
    durationMs: finishedAtMs - startedAtMs,
    error,
    heldBy: tally.heldBy,
    openFailures,
  };
  if (state === 'failed') log.error({ sync: config.name, kind, ...counts, ...error }, 'run failed');
  else log.info({ sync: config.name, kind, state, ...counts, durationMs: report.durationMs }, 'run finished');
  const held = await heldWindow(config, store, finishedAtMs);
  if (held?.overdue) {
    const since = new Date(held.sinceMs).toISOString();
    log.warn({ sync: config.name, key: held.key, since, reason: held.message }, 'one record holds the window open for long');
  }
  return report;
}

function describeError(error: unknown, tally: Tally): NonNullable<RunReport['error']> {
  if (error === null) {
    return {
      code: 'held',
      message: `the record ${tally.heldBy} was refused, and \`onFailure: hold\` keeps the window open until it passes`,
      hint: 'see `tidemark failures list`; mend the record and the next run catches up',
    };
  }
  if (error instanceof SyncError) {
    return { code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
  }
  return { code: 'unexpected', message: error instanceof Error ? error.message : String(error) };
}
