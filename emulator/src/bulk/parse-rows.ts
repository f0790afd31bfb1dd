import { parse } from 'csv-parse/sync';
import { splitRows } from './split-rows.ts';

/** One uploaded row. */
export interface UploadedRow {
  cells: readonly string[];
  /** Why the row cannot be read as CSV; its cells are then a guess, for the results to repeat. */
  malformed: string | undefined;
}

/** As the public CSV reader of Salesforce's own Bulk client words it. */
const strayQuote = 'Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote';
const openQuote = 'Failed to parse CSV. EOF reached before closing an opened quote';

/**
 * The rows of a piece of CSV, without trimming. A row that is no CSV does not spoil its neighbours.
 *
 * @param ends  Where each row ends in `bytes`, as the scanner found it; blank lines between them are skipped.
 */
export function parseRows(bytes: Buffer, ends: readonly number[], delimiter: string): UploadedRow[] {
  try {
    const rows = splitRows(bytes.toString(), delimiter) ?? read(bytes, delimiter);
    if (rows.length === ends.length) return rows.map((cells) => ({ cells, malformed: undefined }));
  } catch {
    // One of them is malformed: each is read by itself, below.
  }
  let start = 0;
  return ends.map((end) => {
    const row = bytes.subarray(start, end);
    start = end;
    return parseRow(row, delimiter);
  });
}

function parseRow(row: Buffer, delimiter: string): UploadedRow {
  try {
    return { cells: read(row, delimiter)[0] ?? [''], malformed: undefined };
  } catch {
    try {
      return { cells: read(row, delimiter, true)[0] ?? [''], malformed: strayQuote };
    } catch {
      return { cells: [row.toString().replace(/\r?\n$/, '')], malformed: openQuote };
    }
  }
}

function read(bytes: Buffer, delimiter: string, lenient = false): string[][] {
  return parse(bytes, {
    delimiter,
    // Both, because line endings other than the job's were refused before; the longer one first.
    record_delimiter: ['\r\n', '\n'],
    relax_column_count: true,
    relax_quotes: lenient,
    skip_empty_lines: true,
  });
}
