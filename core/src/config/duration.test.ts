import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatDuration, parseDuration } from './duration.ts';

test.each([
  ['10s', 10_000],
  ['1h30m', 5_400_000],
  ['250ms', 250],
  ['1.5s', 1500],
  ['2w', 1_209_600_000],
  ['P1D', 86_400_000],
  ['-P1D', -86_400_000],
  ['PT90S', 90_000],
  ['P1DT12H', 129_600_000],
  ['P1Y', 31_536_000_000],
])('%s is %d ms', (text, ms) => expect(parseDuration(text)).toBe(ms));

test.each(['', '10', 's', '10 s', '1h 30m', '-10s', 'P', 'PT', 'P1', '1D', 'P1H', '1e3s', '99999999999999999999d'])(
  '%j is none',
  (text) => expect(parseDuration(text)).toBeNull(),
);

test('what is shown reads back as the same', () =>
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 40 }), (ms) => {
      expect(parseDuration(formatDuration(ms))).toBe(ms);
    }),
  ));
