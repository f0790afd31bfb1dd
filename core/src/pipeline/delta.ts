import { InvariantError } from '../base/errors.ts';
import { applyBatches } from './apply.ts';
import { readAhead } from './delta-read-ahead.ts';
import { type Envelope, encodeEnvelope } from './envelope.ts';
import { type OpenedSync, type RunScope, StoppedError } from './opened-sync.ts';

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
  const read = (signal: AbortSignal) => source.readDelta!(from.position, signal);
  const limits = { changes: Math.min(CHANGES_MAX, config.batchSize ?? CHANGES_MAX, target.batchSizeMax), size: SIZE_MAX };
  for await (const { batches, checkpoint: position } of readAhead(read, limits, scope.signal)) {
    const checkpoint = position === null ? null : encodeEnvelope({ ...from, position });
    for (const batch of batches) scope.tally.window(batch.window);
    await applyBatches(
      sync,
      scope,
      batches.map(({ changes }) => changes),
      checkpoint,
      failing,
    );
    // Only what need not be read again is progress: a read that always breaks off behind such a batch would be tried for ever.
    if (checkpoint !== null && scope.tally.heldBy === null) scope.tally.kept++;
    scope.tally.progress('delta', scope.tally.read);
    if (scope.stopping()) throw new StoppedError();
  }
}
