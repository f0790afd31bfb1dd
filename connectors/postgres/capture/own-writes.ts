import { quoteText } from '../identifiers.ts';

/** What our writers set in their transactions, so that the log can tell them from others. Its value names the syncs. */
export const WRITER_SETTING = 'tidemark.writer';

/** For a transaction that writes for these syncs. */
export function writtenBy(units: readonly string[]): string {
  return `${WRITER_SETTING} = ${quoteText(units.join(','))}`;
}
