// A long text that travels as a diff must come out as the new text, to the character: a subscriber who patches a wrong
// one keeps it until the next full read.
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { diffText } from './text-diff.ts';

const guide = evidence('documented', 'Change Data Capture guide, Change Events for Large Text Fields');
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const numbered = (count: number) => Array.from({ length: count }, (_, i) => `line ${i} of a text that is long enough`);

/** Patches as the format says, with nothing from the code under test. */
function patch(before: string, diff: string): string {
  const lines = before.split('\n');
  const [from, to, ...rest] = diff.split('\n');
  expect(from).toBe('--- ');
  expect(to).toMatch(/^\+\+\+ [0-9a-f]{64}$/);
  let shift = 0;
  for (let i = 0; i < rest.length; ) {
    const [, oldStart, oldCount] = /^@@ -(\d+),(\d+) \+\d+,\d+ @@$/.exec(rest[i]!)!.map(Number) as [number, number, number];
    const removed: string[] = [];
    const added: string[] = [];
    for (i++; i < rest.length && !rest[i]!.startsWith('@@ '); i++)
      (rest[i]!.startsWith('-') ? removed : added).push(rest[i]!.slice(1));
    const start = (oldCount === 0 ? oldStart : oldStart - 1) + shift;
    expect(lines.splice(start, oldCount, ...added)).toEqual(removed);
    shift += added.length - removed.length;
  }
  return lines.join('\n');
}

test(`changed lines without context, and the hash of the new text ${guide}`, () => {
  const before = numbered(40);
  const after = before.with(1, 'another').with(6, 'and another');
  const diff = diffText(before.join('\n'), after.join('\n'));
  expect(diff).toBe(
    [
      '--- ',
      `+++ ${sha256(after.join('\n'))}`,
      '@@ -2,1 +2,1 @@',
      `-${before[1]}`,
      '+another',
      '@@ -7,1 +7,1 @@',
      `-${before[6]}`,
      '+and another',
    ].join('\n'),
  );
});

test(`the hash is that of the text with its own line ends ${guide}`, () => {
  const before = numbered(40);
  const after = before.with(3, 'x').join('\r\n');
  expect(diffText(before.join('\r\n'), after)).toContain(`+++ ${sha256(after)}\n@@ -4,1 +4,1 @@\n-${before[3]}\n+x`);
});

const long = numbered(40).join('\n');
test.each<[what: string, before: string, after: string]>([
  ['a text that is short', 'a\nb', 'a\nc'],
  ['a text that was short', 'short', long],
  ['a length that changed by more than half', long, `${long}\n${long}`],
  [
    'more than a quarter of the lines',
    long,
    numbered(40)
      .map((line, i) => (i < 11 ? `${line}!` : line))
      .join('\n'),
  ],
  ['a diff that is longer than the text', 'x'.repeat(1200), 'y'.repeat(1200)],
])(`%s: the whole is sent ${guide}`, (_what, before, after) => {
  expect(diffText(before, after)).toBeUndefined();
});

const line = fc.constantFrom(
  '',
  'a',
  'b',
  '-',
  '+a',
  '@@ -1,1 +1,1 @@',
  'a long line that makes the text long enough to be sent as a diff',
);
const edit = fc.record({ at: fc.nat(200), remove: fc.nat(3), add: fc.array(line, { maxLength: 3 }) });

test('whatever is told as a diff patches to the new text', () => {
  let told = 0;
  fc.assert(
    fc.property(fc.array(line, { minLength: 60, maxLength: 120 }), fc.array(edit, { maxLength: 6 }), (lines, edits) => {
      const after = [...lines];
      for (const { at, remove, add } of edits) after.splice(at % after.length, remove, ...add);
      const [old, changed] = [lines.join('\n'), after.join('\n')];
      const diff = diffText(old, changed);
      if (diff === undefined) return;
      told++;
      expect(patch(old, diff)).toBe(changed);
      expect(diff.split('\n')[1]).toBe(`+++ ${sha256(changed)}`);
      expect(diff.length).toBeLessThanOrEqual(changed.length);
    }),
    { numRuns: 300 },
  );
  expect(told).toBeGreaterThan(20);
});
