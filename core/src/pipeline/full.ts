import { CheckpointExpiredError, InvariantError, SweepRefusedError } from '../base/errors.ts';
import { traced } from '../base/tracing.ts';
import { type Block, changesOfBlock } from '../model/block.ts';
import type { Change } from '../model/change.ts';
import type { Load, Page, RejectedRow } from '../model/connector.ts';
import { applyChanges, keepFailures, newFailure } from './apply.ts';
import { runDelta } from './delta.ts';
import { type Envelope, encodeEnvelope, signedAnew } from './envelope.ts';
import { inTurn, type OpenedSync, type RunScope, StoppedError } from './opened-sync.ts';
import { Overtaken } from './overtaken.ts';
import { untilStopped } from './until-stopped.ts';

/** A sweep of so few rows never asks. */
export const SWEEP_ROWS_FREE = 10;
/** Rows of one write where the target has no loader: so many at least, and at most, as the target takes them; memory holds them (P9). */
const ROWS_IN_A_WRITE = { min: 2000, max: 50_000 };

export interface FullOptions {
  /** Overrides the sync's own `sweepMax`: the user's answer to a refused sweep. */
  readonly sweepMax?: number;
}

/**
 * Reads everything, beside what stands, and merges it in at the end: readers never see half a load. What the source no longer
 * has is swept (P4). A closing delta brings what changed while it was read, so that the target then equals the source (P12).
 */
export async function runFull(
  sync: OpenedSync,
  scope: RunScope,
  base: Omit<Envelope, 'position'>,
  failing: Set<string>,
  options: FullOptions = {},
): Promise<void> {
  const estimate = await sync.source.estimate(scope.reading);
  // A source may prepare its answer for minutes: the display begins before the first row.
  scope.tally.progress('reading', 0, estimate);
  const position =
    sync.target.beginLoad === undefined
      ? await fullByWrites(sync, scope, base, failing, estimate)
      : await fullByLoad(sync, scope, base, failing, estimate, options);
  if (position?.closing && sync.source.readDelta !== undefined) {
    await runDelta(sync, scope, { ...base, position: position.checkpoint }, failing);
    // What the closing delta began with is not where this run began.
    scope.tally.windowFromMs = null;
  }
}

/** The checkpoint of a full read, and whether a delta from it has still something to bring. */
interface EndOfFull {
  readonly checkpoint: string;
  readonly closing: boolean;
}

/** What a load's position holds: the mark taken before its read began, and the source's own position. */
interface LoadPosition {
  readonly mark: string | null;
  readonly page: string;
  readonly checkpoint: string | null;
}

async function fullByLoad(
  sync: OpenedSync,
  scope: RunScope,
  base: Omit<Envelope, 'position'>,
  failing: Set<string>,
  estimate: number | null,
  options: FullOptions,
): Promise<EndOfFull | null> {
  const { tally, epoch, signal } = scope;
  await using load = await sync.target.beginLoad!(
    { epoch, loadId: loadId(base), stampColumn: sync.steps.schema.fields.length },
    signal,
  );
  const overtaken = new Overtaken(sync, failing);
  let end: EndOfFull | null;
  try {
    end = await stagePages(sync, scope, load, failing, overtaken, estimate);
  } catch (error) {
    if (!(error instanceof CheckpointExpiredError) || load.position === null) throw error;
    // The read that an earlier attempt had begun cannot be gone on with: it begins again, once in a run. A source of which no
    // read comes to its end would otherwise be read for ever, since each page that is kept counts as progress.
    await load.discard();
    if (scope.run.loadsThrownAway++ > 0) throw error;
    return fullByLoad(sync, scope, base, failing, estimate, options);
  }
  tally.progress('sweeping', load.rows, load.rows);
  const sweep = sync.config.deletes === 'ignore' ? NO_SWEEP : await planSweep(sync, scope, load, failing, options);
  // Before the merge that keeps the checkpoint: a crash in between must not pass these over, and one that is refused holds it.
  if (sweep.alive.length > 0) await inTurn(sync, () => applyChanges(sync, scope, sweep.alive, null, failing));
  tally.progress('merging', load.rows, load.rows);
  const checkpoint = end === null || tally.heldBy !== null ? null : encodeEnvelope({ ...base, position: end.checkpoint }, sync);
  await letGo(sync, epoch);
  const [staged, failedBefore] = [load.rows, tally.failed];
  const kept = checkpoint ?? (await signedAnew(sync));
  const finish = () => load.finish({ gone: sweep.gone, checkpoint: kept, reject: rejecting(sync, scope, failing), signal });
  const counts = await inTurn(sync, () => traced('merge', { 'tidemark.sync': sync.config.name }, finish));
  if (sync.target.checkpoints === undefined && checkpoint !== null) {
    await sync.checkpoints.write(sync.config.watermarkKey, epoch, checkpoint);
  }
  await overtaken.forget();
  // A row that only the merge refused keeps the window open as well: the next run is a full one again.
  if (checkpoint !== null && tally.heldBy !== null) await sync.checkpoints.write(sync.config.watermarkKey, epoch, null);
  tally.created += counts.created;
  tally.updated += counts.updated;
  tally.unchanged += counts.unchanged;
  const twice = staged - counts.created - counts.updated - counts.unchanged - (tally.failed - failedBefore);
  if (twice > 0) {
    const what = 'some rows have a key that comes again in the same read; of each key the last one counts';
    sync.log.warn({ sync: sync.config.name, records: twice }, what);
  }
  tally.deleted += counts.deleted;
  await load.settle?.(signal);
  if (sweep.refused !== null) throw sweep.refused;
  return tally.heldBy === null ? end : null;
}

