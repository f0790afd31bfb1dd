import { createHash } from 'node:crypto';
import { InvariantError } from '../base/errors.ts';
import { traced } from '../base/tracing.ts';
import type { Change, WriteResult } from '../model/change.ts';
import { NO_STAMP } from '../model/change.ts';
import type { NewFailure } from '../store/store.ts';
import { differing } from './compare-target.ts';
import { signedAnew } from './envelope.ts';
import type { OpenedSync, RunScope } from './opened-sync.ts';
import { outcomeOf, tellLeftOut } from './outcomes.ts';
import { Overtaken } from './overtaken.ts';
import type { StepFailure } from './stage.ts';

/** Waits before a failing record is tried again: a minute, doubled each time, six hours at most. */
const RETRY_MS = 60_000;
const RETRY_MS_MAX = 6 * 3_600_000;

/** How far back the values last written are remembered for a target that cannot compare; the longest overlap read again. */
const SEEN_MS = 2 * 3_600_000;

export interface ApplyOptions {
  /**
   * Writes what was written before, though the source has not changed it: a target that cannot compare may have lost it, or had it
   * changed by somebody else, and this is to mend it (P12).
   */
  readonly anew?: boolean;
}

/**
 * Brings changes to the target: through the steps, past open failures, in writes of the size that the target takes. The last
 * write carries the checkpoint, so that it is durable with or after everything it covers (P1); failures are durable before the
 * target's transaction commits (P2).
 *
 * @param checkpoint  kept with the last write; null keeps the one that stands
 */
export function applyChanges(
  sync: OpenedSync,
  scope: RunScope,
  read: readonly Change[],
  checkpoint: string | null,
  failing: Set<string>,
  options: ApplyOptions = {},
): Promise<void> {
  return applyBatches(sync, scope, [read], checkpoint, failing, options);
}

/** Several batches as if they were one, but each through the steps as it was read. No record is in two of them. */
export async function applyBatches(
  sync: OpenedSync,
  scope: RunScope,
  batches: readonly (readonly Change[])[],
  checkpoint: string | null,
  failing: Set<string>,
  options: ApplyOptions = {},
): Promise<void> {
  const { tally } = scope;
  const overtaken = new Overtaken(sync, failing);
  const stepped: Change[][] = [[]];
  let keys = new Set<string>();
  for (const read of batches) {
    tally.read += read.length;
    const { changes, dropped, failures } = await sync.steps.changes(latestByKey(read));
    tally.dropped += dropped;
    await keepFailures(sync, scope, failures, failing);
    await overtaken.add(read, failures);
    tellDropped(sync, read, changes, failures);
    for (const change of changes) {
      // A function of the user's may give two records one key: a target is told of each key once in a write.
      if (keys.has(change.key)) {
        stepped.push([]);
        keys = new Set();
      }
      keys.add(change.key);
      stepped.at(-1)!.push(change);
    }
  }
  for (const [i, changes] of stepped.entries()) {
    await applyStepped(sync, scope, changes, i === stepped.length - 1 ? checkpoint : null, failing, options);
  }
  await overtaken.forget();
}

/** Changes of distinct keys. */
async function applyStepped(
  sync: OpenedSync,
  scope: RunScope,
  stepped: readonly Change[],
  checkpoint: string | null,
  failing: Set<string>,
  { anew = false }: ApplyOptions,
): Promise<void> {
  const { config } = sync;
  const { outcomes } = sync;
  let changes = stepped;
  if (config.deletes === 'ignore') {
    changes = changes.filter((change) => change.op !== 'delete');
    tellLeftOut(outcomes, stepped, changes, 'dropped');
  }
  if (config.onFailure === 'quarantine' && failing.size > 0) changes = await divert(sync, changes, failing);
  const toWrite = changes;
  // What holds no records but passes them on, a queue, has nothing to mend.
  const mends = anew && sync.target.read !== undefined;
  // Where the target is asked what it holds, what was written once is no answer.
  if (!sync.target.compares && !config.compare) changes = await unseen(sync, scope, changes, mends);
  const arriving = changes.length;
  changes = await differing(sync, changes);
  scope.tally.unchanged += arriving - changes.length;
  tellLeftOut(outcomes, toWrite, changes, 'unchanged');

  const size = Math.min(config.batchSize ?? Number.POSITIVE_INFINITY, sync.target.batchSizeMax);
  const chunks: (readonly Change[])[] = [];
  for (let at = 0; at < changes.length; at += size) chunks.push(changes.slice(at, at + size));
  if (chunks.length === 0 && checkpoint !== null) chunks.push([]);
  for (const [i, chunk] of chunks.entries()) {
    await writeChunk(sync, scope, chunk, i === chunks.length - 1 ? checkpoint : null, failing);
  }
}

