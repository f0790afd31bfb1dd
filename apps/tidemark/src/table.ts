import { formatDuration } from '@tidemark/core';

/** Columns aligned by spaces; the first row is the heading. Numbers stand to the right. */
export function renderTable(heading: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  const texts = rows.map((row) => row.map((cell) => printable(cell)));
  const widths = heading.map((title, c) => Math.max(title.length, ...texts.map((row) => [...(row[c] ?? '')].length)));
  const right = heading.map((_, c) => rows.length > 0 && rows.every((row) => typeof row[c] === 'number' || row[c] === null));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, c) => {
        const gap = ' '.repeat(Math.max(0, widths[c]! - [...cell].length));
        return right[c] ? gap + cell : cell + gap;
      })
      .join('  ')
      .trimEnd();
  return [heading, ...texts].map((row) => `${line(row)}\n`).join('');
}

/** A source's text may hold anything; a terminal must not obey it. */
function printable(cell: string | number | null): string {
  if (cell === null) return '–';
  if (typeof cell === 'number') return cell.toLocaleString('en-US');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return cell.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
}

/** At most so many characters, and whether there are more. */
export function shortened(text: string, charactersMax: number): string {
  return text.length > charactersMax ? `${text.slice(0, charactersMax - 1)}…` : text;
}

/** How long something took or is ago, to what a person cares about: `340ms`, `4.2s`, `2m 5s`, `3d 4h`. */
export function roughly(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))}ms`;
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toFixed(1).replace(/\.0$/, '')}s`;
  const parts = formatDuration(Math.floor(ms / 1000) * 1000).match(/\d+[a-z]+/g)!;
  return parts.slice(0, 2).join(' ');
}

export function formatTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
