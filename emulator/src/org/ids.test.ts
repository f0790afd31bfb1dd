import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { checksum, makeId, normaliseId } from './ids.ts';

const guide = evidence('documented', 'REST API Developer Guide, ID field type');

test(`the checksum of an id that was seen in the wild ${evidence('recorded', 'reply to a create request')}`, () => {
  expect(normaliseId('001ak00000OQTie')).toBe('001ak00000OQTieAAH');
  expect(normaliseId('003ak00000luKU1')).toBe('003ak00000luKU1AAM');
});

test(`an id is the same in either form, and capitals cannot be lost unnoticed ${guide}`, () =>
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9A-Za-z]{15}$/), (id15) => {
      const id18 = id15 + checksum(id15);
      expect(normaliseId(id15)).toBe(id18);
      expect(normaliseId(id18)).toBe(id18);
      const lower = id15.toLowerCase();
      if (lower !== id15) expect(normaliseId(lower + checksum(id15))).toBeUndefined();
    }),
  ));

test(`ids of one object ascend ${evidence('documented', 'SOQL Reference, ORDER BY: ids sort by their base-62 value')}`, () =>
  fc.assert(
    fc.property(fc.nat(), fc.nat(), (a, b) => {
      fc.pre(a < b);
      expect(makeId('001', 'ak', a) < makeId('001', 'ak', b)).toBe(true);
    }),
  ));
