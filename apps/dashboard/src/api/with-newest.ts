import type { InfiniteData } from '@tanstack/react-query';
import type { RunShape } from '@tidemark/core/api';

export type Page = readonly RunShape[];
export type Pages = InfiniteData<Page, string | undefined>;

/** The first page grows by what has come; where more has come than one page tells, it begins anew. */
export function withNewest(pages: Pages, newest: Page, pageSize: number): Pages {
  const [first = [], ...others] = pages.pages;
  const told = new Set(newest.map(({ id }) => id));
  const isGap = newest.length === pageSize && first.length > 0 && !first.some(({ id }) => told.has(id));
  if (isGap) return { pages: [newest], pageParams: [undefined] };
  return { ...pages, pages: [[...newest, ...first.filter(({ id }) => !told.has(id))], ...others] };
}
