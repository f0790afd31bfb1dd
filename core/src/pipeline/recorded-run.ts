import type { Priority } from '../base/caller.ts';
import { OverBudgetError, OwnershipLostError, SyncError } from '../base/errors.ts';
import { retrying } from '../base/retry.ts';
import { scrub } from '../base/secrets.ts';
import { markFailed, traced } from '../base/tracing.ts';
import type { SyncConfig } from '../config/config.ts';
import type { RunKind, RunState } from '../store/store.ts';
import type { FullOptions } from './full.ts';
import { heldWindow } from './held.ts';
import { type OpenedSync, type Progress, type RunScope, StoppedError, Tally } from './opened-sync.ts';

export interface RunOptions extends FullOptions {
  readonly full?: boolean;
  /** A delta goes back to what was committed since then, by the source's clock, though it has been read before. */
  readonly sinceMs?: number;
  readonly signal: AbortSignal;
  /** Finish the page or batch that is being written, then end. Waits, and reads ahead of it, end at once. */
  readonly stop?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** Whose calls come first when there are too few; by what is read, unless told otherwise (P8). */
  readonly priority?: Priority;
  /** It may cost what it costs. */
  readonly ignoreBudget?: boolean;
  /** Takes a two-way sync over from the owner by this epoch alone: what nobody has asked for leaves others what they are at (P11). */
  readonly takeOverFrom?: number;
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
  /** Of a two-way sync: what was written to each side, by connection. */
  readonly sides?: Tally['sides'];
}

/** What a run of any kind of sync is recorded with. */
export type Recording = Pick<OpenedSync, 'store' | 'clock' | 'random' | 'log'> & {
  readonly config: Pick<SyncConfig, 'name' | 'retry' | 'onFailure' | 'warnAfterMs'>;
};

export type ScopeOf = (epoch: number) => RunScope;

/** What the attempts of one run share is `run`; each has a tally of its own. */
export function scopeWith(options: RunOptions, tally: Tally, run: RunScope['run'] = { loadsThrownAway: 0 }): ScopeOf {
  const { signal, stop } = options;
  const reading = readingSignal(options);
  return (epoch) => ({ epoch, signal, reading, stopping: () => stop?.aborted ?? false, tally, run });
}

/** What is opened and read is left when the run is to stop, where what is written comes to its end. */
export function readingSignal({ signal, stop }: Pick<RunOptions, 'signal' | 'stop'>): AbortSignal {
  return stop === undefined ? signal : AbortSignal.any([signal, stop]);
}

/**
 * Makes a run of what `attempt` does, again while it fails for passing reasons, and keeps its record. Never throws for what went
 * wrong in it: the report says.
 */
export function recorded(prepared: Recording, options: RunOptions, attempt: Attempt): Promise<RunReport> {
  return traced('run', { 'tidemark.sync': prepared.config.name }, async (span) => {
    const report = await record(prepared, options, attempt);
    const { kind, state, counts, error } = report;
    span.setAttributes({ 'tidemark.run.kind': kind, 'tidemark.run.state': state });
    for (const [outcome, count] of Object.entries(counts)) span.setAttribute(`tidemark.records.${outcome}`, count);
    if (state === 'failed') markFailed(span, error?.code ?? 'unexpected');
    return report;
  });
}

/** Tells what kind of a run it is as soon as that is known. */
type Attempt = (scopeOf: ScopeOf, decide: (kind: RunKind, reason: string | null) => void) => Promise<void>;

async function record(prepared: Recording, options: RunOptions, attempt: Attempt): Promise<RunReport> {
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
  let waitsFor: string | null = null;
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
        signal: readingSignal(options),
        progressed: () => tally.kept > 0,
        onRetry: (error, waitMs, tried) =>
          log.warn({ sync: config.name, attempt: tried, waitMs, err: error }, 'the run was interrupted and goes on'),
      },
    );
    if (tally.heldBy !== null) state = 'failed';
  } catch (error) {
    failure = error;
    const isStopped = error instanceof StoppedError || options.signal.aborted || options.stop?.aborted;
    waitsFor = putOffBy(error, options);
    state = isStopped || waitsFor !== null ? 'stopped' : 'failed';
  }
  const error = state === 'failed' || waitsFor !== null ? describeError(failure, tally) : null;
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
    ...(tally.sides.length > 0 && { sides: tally.sides }),
  };
  if (state === 'failed') log.error({ sync: config.name, kind, ...counts, ...error }, 'run failed');
  else if (error !== null) log.warn({ sync: config.name, kind, ...counts, ...error }, `the run waits for ${waitsFor}`);
  else log.info({ sync: config.name, kind, state, ...counts, durationMs: report.durationMs }, 'run finished');
  const held = await heldWindow(config, store, finishedAtMs);
  if (held?.overdue) {
    const since = new Date(held.sinceMs).toISOString();
    log.warn({ sync: config.name, key: held.key, since, reason: held.message }, 'one record holds the window open for long');
  }
  return report;
}

/** What a run that could not come to its end has to wait for, though nothing is wrong; null if something is. */
function putOffBy(error: unknown, { takeOverFrom }: RunOptions): string | null {
  if (error instanceof OverBudgetError) return 'calls';
  // Who has asked for a run wants to know that it was not made.
  return error instanceof OwnershipLostError && takeOverFrom !== undefined ? 'that of another process' : null;
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
    return { code: error.code, message: scrub(error.message), ...(error.hint === undefined ? {} : { hint: scrub(error.hint) }) };
  }
  return { code: 'unexpected', message: scrub(error instanceof Error ? error.message : String(error)) };
}
