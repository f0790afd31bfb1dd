import { InfiniteQueryObserver, QueryClient } from '@tanstack/react-query';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { refreshList } from '../src/api/refresh-list.ts';

// A list of which somebody has scrolled through many pages is brought up to date while it changes all the time, and asked for no more
// often than the server lets anybody ask.

const PAGES = 5;
const ANSWER_MS = 600;
/** As often as the server tells of changes. */
const TELL_MS = 2_000;

let client: QueryClient;
let version = 0;
let asked = 0;
let leave: () => void;
let shown: () => readonly number[];

beforeEach(async () => {
  vi.useFakeTimers();
  client = new QueryClient();
  const observer = new InfiniteQueryObserver(client, {
    queryKey: ['failures', null],
    initialPageParam: 0,
    queryFn: async () => {
      asked += 1;
      const answer = version;
      await new Promise((resolve) => setTimeout(resolve, ANSWER_MS));
      return answer;
    },
    getNextPageParam: (_last, pages) => pages.length,
  });
  shown = () => observer.getCurrentResult().data?.pages ?? [];
  leave = observer.subscribe(() => {});
  await vi.advanceTimersByTimeAsync(ANSWER_MS);
  for (let page = 1; page < PAGES; page++) {
    void observer.fetchNextPage();
    await vi.advanceTimersByTimeAsync(ANSWER_MS);
  }
  expect(shown()).toEqual(Array.from({ length: PAGES }, () => 0));
  asked = 0;
});

afterEach(async () => {
  await vi.runAllTimersAsync();
  leave();
  client.clear();
  vi.useRealTimers();
  version = 0;
});

test('whatever is told of while pages come, all of them come, and at most one a second', async () => {
  for (let ms = 0; ms < 60_000; ms += TELL_MS) {
    version += 1;
    void refreshList(client, 'failures');
    await vi.advanceTimersByTimeAsync(TELL_MS);
  }
  expect(Math.min(...shown())).toBeGreaterThan(version / 2);
  expect(asked).toBeLessThanOrEqual(60);
});

test('the last that is told of is seen, though nothing is told of after it', async () => {
  void refreshList(client, 'failures');
  await vi.advanceTimersByTimeAsync(ANSWER_MS * 2);
  version = 7;
  void refreshList(client, 'failures');
  await vi.runAllTimersAsync();
  expect(shown()).toEqual(Array.from({ length: PAGES }, () => 7));
});
