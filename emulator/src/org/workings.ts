import type { Locks } from './locks.ts';
import type { RecordChecks } from './record-checks.ts';
import type { Store } from './store.ts';
import type { TransactionView } from './transaction-view.ts';
import type { Transaction } from './types.ts';

/** What the parts of one transaction share. */
export interface Workings {
  readonly store: Store;
  readonly view: TransactionView;
  readonly locks: Locks;
  readonly checks: RecordChecks;
  readonly userId: string;
  readonly allowDuplicates: boolean;
  /** The transaction itself, which automation writes through. */
  readonly transaction: Transaction;
}
