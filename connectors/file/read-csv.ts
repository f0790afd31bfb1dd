import { pipeline, Readable } from 'node:stream';
import { CsvError, type Info, parse } from 'csv-parse';
import { badLine } from './errors.ts';
import type { Place } from './place.ts';
import { type FilePosition, readBytes, START } from './read-bytes.ts';
import { type FileRecord, RECORD_BYTES_MAX } from './read-records.ts';

interface CsvLine {
  /** An empty value without quotation marks is null, one with them is an empty text. */
  readonly values: readonly (string | null)[];
  readonly line: number;
  readonly next: FilePosition;
}

/** The names in the header line, and where the records begin. Null for an empty file. */
export async function readCsvHeader(place: Place): Promise<{ columns: string[]; next: FilePosition } | null> {
  for await (const { values, next, line } of readCsvLines(place, START, undefined)) {
    const columns = values.map((value, i) => value?.trim() || `column ${i + 1}`);
    const twice = columns.find((name, i) => columns.indexOf(name) !== i);
    if (twice !== undefined) throw badLine(place.name, line, `the column ${twice} comes twice`);
    return { columns, next };
  }
  return null;
}

/** @throws {RequestRefusedError} a line that does not fit the columns, or whose quotation marks do not fit. */
export async function* readCsvRecords(
  place: Place,
  columns: readonly string[],
  from: FilePosition,
  signal: AbortSignal | undefined,
): AsyncGenerator<FileRecord> {
  for await (const { values, line, next } of readCsvLines(place, from, signal)) {
    if (values.length !== columns.length) {
      throw badLine(place.name, line, `${values.length} values for ${columns.length} columns`);
    }
    yield { values: new Map(columns.map((name, i) => [name, values[i]!])), line, next };
  }
}

async function* readCsvLines(place: Place, from: FilePosition, signal: AbortSignal | undefined): AsyncGenerator<CsvLine> {
  const parser = parse({
    bom: from.at === 0,
    delimiter: place.delimiter,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: RECORD_BYTES_MAX,
    cast: (value, { quoting }) => (value === '' && !quoting ? null : value),
  });
  // Whoever stops reading destroys the parser, and with it the file: no error of theirs to report.
  pipeline(Readable.from(readBytes(place, from, signal), { objectMode: true }), parser, () => {});
  let { line } = from;
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: (string | null)[]; info: Info }>) {
      const next = { at: from.at + info.bytes, line: from.line + info.lines };
      // The record's first line, blank lines before it left out. Most records are one line: their values need no counting.
      const breaks = next.line - line > 1 ? record.reduce((count, value) => count + breaksIn(value), 0) : 0;
      ({ line } = next);
      yield { values: record, line: line - 1 - breaks, next };
    }
  } catch (error) {
    if (error instanceof CsvError) throw badLine(place.name, line, explain(error));
    throw error;
  }
}

function breaksIn(value: string | null): number {
  return (value?.split('\n').length ?? 1) - 1;
}

function explain({ code, message }: CsvError): string {
  if (code === 'CSV_QUOTE_NOT_CLOSED') return 'a quotation mark is opened and never closed';
  if (code === 'CSV_MAX_RECORD_SIZE') return `longer than ${RECORD_BYTES_MAX} bytes; is a quotation mark never closed?`;
  // Without the parser's own count of lines, which begins anew wherever reading began.
  return message.replace(/ (?:at|on) line \d+.*$/s, '');
}
