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
  let lines: string[] = [];
  let bytes = 0;
  let closed = false;
  const flush = () => {
    if (lines.length === 0) return;
    const text = Buffer.from(
      shuffledIndexes(lines.length, random)
        .map((index) => lines[index])
        .join(''),
    );
    for (let written = 0; written < text.length; ) written += writeSync(file, text, written);
    bytes += text.length;
    lines = [];
  };
  return {
    add: (line) => {
      lines.push(line);
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
  const isPlain = cells.every((cell) => !cell.includes('"'));
  const escaped = isPlain ? cells : cells.map((cell) => cell.replaceAll('"', '""'));
  return `"${escaped.join(`"${delimiter}"`)}"${lineBreak}`;
}
