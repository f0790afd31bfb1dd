import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FieldValue, newRow, type Row } from '../../model/value.ts';
import {
  type Base,
  type FieldConflict,
  type FieldRule,
  mergeRecord,
  otherSide,
  type Policy,
  type SideName,
} from './merge-record.ts';

const rule = (name: string, policy: Policy, flows: FieldRule['flows'] = 'both'): FieldRule => ({
  field: { name, type: 'text', nullable: true },
  flows,
  policy,
});
const seen = (row: Row, atMs: number | null = null) => ({ row: Object.assign(newRow(), row), atMs });
const names = { left: 'crm', right: 'app' };
const agreed = (row: Row): Base =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name, { left: value, right: value }]));

describe('one field', () => {
  const latest = rule('f', { kind: 'latest' });
  test('a change of one side goes to the other, whatever the clocks say', () => {
    const merge = mergeRecord(agreed({ f: 'old' }), seen({ f: 'new' }, 1), seen({ f: 'old' }, 2), [latest]);
    expect(merge).toMatchObject({ left: {}, right: { f: 'new' }, conflicts: [] });
    expect(merge.agreed).toMatchObject([{ field: 'f', after: ['right'], base: { left: 'new', right: 'new' } }]);
  });
  test('different fields of both sides go through side by side', () => {
    const rules = [latest, rule('g', { kind: 'manual' })];
    const merge = mergeRecord(agreed({ f: '1', g: '1' }), seen({ f: '2', g: '1' }), seen({ f: '1', g: '2' }), rules);
    expect(merge).toMatchObject({ left: { g: '2' }, right: { f: '2' }, conflicts: [] });
  });
  test('both made the same change: nothing is written, and it is agreed', () => {
    const merge = mergeRecord(agreed({ f: 'old' }), seen({ f: 'new' }), seen({ f: 'new' }), [latest]);
    expect(merge).toMatchObject({
      left: {},
      right: {},
      conflicts: [],
      agreed: [{ after: [], base: { left: 'new', right: 'new' } }],
    });
  });
  test.each<[Policy, number | null, number | null, SideName]>([
    [{ kind: 'wins', side: 'left' }, 1, 2, 'left'],
    [{ kind: 'wins', side: 'right' }, 2, 1, 'right'],
    [{ kind: 'latest' }, 1, 2, 'right'],
    [{ kind: 'latest' }, 2, 1, 'left'],
    [{ kind: 'latest' }, 2, 2, 'left'],
    [{ kind: 'latest' }, null, 2, 'right'],
    [{ kind: 'latest' }, 2, null, 'left'],
  ])(
    'a change of both goes by the rule, and what is overwritten is told: %j at %s and %s',
    (policy, leftAtMs, rightAtMs, winner) => {
      const merge = mergeRecord(agreed({ f: 'o' }), seen({ f: 'l' }, leftAtMs), seen({ f: 'r' }, rightAtMs), [rule('f', policy)]);
      const value = winner === 'left' ? 'l' : 'r';
      expect(merge[otherSide(winner)]).toEqual({ f: value });
      expect(merge[winner]).toEqual({});
      expect(merge.conflicts).toMatchObject([{ state: 'settled', left: 'l', right: 'r', base: 'o', outcome: value }]);
    },
  );
  test('manual: nothing is written and nothing agreed until the two sides are equal again', () => {
    const manual = rule('f', { kind: 'manual' });
    const base = agreed({ f: 'o' });
    const merge = mergeRecord(base, seen({ f: 'l' }), seen({ f: 'r' }), [manual]);
    expect(merge).toMatchObject({ left: {}, right: {}, agreed: [], conflicts: [{ state: 'open' }] });
    expect(mergeRecord(base, seen({ f: 'r' }), seen({ f: 'r' }), [manual])).toMatchObject({
      conflicts: [],
      agreed: [{ after: [] }],
    });
  });
  test('a function decides, and may choose a value of its own; one that throws leaves the conflict open', () => {
    const both = rule('f', { kind: 'decide', decide: ({ left, right }) => `${left}+${right}` });
    const merge = mergeRecord(agreed({ f: 'o' }), seen({ f: 'l' }), seen({ f: 'r' }), [both]);
    expect(merge).toMatchObject({ left: { f: 'l+r' }, right: { f: 'l+r' }, agreed: [{ after: ['left', 'right'] }] });
    const thrower = rule('f', {
      kind: 'decide',
      decide: () => {
        throw new Error('no idea');
      },
    });
    const [open] = mergeRecord({}, seen({ f: 'l' }), seen({ f: 'r' }), [thrower]).conflicts;
    expect([open!.state, open!.why(names)]).toEqual(['open', 'the function that decides failed: no idea']);
  });
  test.each([
    ['nothing', () => undefined, 'it answered nothing (null is what empties a field)'],
    ['a promise', async () => 'late', 'it is asynchronous, and has to answer at once'],
    ['a promise that fails', async () => Promise.reject(new Error('no idea')), 'it is asynchronous, and has to answer at once'],
  ])('a function that answers with %s leaves the conflict open, and both sides as they are', (_, answer, why) => {
    const decide = answer as unknown as () => string;
    const { left, right, agreed, conflicts } = mergeRecord({}, seen({ f: 'l' }), seen({ f: 'r' }), [
      rule('f', { kind: 'decide', decide }),
    ]);
    expect([{ ...left }, { ...right }, agreed]).toEqual([{}, {}, []]);
    expect(conflicts.map((conflict) => [conflict.state, conflict.why(names)])).toEqual([
      ['open', `the function that decides failed: ${why}`],
    ]);
  });
  test('why is said in the names of the systems', () => {
    const told = (policy: Policy, flows?: FieldRule['flows']) =>
      mergeRecord(agreed({ f: 'o' }), seen({ f: 'l' }), seen({ f: 'r' }), [rule('f', policy, flows)]).conflicts.map(({ why }) =>
        why(names),
      );
    expect(told({ kind: 'wins', side: 'left' })).toEqual(['crm wins']);
    expect(told({ kind: 'latest' })).toEqual(['crm is the later one']);
    expect(told({ kind: 'latest' }, 'to-right')).toEqual(['the field flows to app only']);
    expect(told({ kind: 'latest' }, 'to-left')).toEqual(['the field flows to crm only']);
  });
  test('a side that writes a value down in its own way, and may not send it, is put back a few times and then left alone', () => {
    const rules = [rule('f', { kind: 'latest' }, 'to-right')];
    let base = agreed({ f: 'a' });
    let told = 0;
    for (let round = 0; round < 10; round++) {
      const merge = mergeRecord(base, seen({ f: 'a' }), seen({ f: 'A' }), rules);
      told += merge.conflicts.length;
      expect(merge.left).toEqual({});
      if (round < 4) expect(merge.right).toEqual({ f: 'a' });
      else expect(merge.right).toEqual({});
      base = { ...base, ...Object.fromEntries(merge.agreed.map((each) => [each.field, each.base])) };
    }
    expect(told).toBe(5);
    // The next value goes its way again.
    expect(mergeRecord(base, seen({ f: 'b' }), seen({ f: 'A' }), rules).right).toEqual({ f: 'b' });
  });
  test('a field that flows one way is put back where it was changed, and the change is told', () => {
    const oneWay = rule('f', { kind: 'latest' }, 'to-right');
    const merge = mergeRecord(agreed({ f: 'o' }), seen({ f: 'o' }), seen({ f: 'edited' }), [oneWay]);
    expect(merge).toMatchObject({
      left: {},
      right: { f: 'o' },
      conflicts: [{ state: 'settled', right: 'edited', outcome: 'o' }],
    });
  });
});

