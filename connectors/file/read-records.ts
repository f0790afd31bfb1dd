import type { FieldValue } from '@tidemark/core';
import type { FilePosition } from './read-bytes.ts';

/** One record of a file, its values by name as the format gives them: text from CSV, any JSON value from JSON Lines. */
export interface FileRecord {
  readonly values: ReadonlyMap<string, FieldValue>;
  /** Number of its first line. */
  readonly line: number;
  /** Where the next record begins. */
  readonly next: FilePosition;
}

/** No record is that long: a file without line breaks, or with a quotation mark that is never closed, would fill the memory. */
export const RECORD_BYTES_MAX = 64 * 1024 * 1024;
