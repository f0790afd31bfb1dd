import type { FieldValue } from '@tidemark/core';
import { badLine } from './errors.ts';
import type { Place } from './place.ts';
import { type FilePosition, readBytes } from './read-bytes.ts';
import { type FileRecord, RECORD_BYTES_MAX } from './read-records.ts';

const LINE_FEED = 10;
const BYTE_ORDER_MARK = '\ufeff';

/** @throws {RequestRefusedError} a line that is no JSON object. */
export async function* readJsonLines(
  place: Place,
  from: FilePosition,
  signal: AbortSignal | undefined,
): AsyncGenerator<FileRecord> {
  let { at, line } = from;
  for await (const bytes of splitLines(readBytes(place, from, signal), (length) => {
    if (length > RECORD_BYTES_MAX) throw badLine(place.name, line, `longer than ${RECORD_BYTES_MAX} bytes`);
  })) {
    const text = bytes.toString('utf8');
    const record = parseRecord(at === 0 && text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text, place.name, line);
    at += bytes.length;
    if (record !== null) yield { values: record, line, next: { at, line: line + 1 } };
    line++;
  }
}

/** Lines with their line feed. Node's `readline` would split at characters that JSON leaves unescaped, and counts no bytes. */
async function* splitLines(chunks: AsyncIterable<Buffer>, grown: (length: number) => void): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    let begin = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, begin)) {
      parts.push(chunk.subarray(begin, end + 1));
      begin = end + 1;
      yield Buffer.concat(parts);
      parts = [];
      length = 0;
    }
    parts.push(chunk.subarray(begin));
    length += chunk.length - begin;
    grown(length);
  }
  if (length > 0) yield Buffer.concat(parts);
}

function parseRecord(text: string, name: string, line: number): ReadonlyMap<string, FieldValue> | null {
  if (text.trim() === '') return null;
  let record: unknown;
  try {
    record = JSON.parse(text, /\d{16}|\d\.\d{15}|[eE]/.test(text) ? keepDigits : undefined);
  } catch (error) {
    throw badLine(name, line, `no JSON: ${(error as Error).message}`);
  }
  if (typeof record !== 'object' || record === null || Array.isArray(record)) throw badLine(name, line, 'no JSON object');
  return new Map(Object.entries(record as { [name: string]: FieldValue }));
}

/** A number of more digits than a double holds stays text, so that no digit is lost. */
function keepDigits(_: string, value: unknown, { source }: { source?: string } = {}): unknown {
  if (typeof value !== 'number' || source === undefined) return value;
  const digits = source.replace(/[eE].*$/, '').replace(/^[-0.]+|\D/g, '').length;
  return !Number.isFinite(value) || (digits > 15 && String(value) !== source) ? source : value;
}
