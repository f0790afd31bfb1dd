const lineFeed = 10;
const carriageReturn = 13;
const quote = 34;

/** How a row ended: the line break in the bytes, or the end of the file. */
export type RowEnding = 'LF' | 'CRLF' | 'none';

/** Told of each row that is not blank: where the next one begins, counted over everything scanned. */
export type OnRow = (end: number, ending: RowEnding) => void;

/** Finds where the rows of a CSV end, over any number of pieces of it. */
export interface RowScanner {
  scan(bytes: Uint8Array, onRow: OnRow): void;
  /** The file is over: a last row without a line break ends here. */
  end(onRow: OnRow): void;
}

const atFieldStart = 0;
const unquoted = 1;
const inQuotes = 2;

/**
 * Only borders of rows: what stands between them is the CSV library's business. That one tells neither how a line ended
 * nor where a row that it refuses ends, and both matter here: a line ending other than the job's fails the job, and a
 * refused row fails alone.
 *
 * @param delimiter  The byte between fields: a quote opens a field only at the field's very beginning.
 */
export function createRowScanner(delimiter: number): RowScanner {
  let state = atFieldStart;
  let position = 0;
  let rowStart = 0;
  let previous = 0;
  return {
    scan(bytes, onRow) {
      const { length } = bytes;
      // Of its own while it runs: what other functions can see is read and written many times slower.
      let here = state;
      let before = previous;
      for (let index = 0; index < length; index++) {
        const byte = bytes[index]!;
        if (here === inQuotes) {
          // Either it ends the field, or it is the first of two that stand for one: the second goes on as if it began one.
          if (byte === quote) here = atFieldStart;
        } else if (byte === lineFeed) {
          const returned = before === carriageReturn;
          const end = position + index + 1;
          // A blank line is no row.
          if (end - rowStart > (returned ? 2 : 1)) onRow(end, returned ? 'CRLF' : 'LF');
          rowStart = end;
          here = atFieldStart;
        } else if (byte === delimiter) {
          here = atFieldStart;
        } else if (byte === quote) {
          if (here === atFieldStart) here = inQuotes;
        } else {
          here = unquoted;
        }
        before = byte;
      }
      state = here;
      previous = before;
      position += length;
    },
    end(onRow) {
      if (position > rowStart) onRow(position, 'none');
      rowStart = position;
    },
  };
}
