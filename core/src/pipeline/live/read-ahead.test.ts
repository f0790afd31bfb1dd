import { expect, test } from 'vitest';
import { ReadAhead } from './read-ahead.ts';

const read = (key: string, stampMs: number) => ({ op: 'upsert', key, row: {}, stampMs }) as const;
const none = new Set<string>();

test('P3: in doubt is what has the stamp of the last read of its record, and nothing else', () => {
  const ahead = new ReadAhead();
  ahead.note([read('a', 2000), read('b', 2000)], none);
  ahead.note([read('a', 3000)], none);
  expect([1000, 2000, 3000, 4000, null].filter((stamp) => ahead.isDoubtful('a', stamp))).toEqual([3000]);
  expect(ahead.isDoubtful('b', 2000)).toBe(true);
  expect(ahead.isDoubtful('c', 2000)).toBe(false);
});

test('P8: a record that changes all the time is not read for ever for the sake of the read before; another cause begins anew', () => {
  const ahead = new ReadAhead();
  let reads = 0;
  for (const cause of ['gap', 'another gap']) {
    ahead.note([read('a', 1000)], none);
    for (; ahead.isDoubtful('a', 1000); reads++) ahead.note([read('a', 1000)], new Set(['a']));
    expect(reads, cause).toBeLessThanOrEqual(20);
  }
  expect(reads).toBeGreaterThan(2);
});

test('P9: the records that were read last are remembered, and no more than so many', () => {
  const ahead = new ReadAhead();
  for (let n = 0; n < 100_000; n++) ahead.note([read(`k${n}`, 1000)], none);
  const remembered = Array.from({ length: 100_000 }, (_, n) => ahead.isDoubtful(`k${n}`, 1000));
  expect(remembered.slice(-10_000)).not.toContain(false);
  expect(remembered.filter(Boolean).length).toBeLessThanOrEqual(20_000);
});
