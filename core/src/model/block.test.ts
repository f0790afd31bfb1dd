import { expect, test } from 'vitest';
import { cellText, parseText, type TextColumn, takeRows } from './block.ts';

// A reply's first block begins behind its header: there a cell's offset is greater than the stride.                   (P13)
test('rows taken from a block keep their own cells, wherever in the spans they begin', () => {
  const bytes = Buffer.from('idnameA1B2C3');
  // header (id, name), then rows (A,1) (B,2) (C,3)
  const spans = Int32Array.from([0, 2, 2, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12]);
  const column = (index: number): TextColumn => ({ kind: 'text', bytes, spans, offset: 4 + index * 2, stride: 4 });
  const block = { rowCount: 3, columns: [column(0), column(1)] };
  const taken = takeRows(block, [0, 2]);
  const cells = [0, 1].map((row) => taken.columns.map((each) => cellText(each, row)));
  expect(cells).toEqual([
    ['A', '1'],
    ['C', '3'],
  ]);
});

// One value comes as a JSON number from one interface and as digits from another: were they kept apart, each full run would
// rewrite what a delta has written, and the other way round.                                                            (P8)
test('digits that a double holds are the number, however many zeros stand before or behind them', () => {
  for (const text of ['0.00000012345678', '-0.000000000123456', '123456789012.3456', '1000000000000000000', '0', '-5.5']) {
    expect(parseText(text, { type: 'decimal' })).toBe(Number(text));
  }
  for (const text of ['0.12345678901234567', '12345678901234567.8', '9007199254740993']) {
    expect(parseText(text, { type: 'decimal' })).toBe(text);
  }
});
