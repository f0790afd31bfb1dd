import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { LineEnding } from './csv-format.ts';
import { createRowScanner } from './row-scanner.ts';

/** Records that the server handles as one batch: 10,000, or fewer when they are large (Bulk API 2.0 Developer Guide, "Limits"). */
export const batchRecordsMax = 10_000;
const batchBytesMax = 10_000_000;

/** A run of records in the file. */
export interface UploadBatch {
  readonly start: number;
  readonly end: number;
  readonly records: number;
}

/** What a client uploaded, kept in a file, and what was learnt of it on the way. */
export interface UploadFile {
  readonly path: string;
  readonly bytes: number;
  readonly records: number;
  /** Where the header line ends; 0 when there is none. */
  readonly headerEnd: number;
  readonly batches: readonly UploadBatch[];
  /** Line endings that were met, quoted ones aside. */
  readonly lineEndings: ReadonlySet<LineEnding>;
}

export interface UploadWriter {
  readonly bytes: number;
  write(chunk: Uint8Array): void;
  /** @returns what the file holds. No further writes. */
  finish(): UploadFile;
  /** Gives up; the file is the caller's to remove. */
  discard(): void;
}

/** Writes an upload to a file as it comes and finds its batches, so that memory does not grow with it. */
export function openUpload(path: string, delimiter: string): UploadWriter {
  const file = openSync(path, 'w');
  const scanner = createRowScanner(delimiter.charCodeAt(0));
  const batches: UploadBatch[] = [];
  const lineEndings = new Set<LineEnding>();
  let bytes = 0;
  let records = 0;
  let headerEnd = 0;
  let batchStart = 0;
  let batchRecords = 0;
  const endBatch = (end: number) => {
    if (batchRecords > 0) batches.push({ start: batchStart, end, records: batchRecords });
    batchStart = end;
    batchRecords = 0;
  };
  let lastEnd = 0;
  const onRow = (end: number, ending: LineEnding | 'none') => {
    if (ending !== 'none') lineEndings.add(ending);
    lastEnd = end;
    if (headerEnd === 0) {
      headerEnd = end;
      batchStart = end;
      return;
    }
    records += 1;
    batchRecords += 1;
    if (batchRecords === batchRecordsMax || end - batchStart >= batchBytesMax) endBatch(end);
  };
  return {
    get bytes() {
      return bytes;
    },
    write(chunk) {
      for (let written = 0; written < chunk.length; ) written += writeSync(file, chunk, written);
      bytes += chunk.length;
      scanner.scan(chunk, onRow);
    },
    finish() {
      scanner.end(onRow);
      endBatch(lastEnd);
      closeSync(file);
      return { path, bytes, records, headerEnd, batches, lineEndings };
    },
    discard: () => closeSync(file),
  };
}

/** A part of the file. Read at once: it comes from the system's cache, and what reads it must not be interleaved. */
export function readPart(path: string, start: number, end: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(end - start);
    let filled = 0;
    while (filled < buffer.length) {
      const read = readSync(file, buffer, filled, buffer.length - filled, start + filled);
      if (read === 0) break;
      filled += read;
    }
    return buffer.subarray(0, filled);
  } finally {
    closeSync(file);
  }
}