/** One write, its failures kept first, its checkpoint with it. */
async function writeChunk(
  sync: OpenedSync,
  scope: RunScope,
  chunk: readonly Change[],
  checkpoint: string | null,
  failing: Set<string>,
): Promise<void> {
  const { config, target, store } = sync;
  const unmoved = checkpoint === null || scope.tally.heldBy !== null ? await signedAnew(sync) : null;
  let settled: readonly WriteResult[] | null = null;
  let recovered: string[] = [];
  const settle = async (results: readonly WriteResult[]): Promise<string | null> => {
    if (results.length !== chunk.length)
      throw new InvariantError(`the target answered ${results.length} results for ${chunk.length} changes`);
    const rejected = chunk.flatMap((change, i) => {
      const result = results[i]!;
      return result.status === 'rejected' ? [newFailure(sync, change, result.reason, 'target')] : [];
    });
    if (rejected.length > 0) {
      await store.putFailures(rejected);
      for (const failure of rejected) failing.add(failure.key);
      // Under `hold` the window stays open from here on: neither this checkpoint nor a later one may pass the record.
      if (config.onFailure === 'hold') scope.tally.heldBy ??= rejected[0]!.key;
    }
    recovered = chunk
      .filter((change, i) => results[i]!.status !== 'rejected' && failing.has(change.key))
      .map((change) => change.key);
    settled = results;
    return (scope.tally.heldBy === null ? checkpoint : null) ?? unmoved;
  };
  const written = { 'tidemark.connection': config.to.connection, 'tidemark.changes': chunk.length };
  const results = await traced('write', written, () => target.write(chunk, { epoch: scope.epoch, settle }, scope.signal));
  if (settled === null) {
    // A target without transactions: what it acknowledged is done, so failures and checkpoint follow it.
    const keep = await settle(results);
    if (keep !== null) await sync.checkpoints.write(config.watermarkKey, scope.epoch, keep);
  } else if (target.checkpoints === undefined && scope.tally.heldBy === null && checkpoint !== null) {
    await sync.checkpoints.write(config.watermarkKey, scope.epoch, checkpoint);
  }
  await forgetFailures(sync, recovered, failing);
  if (!target.compares) await remember(sync, chunk, results);
  countResults(scope, results);
  tellResults(sync, chunk, results);
}

export function tellResults({ outcomes }: OpenedSync, chunk: readonly Change[], results: readonly WriteResult[]): void {
  if (outcomes === undefined) return;
  for (const [i, { key, sourceKey }] of chunk.entries()) outcomes.told(sourceKey ?? key, outcomeOf(results[i]!));
}

/** What a filter took out of a sync whose target would not know it. */
function tellDropped(
  { outcomes, steps }: OpenedSync,
  read: readonly Change[],
  changes: readonly Change[],
  failures: readonly StepFailure[],
): void {
  if (outcomes === undefined || !steps.ownKey) return;
  const left = new Set([...changes.map(({ sourceKey }) => sourceKey), ...failures.map(({ key }) => key)]);
  for (const { key } of read) if (!left.has(key)) outcomes.told(key, { status: 'dropped' });
}

function countResults(scope: RunScope, results: readonly WriteResult[]): void {
  for (const result of results) {
    if (result.status === 'rejected') scope.tally.failed++;
    else scope.tally[result.status]++;
  }
}

