import { type QueryClient, useInfiniteQuery } from '@tanstack/react-query';
import { ask, query } from './ask.ts';
import { keys } from './queries.ts';
import { type Page, type Pages, withNewest } from './with-newest.ts';

/** Runs asked for at once. */
export const RUNS_PAGE = 50;

/** The newest first, more of them as they are looked at. */
export function useRuns(sync: string) {
  return useInfiniteQuery({
    queryKey: keys.runs(sync),
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) => pageOf(sync, pageParam),
    getNextPageParam: (page) => (page.length < RUNS_PAGE ? undefined : page.at(-1)!.id),
    select: ({ pages }) => pages.flat(),
    // As many pages as somebody has scrolled through are not all asked for again: `refreshRuns` brings what is new.
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
}

function pageOf(sync: string, before?: string): Promise<Page> {
  return ask<Page>(`/runs${query({ sync, before, limit: RUNS_PAGE })}`);
}

/** Brings what has come since, of those syncs whose runs are looked at. */
export async function refreshRuns(client: QueryClient, syncs: ReadonlySet<string>): Promise<void> {
  const looked = client.getQueryCache().findAll({ queryKey: ['runs'], type: 'active' });
  for (const { queryKey } of looked) {
    const sync = String(queryKey[1]);
    if (!syncs.has(sync)) continue;
    const newest = await pageOf(sync).catch(() => null);
    if (newest !== null)
      client.setQueryData<Pages>(queryKey, (pages) => (pages === undefined ? pages : withNewest(pages, newest, RUNS_PAGE)));
  }
}
