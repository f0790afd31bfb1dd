import { expect, test } from 'vitest';
import { createReplayIds, retentionMs } from './replay-ids.ts';

test('a bus that always has something to tell, and never a quiet moment, still says where it stands after the retention', () => {
  let now = 0;
  const ids = createReplayIds(() => now, 1);
  for (; now < retentionMs + 60_000; now += 20_000) ids.next();
  expect(ids.mark()).toBe(ids.last);
  ids.next();
  expect(ids.mark()).toBe(ids.last);
  now += 40_000;
  const mark = ids.mark();
  expect(ids.isMark(mark)).toBe(true);
  now += retentionMs + 1;
  expect(ids.isMark(mark)).toBe(false);
});
