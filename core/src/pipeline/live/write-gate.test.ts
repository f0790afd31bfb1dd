import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WriteGate } from './write-gate.ts';

test('P3: a key written after a point counts as touched, and one that was not does not while keys are few', () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.nat(20), { maxLength: 5 }), { maxLength: 20 }), fc.nat(20), (writes, point) => {
      const gate = new WriteGate('a');
      gate.touch(keysOf(['0']));
      const begun = gate.sequence;
      using _watch = gate.watch();
      for (const keys of writes) gate.touch(keysOf(keys.map(String)));
      for (let key = 0; key <= 20; key++) {
        expect(gate.touchedSince(begun + point, String(key))).toBe(writes.slice(point).some((keys) => keys.includes(key)));
      }
    }),
  );
});

test('P3: of what lies too far back to be remembered, every record counts as touched', () => {
  const gate = new WriteGate('a');
  using _watch = gate.watch();
  const many = (name: string) => Array.from({ length: 50_000 }, (_, i) => `${name}${i}`);
  gate.touch(keysOf(['first']));
  gate.touch(keysOf(many('k')));
  expect([0, 1, 2].map((point) => gate.touchedSince(point, 'first'))).toEqual([true, false, false]);
  gate.touch(keysOf(many('l')));
  expect(gate.touchedSince(1, 'never')).toBe(true);
  expect(gate.touchedSince(2, 'never')).toBe(false);
  expect(gate.touchedSince(2, 'l0')).toBe(true);
  expect(gate.touchedSince(2, 'k0')).toBe(false);
});

test('P3: what was written while nobody watched is no news to who watches now, and every record is to who asks about before', () => {
  const gate = new WriteGate('a');
  const before = gate.sequence;
  gate.touch(keysOf(['a']));
  const first = gate.watch();
  const begun = gate.sequence;
  const second = gate.watch();
  gate.touch(keysOf(['b']));
  first[Symbol.dispose]();
  gate.touch(keysOf(['c']));
  expect(['a', 'b', 'c', 'd'].map((key) => gate.touchedSince(begun, key))).toEqual([false, true, true, false]);
  expect(gate.touchedSince(before, 'd')).toBe(true);
  second[Symbol.dispose]();
  gate.touch(keysOf(['d']));
  using _third = gate.watch();
  expect(gate.touchedSince(gate.sequence, 'd')).toBe(false);
  expect(gate.touchedSince(begun, 'b')).toBe(true);
});

test('turns are taken one after the other, in the order in which they were asked for, and one that fails ends as well', async () => {
  const gate = new WriteGate('a');
  const told: string[] = [];
  const leave = await gate.enter();
  const failing = gate.exclusive(async () => {
    told.push('a');
    await Promise.resolve();
    told.push('a ends');
    throw new Error('refused');
  });
  const last = gate.exclusive(async () => void told.push('b'));
  const failed = expect(failing).rejects.toThrow('refused');
  told.push('stream ends');
  leave();
  await Promise.all([failed, last]);
  expect(told).toEqual(['stream ends', 'a', 'a ends', 'b']);
  expect(gate.polls).toBe(2);
});

const keysOf = (keys: readonly string[]) => keys.map((key) => ({ key }));
