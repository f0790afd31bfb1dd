import type { StreamWriter } from '../../model/stream.ts';
import type { OpenedSync } from '../opened-sync.ts';
import { Tally } from '../opened-sync.ts';
import { type Recording, type RunOptions, type RunReport, recorded, scopeWith } from '../recorded-run.ts';
import { type ReplayOutcome, type ReplayParts, type ReplayRange, replay } from './replay.ts';
import type { LeftReason } from './replay-plan.ts';

export interface ReplayOptions extends RunOptions {
  readonly range: ReplayRange;
}

/** What came of it, beside the counts of the run. */
export interface Replayed {
  /** Events of the range. */
  readonly events: number;
  /** Of those, such as could not be read any more. */
  readonly unreadable: number;
  /** Fields of the target that no event tells. */
  readonly untouched: readonly string[];
  readonly holeBeforeMs: number | null;
  /** Records that are not, or not wholly, what the mapping makes of them now, by why. */
  readonly left: readonly { readonly key: string; readonly reason: LeftReason }[];
}

export interface ReplayReport extends RunReport {
  readonly replayed: Replayed;
}

/** The target's side of a sync, and its journal in place of the source. */
export interface OpenedReplay extends Omit<ReplayParts, 'range' | 'writer'>, AsyncDisposable {
  readonly sync: OpenedSync;
  openWriter(epoch: number): Promise<StreamWriter>;
}

/** A replay with its record in the store. Never throws for what went wrong in it: the report says. */
export async function replaySync(
  prepared: Recording & Pick<OpenedSync, 'config'>,
  open: (signal: AbortSignal) => Promise<OpenedReplay>,
  options: ReplayOptions,
): Promise<ReplayReport> {
  let outcome = newOutcome();
  const report = await recorded(prepared, options, async (scopeOf, decide) => {
    decide('replay', null);
    outcome = newOutcome();
    await using opened = await open(options.signal);
    const { sync } = opened;
    const { epoch } = await sync.checkpoints.acquire(`replay:${sync.config.watermarkKey}`);
    await using writer = await opened.openWriter(epoch);
    await replay(sync, scopeOf(epoch), { ...opened, writer, range: options.range }, outcome);
  });
  return { ...report, replayed: told(outcome) };
}

/** What a replay would do. Writes nothing, not even its own record. */
export async function dryReplay(
  open: (signal: AbortSignal) => Promise<OpenedReplay>,
  options: ReplayOptions,
): Promise<{ readonly counts: RunReport['counts']; readonly replayed: Replayed }> {
  const outcome = newOutcome();
  const tally = new Tally(options.onProgress);
  await using opened = await open(options.signal);
  await replay(opened.sync, scopeWith(options, tally)(0), { ...opened, writer: null, range: options.range }, outcome);
  return { counts: tally.counts(), replayed: told(outcome) };
}

const newOutcome = (): ReplayOutcome => ({ events: 0, unreadable: 0, untouched: [], holeBeforeMs: null, left: new Map() });

function told({ left, ...rest }: ReplayOutcome): Replayed {
  return { ...rest, left: [...left].map(([key, reason]) => ({ key, reason })) };
}
