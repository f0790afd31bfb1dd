import type { SchemaChange } from '../model/connector.ts';

/** What a run of a sync would change and cost. */
export interface SyncPlan {
  readonly sync: string;
  /** `live`: nothing is read, what is published is brought as it comes. */
  readonly kind: 'delta' | 'full' | 'live';
  /** Why it would be full; null when it would not. */
  readonly reason: string | null;
  /** Roughly how many records a full read yields; null when unknown. */
  readonly rows: number | null;
  /** API calls of the next run; null where they are not counted. */
  readonly apiCalls: number | null;
  /** API calls of a full run; null where they are not counted. */
  readonly fullCalls: number | null;
  /** Calls that a day of its schedules makes to read, by connection: those whose systems count them. */
  readonly dailyCalls: { readonly [connection: string]: number };
  readonly schemaChanges: readonly SchemaChange[];
}
