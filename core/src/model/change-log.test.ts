import { expect, test } from 'vitest';
import { type LogEntry, touchedRecords, withLogFacts } from './change-log.ts';

// A log is read by record: what one update told is told of all of them together, and what one of them left open stays open.  (P7)

const entry = (key: string, over: Partial<LogEntry<string>> = {}): LogEntry<string> => ({
  op: 'U',
  key,
  changed: ['a'],
  writer: null,
  atMs: 1,
  ...over,
});
const touched = (...entries: LogEntry<string>[]) =>
  touchedRecords(entries, (key) => key).map(({ key, changed, writers, atMs }) => [
    key,
    changed && [...changed],
    writers && [...writers],
    atMs,
  ]);

test('columns of several updates are told together, in the order of the last writes', () => {
  expect(touched(entry('x'), entry('y'), entry('x', { changed: ['b', 'a'], atMs: 7 }))).toEqual([
    ['y', ['a'], null, 1],
    ['x', ['a', 'b'], null, 7],
  ]);
});

test('a record that came or went, or of which one update told nothing, may have changed anywhere', () => {
  for (const open of [entry('x', { op: 'I' }), entry('x', { op: 'D' }), entry('x', { changed: null })]) {
    expect(touched(entry('x'), open)).toEqual([['x', null, null, 1]]);
    expect(touched(open, entry('x'))).toEqual([['x', null, null, 1]]);
  }
});

test('a record is ours while nobody else has written it', () => {
  const ours = entry('x', { writer: 'one,two' });
  expect(touched(ours, entry('x', { writer: 'three' }))).toEqual([['x', ['a'], ['one', 'two', 'three'], 1]]);
  expect(touched(ours, entry('x'))).toEqual([['x', ['a'], null, 1]]);
  expect(touched(entry('x'), ours)).toEqual([['x', ['a'], null, 1]]);
});

test('a delete carries no columns', () => {
  const [fact] = touchedRecords([entry('x', { writer: 'one' })], (key) => key);
  const gone = { op: 'delete', key: 'x', row: null, stampMs: 0 } as const;
  expect(withLogFacts(gone, fact!)).toEqual({ ...gone, changedAtMs: 1, writers: ['one'] });
  const here = { op: 'upsert', key: 'x', row: {}, stampMs: 0 } as const;
  expect(withLogFacts(here, fact!)).toEqual({ ...here, changed: ['a'], changedAtMs: 1, writers: ['one'] });
});
