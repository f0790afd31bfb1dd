import { RequestRefusedError } from '../base/errors.ts';
import { applyChanges } from './apply.ts';
import type { OpenedSync, RunScope } from './opened-sync.ts';

/** Reads these records again and writes them, whatever any checkpoint says. */
export async function refetch(sync: OpenedSync, scope: RunScope, keys: readonly string[], failing: Set<string>): Promise<void> {
  if (sync.source.readKeys === undefined) {
    throw new RequestRefusedError(`the source of ${sync.config.name} cannot be read by key`, { hint: 'use a full run' });
  }
  await applyChanges(sync, scope, await sync.source.readKeys(keys, scope.signal), null, failing);
}
