import type { TroubleKind } from '../../config/notifications-config.ts';
import type { LiveStatus } from '../../pipeline/live/live-status.ts';
import type { EngineParts } from '../engine-options.ts';
import { budgetTroubles } from './budget-troubles.ts';
import type { Trouble } from './notification.ts';
import { streamTroubles } from './stream-troubles.ts';
import { syncTroubles } from './sync-troubles.ts';

export type LookParts = Pick<EngineParts, 'config' | 'store' | 'clock' | 'budgets'> & {
  /** The streams that this process follows. */
  followed(): readonly LiveStatus[];
};

/** What is wrong, of what was looked at: about everything else this process knows nothing. */
export interface Findings {
  readonly troubles: readonly Trouble[];
  readonly lookedAt: (kind: TroubleKind, subject: string) => boolean;
}

/** A few statements, however many syncs there are. */
export async function findTroubles(parts: LookParts): Promise<Findings> {
  const found = await Promise.all([syncTroubles(parts), streamTroubles(parts), budgetTroubles(parts)]);
  return {
    troubles: found.flatMap(({ troubles }) => troubles),
    lookedAt: (kind, subject) => found.some(({ lookedAt }) => lookedAt(kind, subject)),
  };
}