// Two sides that may write values down in ways of their own, edits on either, and the merge in between (P7).
type Spelling = 'as it is' | 'trims' | 'lower case' | 'pads';
const spell: Record<Spelling, (value: string) => string> = {
  'as it is': (value) => value,
  trims: (value) => value.trim(),
  'lower case': (value) => value.toLowerCase(),
  pads: (value) => value.padEnd(4),
};
const spellings = fc.constantFrom<Spelling>('as it is', 'trims', 'lower case', 'pads');
const edit = fc.record({
  side: fc.constantFrom<SideName>('left', 'right'),
  field: fc.constantFrom('f', 'g'),
  value: fc.constantFrom<FieldValue>('a', 'A ', 'bb', ' B', null),
  /** Whether the merge comes before the next edit. */
  merged: fc.boolean(),
});
const policies = fc.constantFrom<Policy>({ kind: 'wins', side: 'left' }, { kind: 'wins', side: 'right' }, { kind: 'latest' });

interface World {
  readonly rows: Record<SideName, Row>;
  readonly atMs: Record<SideName, number>;
  base: Base;
  readonly conflicts: FieldConflict[];
}

/** @returns how many fields were written */
function mergeOnce(world: World, rules: readonly FieldRule[], turns: Record<SideName, (value: string) => string>): number {
  const { rows, atMs } = world;
  const merge = mergeRecord(world.base, seen(rows.left, atMs.left), seen(rows.right, atMs.right), rules);
  let written = 0;
  for (const side of ['left', 'right'] as const) {
    for (const [field, value] of Object.entries(merge[side])) {
      rows[side][field] = typeof value === 'string' ? turns[side](value) : value;
      written++;
    }
  }
  world.base = { ...world.base, ...Object.fromEntries(merge.agreed.map(({ field, base }) => [field, base])) };
  world.conflicts.push(...merge.conflicts);
  return written;
}

