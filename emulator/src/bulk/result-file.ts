import { closeSync, openSync, writeSync } from 'node:fs';
import type { FilePage } from '../http/api-types.ts';
import { seededRandom } from '../seeded-random.ts';
import { shuffledIndexes } from './shuffle.ts';

/** One of a job's result files: rows only, in an order of their own within each batch. */
export interface ResultFile {
  add(line: string): void;
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
  let lines = Buffer.alloc(0);
  let filled = 0;
  let ends: number[] = [];
  let bytes = 0;
  let closed = false;
  const flush = () => {
    if (ends.length === 0) return;
    const shuffled = Buffer.allocUnsafe(filled);
    let at = 0;
    for (const index of shuffledIndexes(ends.length, random)) {
      at += lines.copy(shuffled, at, index === 0 ? 0 : ends[index - 1]!, ends[index]!);
    }
    for (let written = 0; written < at; ) written += writeSync(file, shuffled, written);
    bytes += at;
    filled = 0;
    ends = [];
  };
  return {
    add(line) {
      const most = filled + line.length * 3;
      if (most > lines.length) {
        const larger = Buffer.allocUnsafe(Math.max(lines.length * 2, most));
        lines.copy(larger, 0, 0, filled);
        lines = larger;
      }
      filled += lines.write(line, filled);
      ends.push(filled);
    },
    flush,
    page: (head) => ({ path, head, start: 0, end: bytes }),
    close() {
      if (closed) return;
      flush();
      closed = true;
      lines = Buffer.alloc(0);
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
