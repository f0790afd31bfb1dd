import type { Change, WriteResult } from '../model/change.ts';
import type { RecordOutcome } from '../model/inbox.ts';

/** Hears what becomes of each record, for a sync whose senders ask. */
export interface Outcomes {
  /** @param key  of the source */
  told(key: string, outcome: RecordOutcome): void;
  /** These have been merged into an open failure: they are tried with it. */
  waits(changes: readonly Change[]): void;
  /** Keys of the failures that something was merged into since this was asked last. */
  waiting(): readonly string[];
  /** Everything up to this position has been tried, and what came of it is durable. */
  reached(position: string): Promise<void>;
}

export function outcomeOf(result: WriteResult): RecordOutcome {
  if (result.status === 'rejected') return { status: 'refused', ...result.reason };
  return result.id === undefined ? { status: result.status } : { status: result.status, id: result.id };
}

/** Told of those that go no further. */
export function tellLeftOut(
  outcomes: Outcomes | undefined,
  before: readonly Change[],
  after: readonly Change[],
  status: 'dropped' | 'unchanged',
): void {
  if (outcomes === undefined || before.length === after.length) return;
  const left = new Set(after);
  for (const change of before) if (!left.has(change)) outcomes.told(change.sourceKey ?? change.key, { status });
}