test('whatever is edited where, and however each side spells values: it becomes silent, and equal but for what is told', () => {
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 12 }), policies, spellings, spellings, (edits, policy, left, right) => {
      const rules = [rule('f', policy), rule('g', policy)];
      const turns = { left: spell[left], right: spell[right] };
      const world: World = { rows: { left: newRow(), right: newRow() }, atMs: { left: 0, right: 0 }, base: {}, conflicts: [] };
      edits.forEach(({ side, field, value, merged }, i) => {
        world.rows[side][field] = typeof value === 'string' ? turns[side](value) : value;
        world.atMs[side] = i + 1;
        if (merged) mergeOnce(world, rules, turns);
      });
      let rounds = 0;
      while (mergeOnce(world, rules, turns) > 0) expect(++rounds).toBeLessThan(12);
      for (const { field } of rules) {
        const [l, r] = [world.rows.left[field.name] ?? null, world.rows.right[field.name] ?? null];
        const told = world.conflicts.some(
          (conflict) => conflict.field === field.name && conflict.why(names).includes('each holds its own'),
        );
        if (l !== r) expect({ l, r, told }).toMatchObject({ told: true });
      }
      if (left === 'as it is' && right === 'as it is')
        expect(world.conflicts.filter(({ why }) => why(names).includes('its own'))).toEqual([]);
    }),
    { numRuns: 2000 },
  );
});

const values = fc.constantFrom<FieldValue>('a', 'b', 'c', null);
const fields = fc.record({ f: values, g: values, h: values });

test("of every field: one side's change stands on both, an overwritten value is named, what nobody touched stays (P7)", () => {
  fc.assert(
    fc.property(fields, fields, fields, policies, (before, left, right, policy) => {
      const rules = Object.keys(before).map((name) => rule(name, policy));
      const merge = mergeRecord(agreed(before), seen(left, 1), seen(right, 2), rules);
      const after = { left: { ...left, ...merge.left }, right: { ...right, ...merge.right } };
      for (const name of ['f', 'g', 'h'] as const) {
        expect(after.left[name]).toBe(after.right[name]);
        const changed = { left: left[name] !== before[name], right: right[name] !== before[name] };
        const named = merge.conflicts.find(({ field }) => field === name);
        if (changed.left && changed.right && left[name] !== right[name]) {
          expect(named).toMatchObject({ left: left[name], right: right[name], outcome: after.left[name] });
        } else {
          expect(named).toBeUndefined();
          expect(after.left[name]).toBe(changed.left ? left[name] : right[name]);
        }
      }
    }),
  );
});
