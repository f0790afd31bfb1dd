import { expect, test } from 'vitest';
import { ReadAhead } from './read-ahead.ts';

const read = (key: string, stampMs: number) => ({ op: 'upsert', key, row: {}, stampMs }) as const;

test('P3: in doubt is what has the stamp of the last read of its record, and nothing else', () => {
  const ahead = new ReadAhead();
  ahead.note([read('a', 2000), read('b', 2000)]);
  ahead.note([read('a', 3000)]);
  expect([1000, 2000, 3000, 4000, null].filter((stamp) => ahead.isDoubtful('a', stamp))).toEqual([3000]);
  expect(ahead.isDoubtful('b', 2000)).toBe(true);
  expect(ahead.isDoubtful('c', 2000)).toBe(false);
});

test('P9: the records that were read last are remembered, and no more than so many', () => {
  const ahead = new ReadAhead();
  for (let n = 0; n < 100_000; n++) ahead.note([read(`k${n}`, 1000)]);
  const remembered = Array.from({ length: 100_000 }, (_, n) => ahead.isDoubtful(`k${n}`, 1000));
  expect(remembered.slice(-10_000)).not.toContain(false);
  expect(remembered.filter(Boolean).length).toBeLessThanOrEqual(20_000);
});
