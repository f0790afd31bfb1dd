import type { Schema } from '../schema/types.ts';
import { guardWrites } from './guard-writes.ts';
import { orgReads } from './reads.ts';
import type { Store } from './store.ts';
import type { Org, Transaction } from './types.ts';
import { viewStore } from './view-store.ts';

/** Somebody to whom the org shows less than it has. */
export interface Viewer {
  readonly userId: string;
  /** What the viewer may see, and write: permissions are told as a describe tells them. */
  readonly schema: Schema;
  /** Whether records may be removed past the recycle bin. */
  mayPurge(): boolean;
}

/**
 * The org through the eyes of a viewer: reads and writes know the viewer's schema and no other. What concerns the org as
 * a whole (its clock, its listeners, loading, closing) is the org's own.
 *
 * Records are not shared out: who may read an object reads all of its records.
 */
export function viewOrg(org: Org, store: Store, { userId, schema, mayPurge }: Viewer): Org {
  const seen = viewStore(store, schema);
  const guard = (transaction: Transaction) => guardWrites(transaction, store, seen, mayPurge);
  return {
    ...org,
    schema,
    ...orgReads(seen, userId),
    begin: (options) => guard(org.begin({ userId, ...options })),
    write: (work, options) => org.write((transaction) => work(guard(transaction)), { userId, ...options }),
  };
}
