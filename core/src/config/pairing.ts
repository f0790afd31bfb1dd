import type { Priority } from '../base/caller.ts';
import type { RetryPolicy } from '../base/retry.ts';
import type { OwningOrg, ScheduleConfig } from './config.ts';

/** A two-way sync, checked. The first side of `between` is the left one. */
export interface PairingConfig {
  readonly name: string;
  /** Whose it is, of a sync `forEach: org`. */
  readonly org?: OwningOrg;
  readonly left: PairingSide;
  readonly right: PairingSide;
  readonly fields: readonly PairingField[];
  /** Names of fields of the right side. */
  readonly match: readonly string[];
  readonly deletes: 'propagate' | 'ignore';
  readonly schedule: ScheduleConfig | null;
  readonly live: boolean;
  readonly startDelayMs: number;
  readonly full: ScheduleConfig | null;
  /** Whose calls come first when a system's are short; null leaves it to what is done. */
  readonly priority: Priority | null;
  readonly retry: RetryPolicy;
  readonly notes: string | null;
  /** Hash of everything that decides what lands where. */
  readonly fingerprint: string;
}

export interface PairingSide {
  readonly connection: string;
  /** As the connector's `side` schema parsed it. */
  readonly spec: unknown;
  readonly link: string | null;
  readonly notes: string | null;
}

export interface PairingField {
  /** As each side spells it; the right side's is the shared name. */
  readonly left: string;
  readonly right: string;
  readonly flows: 'both' | 'to-left' | 'to-right';
  readonly policy: PolicyConfig;
}

export type PolicyConfig =
  | { readonly kind: 'wins'; readonly side: 'left' | 'right' }
  | { readonly kind: 'latest' }
  | { readonly kind: 'manual' }
  /** A module whose default export decides. */
  | { readonly kind: 'module'; readonly file: string };
