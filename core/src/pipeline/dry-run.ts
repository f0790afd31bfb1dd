import { changesOfBlock } from '../model/block.ts';
import type { Change } from '../model/change.ts';
import { differingFields } from '../model/compare.ts';
import type { Envelope } from './envelope.ts';
import type { OpenedSync, RunScope } from './opened-sync.ts';

/**
 * What a run would do, counted and not done. Reads the source as the run would; the target is only looked at.
 * Rows that a full run would sweep are not known before it has read everything and are not counted.
 */
export async function dryRun(sync: OpenedSync, scope: RunScope, from: Envelope | null): Promise<void> {
  const { source } = sync;
  const position = from?.position ?? (source.changesOnly === true ? await source.mark(scope.signal) : null);
  if (position !== null && source.readDelta !== undefined) {
    for await (const batch of source.readDelta(position, scope.signal)) {
      scope.tally.window(batch.window);
      await count(sync, scope, batch.changes);
    }
    return;
  }
  const estimate = await source.estimate(scope.signal);
  for await (const page of source.readFull(null, scope.signal)) {
    for await (const block of page.blocks) {
      await count(sync, scope, changesOfBlock(block, source.schema.fields, source.schema.key, source.stampField));
      scope.tally.progress('reading', scope.tally.read, estimate);
    }
    if (scope.stopping()) return;
  }
}

async function count(sync: OpenedSync, scope: RunScope, read: readonly Change[]): Promise<void> {
  const { steps, target, config } = sync;
  const { tally } = scope;
  tally.read += read.length;
  const stepped = await steps.changes(read);
  tally.dropped += stepped.dropped;
  tally.failed += stepped.failures.length;
  const held = await target.read?.(stepped.changes.map((change) => change.key)).catch(() => new Map());
  for (const change of stepped.changes) {
    const row = held?.get(change.key);
    if (change.op === 'delete') {
      if (config.deletes !== 'ignore' && row !== undefined) tally.deleted++;
    } else if (row === undefined) tally.created++;
    else if (differingFields(change.row!, row, steps.schema.fields).length > 0) tally.updated++;
    else tally.unchanged++;
  }
}
