import { RequestRefusedError } from '../base/errors.ts';
import { applyChanges } from './apply.ts';
import { inTurn, type OpenedSync, type RunScope } from './opened-sync.ts';

/** Reads these records again and writes them, whatever any checkpoint says. */
export async function refetch(sync: OpenedSync, scope: RunScope, keys: readonly string[], failing: Set<string>): Promise<void> {
  if (sync.source.readKeys === undefined) {
    throw new RequestRefusedError(`the source of ${sync.config.name} cannot be read by key`, { hint: 'use a full run' });
  }
  await inTurn(sync, async () => {
    const changes = await sync.source.readKeys!(keys, scope.signal);
    const gone = changes.flatMap((change) => (change.op === 'delete' ? [change.key] : []));
    if (gone.length > 0) sync.log.warn({ sync: sync.config.name, keys: gone }, 'the source has no such records');
    await applyChanges(sync, scope, changes, null, failing, { anew: true });
  });
}
