import { type FileHandle, open } from 'node:fs/promises';
import { setImmediate as letOthersRun } from 'node:timers/promises';
import type { TableResult } from '../org/types.ts';

/** A result as it lies on disk: rows only, each ending with a line break. */
export interface RenderedTable {
  path: string;
  /** The header line, which every page repeats. */
  head: Buffer;
  rowCount: number;
  /** Where row `index` begins in the file; `rowCount` gives the file's size. */
  offsetOf(index: number): number;
}

export interface CsvFormat {
  delimiter: string;
  lineEnding: string;
}

/** Rows rendered before other requests get their turn: a few milliseconds. */
const sliceRows = 500;
const bufferBytes = 1 << 20;

/**
 * Writes a table as Bulk API 2.0 results look: every cell in quotes, null as `""`. Done before a job is reported complete,
 * so that a download afterwards is a plain read of the file.
 *
 * @param signal    Aborts between slices.
 * @param progress  Told how many rows are done.
 */
export async function renderCsv(
  table: TableResult,
  path: string,
  format: CsvFormat,
  signal: AbortSignal,
  progress: (rows: number) => void,
): Promise<RenderedTable> {
  const offsets = createOffsets();
  const file = await open(path, 'w');
  try {
    const sink = createSink(file);
    let rows = 0;
    for (const cells of table.rows()) {
      offsets.push(sink.position());
      // A line of any length fits: the sink grows its buffer for one that does not.
      const full = sink.add(line(cells, format));
      rows += 1;
      if (full) await sink.flush();
      if (rows % sliceRows !== 0) continue;
      progress(rows);
      await letOthersRun();
      signal.throwIfAborted();
    }
    await sink.flush();
    offsets.push(sink.position());
    progress(rows);
    return { path, head: Buffer.from(line(table.columns, format)), rowCount: rows, offsetOf: offsets.at };
  } finally {
    await file.close();
  }
}

function line(cells: readonly string[], { delimiter, lineEnding }: CsvFormat): string {
  let text = '';
  for (const cell of cells) {
    const quoted = cell.includes('"') ? cell.replaceAll('"', '""') : cell;
    text += text === '' ? `"${quoted}"` : `${delimiter}"${quoted}"`;
  }
  return text + lineEnding;
}

/** Collects lines as bytes and writes them a megabyte at a time. */
function createSink(file: FileHandle) {
  let buffer = Buffer.allocUnsafe(bufferBytes);
  let filled = 0;
  let written = 0;
  return {
    position: () => written + filled,
    /** True when it is time to flush. */
    add(text: string): boolean {
      const bytesMax = text.length * 3;
      if (filled + bytesMax > buffer.length) {
        const larger = Buffer.allocUnsafe(Math.max(buffer.length * 2, filled + bytesMax));
        buffer.copy(larger, 0, 0, filled);
        buffer = larger;
      }
      filled += buffer.write(text, filled);
      return filled >= bufferBytes / 2;
    },
    async flush(): Promise<void> {
      if (filled > 0) await file.writeFile(buffer.subarray(0, filled));
      written += filled;
      filled = 0;
    },
  };
}

/** Eight bytes a row, whatever the number of rows. */
function createOffsets() {
  let offsets = new Float64Array(1024);
  let count = 0;
  return {
    push(offset: number): void {
      if (count === offsets.length) {
        const larger = new Float64Array(count * 2);
        larger.set(offsets);
        offsets = larger;
      }
      offsets[count] = offset;
      count += 1;
    },
    at: (index: number): number => offsets[index] as number,
  };
}
