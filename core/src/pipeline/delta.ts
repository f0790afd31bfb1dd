import { InvariantError } from '../base/errors.ts';
import { traced } from '../base/tracing.ts';
import type { Batch, Change } from '../model/change.ts';
import { applyBatches } from './apply.ts';
import { readAhead } from './delta-read-ahead.ts';
import { type Envelope, encodeEnvelope } from './envelope.ts';
import { inTurn, type OpenedSync, type RunScope, StoppedError } from './opened-sync.ts';
import type { Outcomes } from './outcomes.ts';
import { retryFailures } from './retry-failures.ts';
import { keepUnread } from './unread.ts';

/** What is written together, and what may wait for that, at most: memory holds both, however long the delta is (P9). */
const CHANGES_MAX = 10_000;
const SIZE_MAX = 16_000_000;

/**
 * Reads what changed since a checkpoint and brings it to the target. While one write is under way the source is read on, and what
 * has come in by its end makes the next write, with the checkpoint that covers just that.
 * With `onFailure: hold` a refused record keeps the window open: later batches are written, and the checkpoint stays.
 */
export async function runDelta(sync: OpenedSync, scope: RunScope, from: Envelope, failing: Set<string>): Promise<void> {
  const { source, target, config } = sync;
  if (source.readDelta === undefined) throw new InvariantError('a delta was asked of a source that cannot tell what changed');
  using _watch = sync.gate?.watch();
  /** Where the stream's writes stood when a batch was asked for: what it has written since may be newer than the batch. */
  const askedAt = new WeakMap<Batch, number>();
  const read = async function* (signal: AbortSignal) {
    // A source may ask for its next page while one is taken: the batch before last is a safe bound.
    let before = sync.gate?.sequence ?? 0;
    let last = before;
    for await (const batch of source.readDelta!(from.position, signal)) {
      askedAt.set(batch, before);
      yield batch;
      [before, last] = [last, sync.gate?.sequence ?? 0];
    }
  };
  // What an earlier process brought, and did not come to tell of.
  await sync.outcomes?.reached(from.position);
  const limits = { changes: Math.min(CHANGES_MAX, config.batchSize ?? CHANGES_MAX, target.batchSizeMax), size: SIZE_MAX };
  for await (const { batches, checkpoint: position } of readAhead(read, limits, scope.reading)) {
    const checkpoint = position === null ? null : encodeEnvelope({ ...from, position }, sync);
    for (const batch of batches) scope.tally.window(batch.window);
    const changes = batches.reduce((sum, batch) => sum + batch.changes.length, 0);
    const apply = async () => {
      for (const { unread = [] } of batches) await keepUnread(sync, scope, unread);
      const read: (readonly Change[])[] = [];
      for (const batch of batches) read.push(await asOfNow(sync, batch, askedAt.get(batch)!, scope.signal));
      await applyBatches(sync, scope, read, checkpoint, failing);
    };
    await inTurn(sync, () => traced('batch', { 'tidemark.sync': config.name, 'tidemark.changes': changes }, apply));
    if (sync.outcomes !== undefined && position !== null) await tellOutcomes(sync, scope, sync.outcomes, position, failing);
    // Only what need not be read again is progress: a read that always breaks off behind such a batch would be tried for ever.
    if (checkpoint !== null && scope.tally.heldBy === null) scope.tally.kept++;
    scope.tally.progress('delta', scope.tally.read);
    if (scope.stopping()) throw new StoppedError();
  }
}

/** Who sends a record that was refused once more, mended, is told what becomes of that one: it is tried now. */
async function tellOutcomes(
  sync: OpenedSync,
  scope: RunScope,
  outcomes: Outcomes,
  position: string,
  failing: Set<string>,
): Promise<void> {
  const keys = outcomes.waiting();
  if (keys.length > 0) {
    const failures = await sync.store.failures({ sync: sync.config.name, keys });
    await retryFailures(
      sync,
      scope,
      failing,
      failures.map(({ id }) => id),
    );
  }
  await outcomes.reached(position);
}

/** Records that the stream has written since the batch was asked for are read again: what the batch holds of them may be older (P3). */
async function asOfNow(sync: OpenedSync, batch: Batch, askedAt: number, signal: AbortSignal): Promise<readonly Change[]> {
  const { gate, source } = sync;
  if (gate === null) return batch.changes;
  const touched = batch.changes.flatMap(({ key }) => (gate.touchedSince(askedAt, key) ? [key] : []));
  if (touched.length === 0) return batch.changes;
  const now = await source.readKeys!(touched, signal);
  const again = new Set(touched);
  return [...batch.changes.filter(({ key }) => !again.has(key)), ...now];
}
