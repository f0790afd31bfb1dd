import { expect, test } from 'vitest';
import { cellText, type TextColumn, takeRows } from './block.ts';

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
