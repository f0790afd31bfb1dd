import { randomUUID } from 'node:crypto';
import type { CommittedTransaction, OrgClock, RecordChange } from './types.ts';

/** Tells listeners of every commit, in the order of commits. */
export interface CommitLog {
  onCommit(listener: (committed: CommittedTransaction) => void): () => void;
  /** Called once the database holds the changes. */
  append(changes: readonly RecordChange[], by: { userId: string; origin: string }): void;
}

/** Recorded commit numbers are of this size: beyond what a JSON number holds, which clients must bear. */
const firstCommitNumber = 1_778_192_987_716_501_506n;

export function createCommitLog(clock: OrgClock): CommitLog {
  const listeners = new Set<(committed: CommittedTransaction) => void>();
  let commitNumber = firstCommitNumber;
  return {
    onCommit(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    append(changes, { userId, origin }) {
      commitNumber += 1n;
      if (listeners.size === 0) return;
      const committed = { key: randomUUID(), commitNumber, committedAtMs: clock.now(), userId, origin, changes };
      for (const listener of listeners) listener(committed);
    },
  };
}
