import type { OpenQuery } from '../query-locators.ts';

type Row = Record<string, unknown>;

/** The result of a child query, within the record of its parent. */
interface ChildResult {
  totalSize: number;
  records: Row[];
}

/**
 * Records whose children are as many as a page takes; what is beyond has a locator of its own (REST API Developer Guide,
 * "Query": nested results).
 * @param open  Where the rest can be read on.
 */
export function pageChildren(
  records: readonly Row[],
  parent: OpenQuery,
  open: (rest: OpenQuery, offset: number) => string,
): Row[] {
  const cut = (record: Row): Row =>
    Object.fromEntries(Object.entries(record).map(([name, value]) => [name, isChildResult(value) ? cutResult(value) : value]));

  function cutResult({ totalSize, records: all }: ChildResult): Row {
    const size = parent.pageSize;
    const first = all.slice(0, size).map(cut);
    if (all.length <= size) return { totalSize, done: true, records: first };
    const result = { ...parent.result, totalSize, page: (offset: number, limit: number) => all.slice(offset, offset + limit) };
    return { totalSize, done: false, nextRecordsUrl: open({ ...parent, result }, size), records: first };
  }

  return records.map(cut);
}

/** Nothing else in a record is a list: compound fields and parents are not. */
const isChildResult = (value: unknown): value is ChildResult =>
  value !== null && typeof value === 'object' && Array.isArray((value as Row).records);
