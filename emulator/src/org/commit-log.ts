import { createHash } from 'node:crypto';
import type { CommittedTransaction, OrgClock, RecordChange } from './types.ts';

/** Tells listeners of every commit, in the order of commits. */
export interface CommitLog {
  onCommit(listener: (committed: CommittedTransaction) => void): () => void;
  /** Called once the database holds the changes. @param changesOf  Asked only when somebody listens. */
  append(changesOf: () => readonly RecordChange[], by: { userId: string; origin: string }): void;
}

/** Recorded commit numbers are of this size: beyond what a JSON number holds, which clients must bear. */
const firstCommitNumber = 1_778_192_987_716_501_506n;

export function createCommitLog(clock: OrgClock, orgId: string): CommitLog {
  const listeners = new Set<(committed: CommittedTransaction) => void>();
  const untold: CommittedTransaction[] = [];
  let commitNumber = firstCommitNumber;
  let telling = false;

  /** A listener may commit something itself: the others hear of it when all have heard of the first. */
  function tell(): void {
    if (telling) return;
    telling = true;
    try {
      for (let committed = untold.shift(); committed; committed = untold.shift()) {
        for (const listener of listeners) listener(committed);
      }
    } finally {
      telling = false;
    }
  }

  return {
    onCommit(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    append(changesOf, { userId, origin }) {
      commitNumber += 1n;
      if (listeners.size === 0) return;
      const changes = changesOf();
      if (changes.length === 0) return;
      const key = keyOf(orgId, commitNumber);
      untold.push({ key, commitNumber, committedAtMs: clock.now(), userId, origin, changes });
      tell();
    },
  };
}

/** Follows from org and number, so that a run with the same seed has the same keys. */
function keyOf(orgId: string, commitNumber: bigint): string {
  const digest = createHash('md5').update(`${orgId}:${commitNumber}`).digest('hex');
  return digest.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
