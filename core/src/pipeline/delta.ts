import { InvariantError } from '../base/errors.ts';
import { applyChanges } from './apply.ts';
import { type Envelope, encodeEnvelope } from './envelope.ts';
import { type OpenedSync, type RunScope, StoppedError } from './opened-sync.ts';

/**
 * Reads what changed since a checkpoint and brings it to the target, batch by batch, each with the checkpoint that covers it.
 * With `onFailure: hold` a refused record keeps the window open: later batches are written, and the checkpoint stays.
 */
export async function runDelta(sync: OpenedSync, scope: RunScope, from: Envelope, failing: Set<string>): Promise<void> {
  if (sync.source.readDelta === undefined)
    throw new InvariantError('a delta was asked of a source that cannot tell what changed');
  for await (const batch of sync.source.readDelta(from.position, scope.signal)) {
    const checkpoint = batch.checkpoint === null ? null : encodeEnvelope({ ...from, position: batch.checkpoint });
    scope.tally.window(batch.window);
    await applyChanges(sync, scope, batch.changes, checkpoint, failing);
    // Only what need not be read again is progress: a read that always breaks off behind such a batch would be tried for ever.
    if (checkpoint !== null && scope.tally.heldBy === null) scope.tally.kept++;
    scope.tally.progress('delta', scope.tally.read);
    if (scope.stopping()) throw new StoppedError();
  }
}
