import type { UseInfiniteQueryResult } from '@tanstack/react-query';
import { type ReactNode, useCallback } from 'react';
import { Failed, Loaded } from './states.tsx';

/** What a list has beyond what was asked for. */
export interface Rest {
  /** How many there are in all; null: more than these, and nobody knows how many. */
  readonly total: number | null;
  /** Asks for the next page; nothing when one is awaited, was refused, or is not there. */
  readonly more: () => void;
}

interface PagedProps<Item> {
  readonly query: UseInfiniteQueryResult<Item[]>;
  /** How many there were when somebody counted. What is here by now counts for more. */
  readonly counted?: number | undefined;
  readonly children: (items: readonly Item[], rest: Rest) => ReactNode;
}

/** A list that is asked for a page at a time. A page that could not be had is asked for again by hand, or once the list has changed. */
export function Paged<Item>({ query, counted = 0, children }: PagedProps<Item>) {
  const { hasNextPage, isFetching, isFetchNextPageError, fetchNextPage, error } = query;
  const more = useCallback(() => {
    if (hasNextPage && !isFetching && !isFetchNextPageError) void fetchNextPage();
  }, [hasNextPage, isFetching, isFetchNextPageError, fetchNextPage]);
  return (
    <Loaded query={query}>
      {(items) => (
        <>
          {children(items, { total: hasNextPage ? above(items.length, counted) : items.length, more })}
          {isFetchNextPageError && <Failed error={error} onRetry={() => void fetchNextPage()} />}
        </>
      )}
    </Loaded>
  );
}

function above(shown: number, counted: number): number | null {
  return counted > shown ? counted : null;
}
