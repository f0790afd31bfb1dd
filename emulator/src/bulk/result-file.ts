import { closeSync, openSync, writeSync } from 'node:fs';
import type { FilePage } from '../http/api-types.ts';
import { seededRandom } from '../seeded-random.ts';
import { shuffledIndexes } from './shuffle.ts';

/** One of a job's result files: rows only, in an order of their own within each batch. */
export interface ResultFile {
  /** Lines of one transaction. */
  add(lines: string[]): void;
  /** Writes what was added since the last time, shuffled. */
  flush(): void;
  page(head: Buffer): FilePage;
  close(): void;
}

/** Made empty at once, so that a job without such rows has the file too. */
export function createResultFile(path: string, seed: number): ResultFile {
  const file = openSync(path, 'w');
  const random = seededRandom(seed);
  // Bytes and not texts: thousands of texts that live until a batch is over cost the collector more than it takes to write them.
  let pieces: Buffer[] = [];
  let bytes = 0;
  let closed = false;
  const flush = () => {
    if (pieces.length === 0) return;
    const shuffled = Buffer.concat(shuffledIndexes(pieces.length, random).map((index) => pieces[index]!));
    for (let written = 0; written < shuffled.length; ) written += writeSync(file, shuffled, written);
    bytes += shuffled.length;
    pieces = [];
  };
  return {
    add(lines) {
      const shuffled = shuffledIndexes(lines.length, random).map((index) => lines[index]);
      if (shuffled.length > 0) pieces.push(Buffer.from(shuffled.join('')));
    },
    flush,
    page: (head) => ({ path, head, start: 0, end: bytes }),
    close() {
      if (closed) return;
      flush();
      closed = true;
      closeSync(file);
    },
  };
}

/** Cells as results have them: each in quotes (recorded: a failed row of an Opportunity job). */
export function quotedLine(cells: readonly string[], delimiter: string, lineBreak: string): string {
  const border = `"${delimiter}"`;
  let line = '"';
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i]!;
    if (i > 0) line += border;
    line += cell.includes('"') ? cell.replaceAll('"', '""') : cell;
  }
  return `${line}"${lineBreak}`;
}
