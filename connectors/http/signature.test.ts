import fc from 'fast-check';
import { expect, test } from 'vitest';
import { idempotencyKey } from './signature.ts';

const part = fc.record({
  key: fc.constantFrom('a', 'b', 'a"', '["a"]'),
  op: fc.constantFrom('upsert', 'delete'),
  stampMs: fc.constantFrom(0, 1000),
  content: fc.constantFrom('', '{}', 'x', '"x"'),
});
const whole = fc.record({ unit: fc.constantFrom('s', 's"'), parts: fc.array(part, { maxLength: 3 }) });

// A receiver drops what it knows: two different requests under one key are a lost one.                                 (P1)
test('an Idempotency-Key stands for one content alone', () =>
  fc.assert(
    fc.property(whole, whole, (a, b) => {
      const same = JSON.stringify(a) === JSON.stringify(b);
      expect(idempotencyKey(a.unit, a.parts) === idempotencyKey(b.unit, b.parts)).toBe(same);
    }),
    { numRuns: 5000 },
  ));
