import type { Clock } from '@tidemark/core';
import { expect, test } from 'vitest';
import { showProgress } from './progress.ts';
import { renderTable, roughly } from './table.ts';
import { painter, processTerminal } from './terminal.ts';

// Long work says how far it is and how long it will take; a log file gets a line now and then and no control characters.

function world() {
  let nowMs = 0;
  let err = '';
  const clock: Clock = { now: () => nowMs, sleep: async () => {} };
  const write = (text: string) => {
    err += text;
  };
  const terminal = { out() {}, err: write, live: false, interactive: false, colourOut: false, colourErr: false };
  return { clock, terminal, advance: (ms: number) => (nowMs += ms), lines: () => err.split('\n').filter(Boolean) };
}

test('off a terminal: a line every five seconds and at each new phase, with rows, rate and time left', () => {
  const { clock, terminal, advance, lines } = world();
  const display = showProgress('contacts', terminal, clock);
  for (let second = 0; second <= 10; second++) {
    display.update({ phase: 'reading', rows: second * 1000, estimate: 20_000 });
    advance(1000);
  }
  display.update({ phase: 'merging', rows: 20_000, estimate: null });
  display.end();
  expect(lines()).toEqual([
    'contacts: reading: 0 of about 20,000 rows',
    'contacts: reading: 5,000 of about 20,000 rows, 1,000 rows/s, 15s left',
    'contacts: reading: 10,000 of about 20,000 rows, 1,000 rows/s, 10s left',
    'contacts: merging: 20,000 rows',
  ]);
});

test('the time in which a source prepares its answer, and rows that an earlier run kept, are no part of the rate', () => {
  const { clock, terminal, advance, lines } = world();
  const display = showProgress('contacts', terminal, clock);
  display.update({ phase: 'reading', rows: 50_000, estimate: 100_000 });
  advance(60_000);
  display.update({ phase: 'reading', rows: 51_000, estimate: 100_000 });
  advance(9_000);
  display.update({ phase: 'reading', rows: 60_000, estimate: 100_000 });
  expect(lines().at(-1)).toBe('contacts: reading: 60,000 of about 100,000 rows, 1,000 rows/s, 40s left');
});

test.each([
  [0, '0ms'],
  [340, '340ms'],
  [1000, '1s'],
  [4_260, '4.2s'],
  [30_539, '30s'],
  [125_000, '2m 5s'],
  [3_600_000, '1h'],
  [273_605_000, '3d 4h'],
])('%i ms are told as %s', (ms, words) => expect(roughly(ms)).toBe(words));

test('quiet, it says nothing but what is logged', () => {
  const { clock, terminal, lines } = world();
  const display = showProgress('contacts', terminal, clock, true);
  display.update({ phase: 'reading', rows: 1, estimate: 2 });
  display.print('logged\n');
  expect(lines()).toEqual(['logged']);
});

test('a table aligns its columns and lets no control character through to the terminal', () => {
  expect(
    renderTable(
      ['key', 'n'],
      [
        ['a\u001b[31m', 5],
        ['bb', 1234],
        ['c', null],
      ],
    ),
  ).toBe('key         n\na [31m      5\nbb      1,234\nc           –\n');
});

test('NO_COLOR and a pipe mean no colours', () => {
  const before = process.stdout.isTTY;
  try {
    process.stdout.isTTY = true;
    expect(processTerminal({}).colourOut).toBe(true);
    expect(processTerminal({ NO_COLOR: '1' }).colourOut).toBe(false);
    expect(processTerminal({ NO_COLOR: '' }).colourOut).toBe(true);
    expect(processTerminal({ TERM: 'dumb' }).colourOut).toBe(false);
    process.stdout.isTTY = false;
    expect(processTerminal({}).colourOut).toBe(false);
  } finally {
    process.stdout.isTTY = before;
  }
  expect(painter(false)('red', 'x')).toBe('x');
  expect(painter(true)('red', 'x')).toBe('\u001b[31mx\u001b[0m');
});