/**
 * A load that was interrupted and is finished days later may put rows in the place of newer ones that deltas have written since. A
 * target with stamps keeps the newer; into one without, the closing delta brings them again, for which it must neither begin at a
 * checkpoint later than the load's own (a crash before that is kept makes the next run a full one) nor leave out what it has seen.
 */
async function letGo(sync: OpenedSync, epoch: number): Promise<void> {
  if (sync.target.checkpoints === undefined) await sync.checkpoints.write(sync.config.watermarkKey, epoch, null);
  if (!sync.target.compares) await sync.store.putSeen(sync.config.name, [], Number.MAX_SAFE_INTEGER);
}

function loadId(base: Omit<Envelope, 'position'>): string {
  return `${base.origin}:${base.fingerprint}:${Object.entries(base.fields).join(';')}`;
}

/** Reads every page that the load does not hold yet, and keeps each with its position. */
async function stagePages(
  sync: OpenedSync,
  scope: RunScope,
  load: Load,
  failing: Set<string>,
  overtaken: Overtaken,
  estimate: number | null,
): Promise<EndOfFull | null> {
  const { source } = sync;
  const kept = load.position === null ? null : (JSON.parse(load.position) as LoadPosition);
  const mark = kept === null ? await source.mark(scope.reading) : kept.mark;
  let last = kept;
  scope.tally.read = load.rows;
  for await (const page of untilStopped((signal) => source.readFull(kept?.page ?? null, signal), scope)) {
    const position: LoadPosition = { mark, page: page.position, checkpoint: page.checkpoint ?? null };
    const blocks = steppedBlocks(sync, scope, page, failing, overtaken, estimate);
    await traced('page', { 'tidemark.sync': sync.config.name }, async (span) => {
      const before = scope.tally.read;
      await load.writePage(blocks, JSON.stringify(position), rejecting(sync, scope, failing), scope.signal);
      span.setAttribute('tidemark.records', scope.tally.read - before);
    });
    last = position;
    scope.tally.kept++;
  }
  if (last?.checkpoint != null) return { checkpoint: last.checkpoint, closing: false };
  return mark === null ? null : { checkpoint: mark, closing: true };
}

/** Keeps rows that the target refuses as failures, before the transaction that goes on without them commits (P2). */
function rejecting(sync: OpenedSync, scope: RunScope, failing: Set<string>) {
  return async (rejected: readonly RejectedRow[]): Promise<void> => {
    if (rejected.length === 0) return;
    const failures = rejected.map(({ reason, ...change }) => newFailure(sync, { op: 'upsert', ...change }, reason, 'target'));
    await sync.store.putFailures(failures);
    for (const row of rejected) failing.add(row.key);
    scope.tally.failed += rejected.length;
    if (sync.config.onFailure === 'hold') scope.tally.heldBy ??= rejected[0]!.key;
  };
}

async function* steppedBlocks(
  sync: OpenedSync,
  scope: RunScope,
  page: Page,
  failing: Set<string>,
  overtaken: Overtaken,
  estimate: number | null,
): AsyncGenerator<Block> {
  let rows = 0;
  for await (const block of page.blocks) {
    rows += block.rowCount;
    scope.tally.read += block.rowCount;
    scope.tally.progress('reading', scope.tally.read, estimate);
    const stepped = await sync.steps.block(block);
    scope.tally.dropped += stepped.dropped;
    await keepFailures(sync, scope, stepped.failures, failing);
    await overtaken.add(stepped.read ?? [], stepped.failures);
    if (stepped.block.rowCount > 0) yield stepped.block;
  }
  // The source counts too; this is the last look before the page becomes durable (P13).
  if (page.announced !== null && rows !== page.announced) {
    throw new InvariantError(`a page of ${page.announced} rows yielded ${rows}`);
  }
}

