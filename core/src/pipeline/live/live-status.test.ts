import { expect, test } from 'vitest';
import type { EventStream, StreamState } from '../../model/stream.ts';
import { LiveProgress } from './live-status.ts';

// What is told of a stream is what is known at the moment of asking, whatever the transport does by itself meanwhile.

const delivery = { events: [], position: 'p', caughtUp: true, reset: false } as const;

/** The source's clock is an hour ahead of ours. */
function followed(options?: { polls: boolean }) {
  const world = { nowMs: 1_000_000, backlog: 0 };
  const aheadMs = 3_600_000;
  const state: { -readonly [Name in keyof StreamState]: StreamState[Name] } = {
    transport: 'pubsub',
    connected: true,
    reconnects: 0,
    lastHeardAtMs: null,
    reason: null,
    nextTryAtMs: null,
  };
  const stream = { state: () => state, nowMs: () => world.nowMs + aheadMs } as Partial<EventStream> as EventStream;
  const clock = { now: () => world.nowMs, sleep: async () => {} };
  const progress = new LiveProgress('live:a:b', ['people', 'places', 'things'], clock, options);
  const follow = () => progress.following(stream, () => world.backlog, null);
  return { world, state, progress, follow, sourceNow: () => world.nowMs + aheadMs };
}

test('nothing counts as connected before the stream has said where it stands', () => {
  const { progress, follow, world } = followed();
  expect(progress.tell()).toMatchObject({ state: 'connecting', connected: false, lagMs: null, transport: null });
  follow();
  world.nowMs += 300_000;
  expect(progress.tell()).toMatchObject({ state: 'connecting', connected: false, transport: 'pubsub' });
  progress.heard(delivery);
  expect(progress.tell()).toMatchObject({ state: 'live', connected: true, sinceMs: world.nowMs, lagMs: 0 });
});

test('a connection that the transport lost by itself is told with its reason and next try, and polled through when it lasts', () => {
  const { progress, follow, world, state } = followed();
  follow();
  progress.heard(delivery);
  progress.tell();
  Object.assign(state, { connected: false, reason: 'no route', nextTryAtMs: world.nowMs + 8000 });
  expect(progress.tell()).toMatchObject({
    state: 'waiting',
    connected: false,
    reason: 'no route',
    nextTryMs: world.nowMs + 8000,
  });
  world.nowMs += 59_999;
  expect(progress.tell()).toMatchObject({ state: 'waiting', lagMs: 59_999, nextTryMs: null });
  world.nowMs += 1;
  expect(progress.tell().state).toBe('polling');
  Object.assign(state, { connected: true, reason: null, nextTryAtMs: null });
  progress.heard({ ...delivery, reset: true });
  expect(progress.tell()).toMatchObject({ state: 'live', reason: null, lagMs: 0, reconnects: 1 });
});

test('what nothing can stand in for waits, however long', () => {
  const { progress, follow, world } = followed({ polls: false });
  follow();
  progress.heard(delivery);
  progress.failed('spent', world.nowMs + 900_000, true);
  world.nowMs += 600_000;
  expect(progress.tell()).toMatchObject({ state: 'waiting', reason: 'spent', nextTryMs: expect.any(Number) });
});

test('lag is by the clock that dates the events, and of a moment no backlog', () => {
  const { progress, follow, world, sourceNow } = followed();
  follow();
  progress.heard(delivery);
  progress.tell();
  world.backlog = 3;
  world.nowMs += 2000;
  expect(progress.tell()).toMatchObject({ state: 'live', lagMs: 2000, waiting: 3 });
  world.nowMs += 20_000;
  expect(progress.tell()).toMatchObject({ state: 'catching up', lagMs: 22_000 });
  progress.wrote(sourceNow() - 500);
  expect(progress.tell()).toMatchObject({ state: 'live', lagMs: 500, lastEventMs: sourceNow() - 500 });
  world.backlog = 0;
  expect(progress.tell().lagMs).toBe(0);
});

test('older events that are still to come are a backlog, though nothing waits here', () => {
  const { progress, world, sourceNow } = followed();
  const stream = { nowMs: sourceNow } as Partial<EventStream> as EventStream;
  progress.following(stream, () => 0, world.nowMs - 3_600_000);
  progress.heard({ ...delivery, caughtUp: false });
  expect(progress.tell()).toMatchObject({ state: 'catching up', lagMs: 3_600_000, positionMs: world.nowMs - 3_600_000 });
  progress.heard(delivery);
  expect(progress.tell()).toMatchObject({ state: 'live', lagMs: 0 });
});

test('a hole is healed once, when the last sync that it concerns has been read again', () => {
  const { progress } = followed();
  progress.hole('lost', ['people', 'places']);
  progress.hole('overflow', ['things']);
  progress.mended('people');
  progress.mended('people');
  expect(progress.tell().healed).toEqual({ lost: 0, gap: 0, overflow: 0 });
  progress.mended('places');
  expect(progress.tell().healed).toEqual({ lost: 1, gap: 0, overflow: 0 });
  progress.mended('things');
  progress.mended('things');
  expect(progress.tell().healed).toEqual({ lost: 1, gap: 0, overflow: 1 });
});

test('who has ended is stopped, with the reason if nobody asked for it', () => {
  const { progress, follow, world } = followed();
  follow();
  progress.heard(delivery);
  world.backlog = 7;
  progress.ended('another process follows it');
  expect(progress.tell()).toMatchObject({
    state: 'stopped',
    connected: false,
    reason: 'another process follows it',
    nextTryMs: null,
    waiting: 0,
  });
});
