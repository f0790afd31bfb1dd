import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StreamEvent } from '../../model/stream.ts';
import type { Row } from '../../model/value.ts';
import { KnownRecords, type Share, WHOLE } from './known-records.ts';

// What is known of a record is what it is, as far as anything is known; what may have changed untold counts as unknown (P3).

const fields = ['a', 'b', 'c', 'sum'];
/** Follows from two others, and events tell it at the beginning only. */
const derived = new Map([['sum', ['a', 'b']]]);

type Step =
  | { readonly kind: 'create' | 'delete' | 'undelete' | 'gap'; readonly key: string }
  | {
      readonly kind: 'update';
      readonly key: string;
      readonly values: Readonly<Record<string, number | null>>;
      readonly hides: string[];
    }
  | { readonly kind: 'overflow' };

const key = fc.constantFrom('k1', 'k2', 'k3', 'other');
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('create' as const), key }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('update' as const),
      key,
      values: fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.option(fc.nat(9))),
      hides: fc.subarray(['a', 'b', 'c'], { maxLength: 1 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('delete' as const, 'undelete' as const, 'gap' as const), key }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'overflow' as const }) },
);

/** Records as they truly are, and what is told of them. Gaps and overflows change them behind the events' back. */
function live(steps: readonly Step[]): { truth: Map<string, Row>; events: StreamEvent[] } {
  const truth = new Map<string, Row>([['k1', { a: 1, b: 1, c: 1, sum: 2 }]]);
  const bin = new Map<string, Row>();
  const events: StreamEvent[] = [];
  const tell = (more: Partial<StreamEvent>) => {
    const n = events.length;
    const at = { position: `${n}`, dataset: 'd', transaction: `${n}`, committedAtMs: n * 1000 + 500, writer: '' };
    events.push({ ...at, op: 'gap', keys: [], row: null, untold: [], stampMs: n * 1000, ...more });
  };
  const sum = (row: Row): Row => ({ ...row, sum: Number(row.a ?? 0) + Number(row.b ?? 0) });
  for (const one of steps) {
    if (one.kind === 'overflow') {
      for (const [each, row] of truth) truth.set(each, sum({ ...row, a: Number(row.a ?? 0) + 100 }));
      tell({ op: 'overflow' });
      continue;
    }
    const row = truth.get(one.key);
    const keys = [one.key];
    if (one.kind === 'create' && row === undefined && !bin.has(one.key)) {
      const born = sum({ a: events.length, b: 2, c: null });
      truth.set(one.key, born);
      tell({ op: 'create', keys, row: { ...born } });
    } else if (one.kind === 'undelete' && bin.has(one.key)) {
      truth.set(one.key, bin.get(one.key)!);
      bin.delete(one.key);
      tell({ op: 'undelete', keys, row: { ...truth.get(one.key)! } });
    } else if (row === undefined) continue;
    else if (one.kind === 'delete') {
      truth.delete(one.key);
      bin.set(one.key, row);
      tell({ op: 'delete', keys });
    } else if (one.kind === 'gap') {
      truth.set(one.key, sum({ ...row, b: Number(row.b ?? 0) + 1000 }));
      tell({ op: 'gap', keys });
    } else if (one.kind === 'update') {
      truth.set(one.key, sum({ ...row, ...one.values }));
      const untold = one.hides.filter((name) => name in one.values);
      const told = Object.fromEntries(Object.entries(one.values).filter(([name]) => !untold.includes(name)));
      tell({ op: 'update', keys, row: told, untold });
    }
  }
  return { truth, events };
}

function know(events: readonly StreamEvent[], max?: number): Map<string, ReturnType<KnownRecords['get']>> {
  const found = new Map<string, ReturnType<KnownRecords['get']>>();
  const shares: Share[] = [WHOLE];
  for (let share = shares.pop(); share !== undefined; share = shares.pop()) {
    const records = new KnownRecords(share, { keyField: 'id', derived }, max);
    for (const event of events) records.add(event, true);
    for (const each of records.selected()) {
      expect(found.has(each)).toBe(false);
      found.set(each, records.get(each));
    }
    shares.push(...records.left);
  }
  return found;
}

test('whatever happened, what is known of a record is true; one whose beginning was told is known whole', () =>
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { truth, events } = live(steps);
      for (const [each, record] of know(events)) {
        const row = truth.get(each);
        if (record!.gone) expect(row).toBeUndefined();
        if (row === undefined) {
          expect(record!.gone || record!.torn).toBe(true);
          continue;
        }
        for (const name of fields)
          if (Object.hasOwn(record!.row, name)) expect({ [name]: record!.row[name] }).toEqual({ [name]: row[name] });
        const hidden = events.some(({ keys, untold }) => keys.includes(each) && untold.length > 0);
        if (record!.born && !hidden) expect(Object.keys(record!.row)).toEqual(expect.arrayContaining(['a', 'b', 'c']));
      }
    }),
    { numRuns: 500 },
  ));

test('passes over shares of the records find the same as one that holds them all (P9)', () =>
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 3 }), (steps, max) => {
      const { events } = live(steps);
      const byKey = (found: ReturnType<typeof know>) => [...found].sort(([a], [b]) => (a < b ? -1 : 1));
      expect(byKey(know(events, max))).toEqual(byKey(know(events)));
    }),
    { numRuns: 200 },
  ));

test('a wildcard means every record that begins so', () => {
  const records = new KnownRecords(WHOLE, { keyField: 'id', derived: new Map() });
  const event = (keys: string[], more: Partial<StreamEvent>): StreamEvent => ({
    ...{
      position: '',
      dataset: 'd',
      transaction: '',
      committedAtMs: 0,
      writer: '',
      untold: [],
      row: null,
      stampMs: 5,
      op: 'gap',
    },
    ...more,
    keys,
  });
  for (const each of ['001a', '003a']) records.add(event([each], { op: 'create', row: { a: 1 } }), true);
  expect(records.add(event(['001'], { op: 'wildcard' }), true)).toBe('all');
  expect(records.get('001a')).toMatchObject({ torn: true, row: {} });
  expect(records.get('003a')).toMatchObject({ torn: false, row: { a: 1, id: '003a' } });
});

test('events that come while its records are written make no share of it smaller, and are taken in (P9)', () => {
  const records = new KnownRecords(WHOLE, { keyField: 'id', derived: new Map() }, 3);
  const told = (key: string, a: number): StreamEvent => ({
    ...{ position: '', dataset: 'd', transaction: '', committedAtMs: 0, writer: '', untold: [], stampMs: 5, op: 'update' },
    keys: [key],
    row: { a },
  });
  for (const each of ['k1', 'k2', 'k3']) records.add(told(each, 1), true);
  records.complete();
  for (let i = 0; i < 20; i++) expect(records.add(told(`new${i}`, 2), false)).toEqual([`new${i}`]);
  records.add(told('k2', 3), false);
  expect(records.left).toEqual([]);
  expect([...records.selected()].map((each) => records.get(each)!.row.a)).toEqual([1, 3, 1]);
});