interface Sweep {
  readonly gone: readonly string[];
  /** Rows that the load lacks and that the source has after all: as they are now. */
  readonly alive: readonly Change[];
  readonly refused: SweepRefusedError | null;
}

const NO_SWEEP: Sweep = { gone: [], alive: [], refused: null };

/**
 * What is to be deleted: rows of the target that the load does not hold, each confirmed by id at the source (P4). Absence alone
 * proves nothing: a lost permission looks just like it, which is why a large sweep asks first.
 */
async function planSweep(
  sync: OpenedSync,
  scope: RunScope,
  load: Load,
  failing: ReadonlySet<string>,
  options: FullOptions,
): Promise<Sweep> {
  const { missing, total } = await load.countMissing();
  if (missing === 0) return NO_SWEEP;
  const sweepMax = options.sweepMax ?? sync.config.sweepMax;
  const free = load.rows > 0 && options.sweepMax === undefined ? SWEEP_ROWS_FREE : 0;
  if (missing > Math.max(free, sweepMax * total)) {
    const percent = Math.ceil((missing / total) * 100);
    return {
      ...NO_SWEEP,
      refused: new SweepRefusedError(
        `${missing} of ${total} rows of the target are not in the source any more: more than sweepMax (${Math.round(sweepMax * 100)} %) allows to delete`,
        {
          hint: `nothing was deleted. When this is right: tidemark run ${sync.config.name} --full --sweep-max ${percent}%. Otherwise look for a lost permission or filter`,
        },
      ),
    };
  }
  const gone: string[] = [];
  const alive: Change[] = [];
  for await (const keys of load.missingKeys()) {
    // While a record has an open failure, its delete waits with it (P2).
    const candidates = keys.filter((key) => !failing.has(key));
    if (sync.source.readKeys === undefined) {
      gone.push(...candidates);
      continue;
    }
    const now = await sync.source.readKeys(candidates, scope.reading);
    // A record may exist and yet not belong here: its steps decide, as they did for the load.
    const belong = new Set(
      (await sync.steps.changes(now)).changes.filter((change) => change.op === 'upsert').map((change) => change.key),
    );
    for (const change of now) {
      if (change.op === 'upsert' && belong.has(change.key)) alive.push(change);
      else gone.push(change.key);
    }
    if (scope.stopping()) throw new StoppedError();
  }
  return { gone, alive, refused: null };
}

/** A full run into a target without a loader: written as changes; nothing can be swept. The checkpoint comes last. */
async function fullByWrites(
  sync: OpenedSync,
  scope: RunScope,
  base: Omit<Envelope, 'position'>,
  failing: Set<string>,
  estimate: number | null,
): Promise<EndOfFull | null> {
  const { source } = sync;
  const mark = await source.mark(scope.reading);
  let cursor: string | null = null;
  let changes: Change[] = [];
  // Where every run is a full one, what has not changed is left alone.
  const options = { anew: source.readDelta !== undefined };
  const size = Math.min(ROWS_IN_A_WRITE.max, Math.max(ROWS_IN_A_WRITE.min, sync.target.batchSizeMax));
  const { fields, key } = source.schema;
  for await (const page of untilStopped((signal) => source.readFull(null, signal), scope)) {
    for await (const block of page.blocks) {
      changes = changes.concat(changesOfBlock(block, fields, key, source.stampField));
      while (changes.length >= size) {
        const rows = changes.slice(0, size);
        await inTurn(sync, () => applyChanges(sync, scope, rows, null, failing, options));
        changes = changes.slice(size);
        scope.tally.progress('reading', scope.tally.read, estimate);
      }
    }
    cursor = page.checkpoint ?? cursor;
  }
  await inTurn(sync, () => applyChanges(sync, scope, changes, null, failing, options));
  const checkpoint = cursor ?? mark;
  if (checkpoint === null || scope.tally.heldBy !== null) return null;
  await applyChanges(sync, scope, [], encodeEnvelope({ ...base, position: checkpoint }, sync), failing);
  return { checkpoint, closing: cursor === null };
}