/** Two changes of one record in one read: the later one is the record. Order of first appearance is kept. */
function latestByKey(changes: readonly Change[]): readonly Change[] {
  const latest = new Map<string, Change>();
  for (const change of changes) {
    const known = latest.get(change.key);
    if (known === undefined || change.stampMs >= known.stampMs) latest.set(change.key, change);
  }
  return latest.size === changes.length ? changes : [...latest.values()];
}

/** Changes of records with an open failure merge into it and are written only through it (P2). */
async function divert(sync: OpenedSync, changes: readonly Change[], failing: ReadonlySet<string>): Promise<readonly Change[]> {
  const held = changes.filter((change) => failing.has(change.key));
  if (held.length === 0) return changes;
  await sync.store.mergeIntoFailures(sync.config.name, held);
  sync.outcomes?.waits(held);
  return changes.filter((change) => !failing.has(change.key));
}

export async function keepFailures(
  sync: OpenedSync,
  scope: RunScope,
  failures: readonly StepFailure[],
  failing: Set<string>,
): Promise<void> {
  if (failures.length === 0) return;
  await sync.store.putFailures(
    failures.map((failure) =>
      newFailure(sync, { op: 'upsert', ...failure }, { code: failure.code, message: failure.message }, failure.place),
    ),
  );
  for (const { key, code, message } of failures) {
    failing.add(key);
    sync.outcomes?.told(key, { status: 'refused', code, message });
  }
  scope.tally.failed += failures.length;
  if (sync.config.onFailure === 'hold') scope.tally.heldBy ??= failures[0]!.key;
}

export function newFailure(
  sync: OpenedSync,
  change: Change,
  reason: { readonly code: string; readonly message: string },
  place: string,
  attempts = 0,
): NewFailure {
  const now = sync.clock.now();
  return {
    sync: sync.config.name,
    key: change.key,
    op: change.op,
    row: change.row,
    stampMs: change.stampMs,
    code: reason.code,
    message: reason.message,
    place,
    lastAtMs: now,
    nextAttemptAtMs: now + Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** Math.min(attempts, 12)),
  };
}

/** What succeeded is no failure any more. */
export async function forgetFailures(sync: OpenedSync, keys: readonly string[], failing: Set<string>): Promise<void> {
  if (keys.length === 0) return;
  const open = await sync.store.failures({ sync: sync.config.name, keys });
  await sync.store.removeFailures(open.map((failure) => failure.id));
  for (const key of keys) failing.delete(key);
}

/**
 * For a target that cannot compare: leaves out what the overlap brings again just as it was written (P8), unless it is to be written
 * anew, and what is older than what was written (P3).
 */
async function unseen(sync: OpenedSync, scope: RunScope, changes: readonly Change[], anew: boolean): Promise<readonly Change[]> {
  const seen = await sync.store.seen(
    sync.config.name,
    changes.map((change) => change.key),
  );
  return changes.filter((change) => {
    const known = seen.get(change.key);
    if (known === undefined) return true;
    const stamped = change.stampMs !== NO_STAMP;
    const older = stamped && change.stampMs < known.stampMs;
    const same = !anew && known.hash === hashOf(change) && (!stamped || change.stampMs <= known.stampMs);
    if (older || same) scope.tally.unchanged++;
    return !older && !same;
  });
}

/** For a target that cannot compare: what it has acknowledged is not written again when it is read again. */
export async function remember(sync: OpenedSync, changes: readonly Change[], results: readonly WriteResult[]): Promise<void> {
  const written = changes.filter((_, i) => results[i]?.status !== 'rejected');
  if (written.length === 0) return;
  const newest = written.reduce((max, change) => Math.max(max, change.stampMs), 0);
  await sync.store.putSeen(
    sync.config.name,
    written.map((change) => ({ key: change.key, stampMs: change.stampMs, hash: hashOf(change) })),
    newest === NO_STAMP ? 0 : newest - SEEN_MS,
  );
}

function hashOf(change: Change): string {
  return createHash('sha256')
    .update(change.row === null ? change.op : JSON.stringify(Object.entries(change.row)))
    .digest('base64url');
}
