import { useInfiniteQuery } from '@tanstack/react-query';
import type { ConflictShape, FailureShape } from '@tidemark/core/api';
import { ask, query } from './ask.ts';
import { keys } from './queries.ts';

/** Failures and conflicts of a page. One more is asked for: only that tells whether there are more. */
const PAGE = 100;

/** Those that were refused first come first: when one is tried next changes, and with it the border between two pages. */
export function useFailures(sync?: string) {
  const page = (after: string | undefined, signal: AbortSignal) =>
    ask<readonly FailureShape[]>(`/failures${query({ sync, after: after ?? '0', limit: PAGE + 1 })}`, { signal });
  return usePages([...keys.failures, sync ?? null], page);
}

/** The newest first. */
export function useConflicts(state: 'open' | 'settled', sync?: string) {
  const page = (before: string | undefined, signal: AbortSignal) =>
    ask<readonly ConflictShape[]>(`/conflicts${query({ sync, state, before, limit: PAGE + 1 })}`, { signal });
  return usePages([...keys.conflicts, sync ?? null, state], page);
}

/** A list that is asked for as far as somebody looks, and as far anew when it has changed. @param page  what follows an id */
function usePages<Item extends { readonly id: string }>(
  queryKey: readonly unknown[],
  page: (after: string | undefined, signal: AbortSignal) => Promise<readonly Item[]>,
) {
  return useInfiniteQuery({
    queryKey,
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) => page(pageParam, signal),
    getNextPageParam: (last) => (last.length > PAGE ? last[PAGE - 1]!.id : undefined),
    select: ({ pages }) => pages.flatMap((each) => each.slice(0, PAGE)),
    // Whoever comes back begins at the first page.
    gcTime: 0,
  });
}
