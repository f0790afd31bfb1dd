import { beforeEach, expect, test } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import type { StreamEvent } from '../../model/stream.ts';
import { openStore } from '../../store/open-store.ts';
import type { Store } from '../../store/store.ts';
import { Journal, trimJournals } from './journal.ts';

// Events are kept as they came, whatever can be read of them; what may be missing among them is known; what is old goes (P1, P9).

const day = 86_400_000;
const stream = 'live:crm:app';
const signal = new AbortController().signal;
const log = { debug() {}, info() {}, warn() {}, error() {} };
let store: Store;
let nowMs: number;
const clock: Clock = { now: () => nowMs, sleep: () => Promise.reject(new Error('nothing is waited for')) };

beforeEach(async () => {
  store = await openStore(':memory:');
  nowMs = 1_700_000_000_000;
});

const journal = (retention: Record<string, number> = { Contact: 7 * day }) =>
  new Journal({ store: store.journal, stream, retention: new Map(Object.entries(retention)), clock, log });

const event = (n: number, more: Partial<StreamEvent> = {}): StreamEvent => ({
  position: `pubsub:${n}`,
  dataset: 'Contact',
  op: 'update',
  keys: [`k${n}`],
  row: {},
  untold: [],
  transaction: `t${n}`,
  committedAtMs: nowMs,
  stampMs: null,
  writer: '',
  raw: { replayId: `${n}`, id: `e${n}`, schemaId: 's', format: 'avro', payload: Uint8Array.of(n) },
  ...more,
});

const kept = async () =>
  (await store.journal.read({ stream, dataset: 'Contact', afterSeq: 0, limit: 10_000 })).map(({ id }) => id);

test('keeps what it was asked to keep, with what it takes to read it, asked for once a connection', async () => {
  const asked: string[] = [];
  const keepSchema = async (id: string, dataset: string) => {
    asked.push(`${id} of ${dataset}`);
    return `schema ${asked.length}`;
  };
  const one = journal();
  await one.keep({ keepSchema }, [event(1), event(2, { dataset: 'Account' }), event(3)], signal);
  await one.keep({ keepSchema }, [event(3), event(4)], signal);
  expect(await kept()).toEqual(['e1', 'e3', 'e4']);
  expect(asked).toEqual(['s of Contact']);
  await journal().keep({ keepSchema }, [event(5)], signal);
  expect([...(await store.journal.schemas(stream))]).toEqual([['s', 'schema 2']]);
});

test('an event whose schema cannot be asked for is kept all the same, and the schema is asked for again', async () => {
  const one = journal();
  await one.keep({ keepSchema: () => Promise.reject(new Error('not now')) }, [event(1)], signal);
  expect(await kept()).toEqual(['e1']);
  await one.keep({ keepSchema: async () => 'known' }, [event(2)], signal);
  expect((await store.journal.schemas(stream)).get('s')).toBe('known');
});

test('an event of which nothing could be read is kept as it came', async () => {
  await journal().keep({}, [event(1, { op: 'overflow', keys: [], row: null, committedAtMs: Number.NaN })], signal);
  const [only] = await store.journal.read({ stream, dataset: 'Contact', afterSeq: 0, limit: 10 });
  expect(only).toMatchObject({ id: 'e1', committedAtMs: 0, payload: Uint8Array.of(1) });
});

test('a stretch goes on while the position that is kept names it, and a new one begins after anything else', async () => {
  const heads = async () => (await store.journal.heads()).map(({ stretch, sinceSeq }) => ({ stretch, sinceSeq }));
  const first = await journal().begin(undefined, false);
  await journal().keep({}, [event(1)], signal);
  // The next connection goes on from a position that was kept with it.
  expect(await journal().begin(first, true)).toEqual(first);
  expect(await heads()).toEqual([{ stretch: first.Contact, sinceSeq: 1 }]);
  const begun = [first.Contact!];
  // The position was lost; or the stream was followed for a while without a journal; or another store was in use then.
  for (const [names, goesOn] of [
    [first, false],
    [undefined, true],
    [{ Contact: 'of another store' }, true],
  ] as const) {
    nowMs += 1000;
    const next = await journal().begin(names, goesOn);
    expect(begun).not.toContain(next.Contact);
    begun.push(next.Contact!);
    expect(await heads()).toEqual([{ stretch: next.Contact, sinceSeq: 2 }]);
  }
});

test('a dataset that joins has a stretch of its own, and a changed retention breaks none', async () => {
  const first = await journal().begin(undefined, false);
  await journal().keep({}, [event(1)], signal);
  const both = await journal({ Contact: day, Account: day }).begin(first, true);
  expect(both.Contact).toBe(first.Contact);
  expect(await store.journal.heads()).toMatchObject([
    { dataset: 'Account', sinceSeq: 2, retentionMs: day },
    { dataset: 'Contact', sinceSeq: 1, retentionMs: day },
  ]);
});

test('what was received longer ago than it is to be kept goes, thousands of them in small steps, and nothing else', async () => {
  const one = journal({ Contact: 7 * day, Account: day });
  await one.begin(undefined, false);
  const many = (from: number, dataset: string) => Array.from({ length: 2500 }, (_, i) => event(from + i, { dataset }));
  await one.keep({}, [...many(0, 'Contact'), ...many(10_000, 'Account')], signal);
  nowMs += 6 * day;
  await one.keep({}, [event(90_000)], signal);
  const removed: number[] = [];
  const trim: Store['journal']['trim'] = async (filter) => {
    removed.push(await store.journal.trim(filter));
    return removed.at(-1)!;
  };
  const trimOnce = () => {
    const stop = new AbortController();
    const sleep = async () => stop.abort();
    return trimJournals({ store: { ...store.journal, trim }, clock: { ...clock, sleep }, log, stop: stop.signal });
  };
  await trimOnce();
  expect(removed.filter((count) => count > 0)).toEqual([1000, 1000, 500]);
  expect(await kept()).toHaveLength(2501);
  nowMs += day + 1;
  await trimOnce();
  expect(await kept()).toEqual(['e90000']);
});
