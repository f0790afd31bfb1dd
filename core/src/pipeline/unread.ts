import { NO_STAMP, type UnreadRecord } from '../model/change.ts';
import type { NewFailure } from '../store/store.ts';
import { newFailure } from './apply.ts';
import type { OpenedSync, RunScope } from './opened-sync.ts';

/** Place of a failure that no step and no target made: what came could not be read. */
export const UNREAD = 'event';

export function unreadFailure(sync: OpenedSync, { key, reason, raw }: UnreadRecord): NewFailure {
  return newFailure(
    sync,
    { op: 'upsert', key, row: raw, stampMs: NO_STAMP },
    { code: 'event_unreadable', message: reason },
    UNREAD,
  );
}

/** Keeps what the source could not read. No later change belongs to it, so that nothing waits for it but an open window (`hold`). */
export async function keepUnread(sync: OpenedSync, scope: RunScope, unread: readonly UnreadRecord[]): Promise<void> {
  if (unread.length === 0) return;
  await sync.store.putFailures(unread.map((each) => unreadFailure(sync, each)));
  scope.tally.read += unread.length;
  scope.tally.failed += unread.length;
  if (sync.config.onFailure === 'hold') scope.tally.heldBy ??= unread[0]!.key;
}
