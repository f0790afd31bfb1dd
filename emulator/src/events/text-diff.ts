import { createHash } from 'node:crypto';

/** Shorter texts are sent whole. */
const diffLengthMin = 1000;

/**
 * A long text's change as a unified diff without context lines, or `undefined` when the whole text is sent: it is short,
 * its length changed by more than half, more than a quarter of its lines changed, or the diff is longer than the text.
 *
 * The first line names nothing, the second the SHA-256 of the whole new text. Both texts are split at line feeds, whatever
 * stands before them.
 * @see Change Data Capture guide, "Change Events for Large Text Fields" (its own example has the hash of the new text)
 */
export function diffText(before: string, after: string): string | undefined {
  if (before.length < diffLengthMin || after.length < diffLengthMin) return undefined;
  if (Math.abs(after.length - before.length) > before.length / 2) return undefined;
  const oldLines = before.split(/\r?\n/);
  const newLines = after.split(/\r?\n/);
  const changesMax = Math.floor(Math.max(oldLines.length, newLines.length) / 4);
  const edits = shortestEdit(oldLines, newLines, 2 * changesMax);
  if (!edits) return undefined;
  const hunks = hunksOf(edits);
  const changed = hunks.reduce((sum, hunk) => sum + Math.max(hunk.removed, hunk.added), 0);
  if (changed > changesMax || hunks.length === 0) return undefined;
  const hash = createHash('sha256').update(after).digest('hex');
  const lines = ['--- ', `+++ ${hash}`];
  for (const { oldStart, removed, newStart, added } of hunks) {
    // By the format's rule an empty side names the line before it.
    lines.push(`@@ -${removed === 0 ? oldStart : oldStart + 1},${removed} +${added === 0 ? newStart : newStart + 1},${added} @@`);
    for (const line of oldLines.slice(oldStart, oldStart + removed)) lines.push(`-${line}`);
    for (const line of newLines.slice(newStart, newStart + added)) lines.push(`+${line}`);
  }
  const diff = lines.join('\n');
  return diff.length > after.length ? undefined : diff;
}

interface Edit {
  /** A line of the old text that goes, or of the new text that comes, at these positions of both. */
  kind: 'remove' | 'add';
  oldAt: number;
  newAt: number;
}

/** The fewest removed and added lines (Myers 1986), or `undefined` when they are more than `max`. */
function shortestEdit(before: readonly string[], after: readonly string[], max: number): Edit[] | undefined {
  /** How far the furthest path on each diagonal has come in the old text, for each number of edits. */
  const trace: Map<number, number>[] = [];
  let furthest = new Map<number, number>([[1, 0]]);
  for (let edits = 0; edits <= max; edits++) {
    trace.push(new Map(furthest));
    const next = new Map(furthest);
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      let x = stepFrom(furthest, diagonal, edits);
      while (x < before.length && x - diagonal < after.length && before[x] === after[x - diagonal]) x++;
      next.set(diagonal, x);
      furthest = next;
      if (x >= before.length && x - diagonal >= after.length) return walkBack(trace, before.length, after.length);
    }
  }
  return undefined;
}

const goesDown = (furthest: ReadonlyMap<number, number>, diagonal: number, edits: number) =>
  diagonal === -edits || (diagonal !== edits && (furthest.get(diagonal - 1) ?? -1) < (furthest.get(diagonal + 1) ?? -1));

function stepFrom(furthest: ReadonlyMap<number, number>, diagonal: number, edits: number): number {
  return goesDown(furthest, diagonal, edits) ? (furthest.get(diagonal + 1) ?? 0) : (furthest.get(diagonal - 1) ?? 0) + 1;
}

function walkBack(trace: readonly Map<number, number>[], oldLength: number, newLength: number): Edit[] {
  const found: Edit[] = [];
  let [x, y] = [oldLength, newLength];
  for (let edits = trace.length - 1; edits > 0; edits--) {
    const furthest = trace[edits]!;
    const diagonal = x - y;
    const down = goesDown(furthest, diagonal, edits);
    const from = down ? diagonal + 1 : diagonal - 1;
    x = furthest.get(from) ?? 0;
    y = x - from;
    found.push({ kind: down ? 'add' : 'remove', oldAt: x, newAt: y });
  }
  return found.reverse();
}

interface Hunk {
  oldStart: number;
  removed: number;
  newStart: number;
  added: number;
}

/** Edits that touch each other belong together. */
function hunksOf(edits: readonly Edit[]): Hunk[] {
  const hunks: Hunk[] = [];
  for (const { kind, oldAt, newAt } of edits) {
    const last = hunks.at(-1);
    const touches = last && last.oldStart + last.removed === oldAt && last.newStart + last.added === newAt;
    const hunk = touches ? last : { oldStart: oldAt, removed: 0, newStart: newAt, added: 0 };
    if (!touches) hunks.push(hunk);
    if (kind === 'remove') hunk.removed++;
    else hunk.added++;
  }
  return hunks;
}
