import type { Store } from './store.ts';
import type { StoredRow, Table } from './table.ts';
import { stampOf } from './values.ts';

/** `SystemModstamp` moves with every change; who edited last, and when, only with a user's. */
export type StampKind = 'user' | 'system' | 'none';

export function stamp(store: Store, table: Table, row: StoredRow, userId: string, kind: StampKind = 'user'): void {
  if (kind === 'none') return;
  const now = stampOf(store.clock.now());
  if (table.column('SystemModstamp')) row.SystemModstamp = now;
  if (kind === 'system') return;
  if (table.column('LastModifiedDate')) row.LastModifiedDate = now;
  if (table.column('LastModifiedById')) row.LastModifiedById = userId;
}
