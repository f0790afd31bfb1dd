import type { InfiniteData, QueryClient } from '@tanstack/react-query';

/** For each page that is looked at: whoever has scrolled far would otherwise ask more often than the server lets anybody ask. */
const REST_MS = 1_000;
/** By the first word of their names. */
const told = new Set<string>();
const underWay = new Set<string>();

/**
 * Asks again for as much of a list as is looked at, and never cuts that short: a list that changes faster than it is brought would never
 * be here. What is told of meanwhile is asked for afterwards.
 */
export async function refreshList(client: QueryClient, list: string): Promise<void> {
  told.add(list);
  if (underWay.has(list)) return;
  underWay.add(list);
  while (told.delete(list)) {
    await client.invalidateQueries({ queryKey: [list] });
    await new Promise((resolve) => setTimeout(resolve, REST_MS * pagesOf(client, list)));
  }
  underWay.delete(list);
}

function pagesOf(client: QueryClient, list: string): number {
  const looked = client.getQueryCache().findAll({ queryKey: [list], type: 'active' });
  return looked.reduce((sum, { state }) => sum + ((state.data as InfiniteData<unknown> | undefined)?.pages.length ?? 0), 0);
}
