import { makeId } from '../org/ids.ts';
import type { Org, QueryResult } from '../org/types.ts';

/** Query cursors live for two days (Salesforce limits, "API Query Cursor Limits"). */
const locatorMs = 2 * 24 * 60 * 60 * 1000;

export interface OpenQuery {
  result: QueryResult;
  pageSize: number;
  /** A cursor is its user's alone. */
  userId: string;
}

/** The results that clients are paging through. The oldest is given up when there are too many. */
export interface QueryLocators {
  open(query: OpenQuery): string;
  find(locator: string, userId: string): OpenQuery | undefined;
  readonly size: number;
}

export function createQueryLocators({ id: orgId, clock }: Org, max = 200): QueryLocators {
  const queries = new Map<string, OpenQuery & { openedAtMs: number }>();
  let opened = 0;
  return {
    get size() {
      return queries.size;
    },
    open(query) {
      opened += 1;
      const id = makeId('01g', orgId.slice(3, 5), opened);
      queries.set(id, { ...query, openedAtMs: clock.now() });
      for (const oldest of queries.keys()) {
        if (queries.size <= max) break;
        queries.delete(oldest);
      }
      return id;
    },
    find(locator, userId) {
      const query = queries.get(locator);
      if (query && clock.now() - query.openedAtMs < locatorMs) return query.userId === userId ? query : undefined;
      queries.delete(locator);
      return undefined;
    },
  };
}
