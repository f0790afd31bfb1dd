import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Peer } from '../../store/workers.ts';
import { sharesOf } from './shares.ts';
import type { Unit } from './units.ts';

// Everybody reckons for himself, and together nothing is left over and nobody is asked for what another one may not do.        (P11)

const unit = (name: string): Unit => ({ name, group: name, version: 'v', hash: '', syncs: [], pairing: null });
const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

/** Workers of several versions of the configuration, each knowing some units. */
const fleets = fc.array(
  fc.record({
    configured: fc.dictionary(fc.constantFrom(...names), fc.constantFrom('1', '2'), { noNullPrototype: true }),
    configuredAtMs: fc.nat(5),
  }),
  { minLength: 1, maxLength: 6 },
);

const shares = (fleet: readonly Peer[]) =>
  fleet.map(({ configured }) => sharesOf(configured, Object.keys(configured).map(unit), fleet));

test('whatever workers are configured with, their shares are enough for all units, and nobody who may do one counts less than he can take', () =>
  fc.assert(
    fc.property(fleets, (told) => {
      const fleet = told.map((peer, i): Peer => ({ ...peer, id: `w${i}`, isLate: false }));
      const each = shares(fleet);
      const known = new Set(fleet.flatMap(({ configured }) => Object.keys(configured)));
      for (const name of known) {
        // Whatever else they own: those who may do it have room for it, and for all that the same ones may do.
        const of = each.flat().filter(({ units }) => units.some((one) => one.name === name));
        expect(of.length).toBeGreaterThan(0);
        expect(of.reduce((sum, { max }) => sum + max, 0)).toBeGreaterThanOrEqual(of[0]!.units.length);
      }
      for (const { units, max } of each.flat()) expect(max).toBeLessThanOrEqual(units.length);
    }),
  ));

test('who is configured alike gets alike, to within one', () =>
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 9 }), (units, workers) => {
      const configured = Object.fromEntries(Array.from({ length: units }, (_, i) => [`u${i}`, '1']));
      const fleet = Array.from(
        { length: workers },
        (_, i): Peer => ({ id: `w${i}`, configured, configuredAtMs: 0, isLate: false }),
      );
      for (const own of shares(fleet)) expect(own.map(({ max }) => max)).toEqual([Math.ceil(units / workers)]);
    }),
  ));

test('a unit that is configured anew belongs to those who have it so; what nobody changed is shared by all', () => {
  const old: Peer = { id: 'old', configured: { changed: '1', same: '1', dropped: '1' }, configuredAtMs: 1, isLate: false };
  const fresh: Peer = { id: 'new', configured: { changed: '2', same: '1', added: '1' }, configuredAtMs: 2, isLate: false };
  const names = (of: Peer, fleet: readonly Peer[]) =>
    sharesOf(of.configured, Object.keys(of.configured).map(unit), fleet)
      .flatMap(({ units }) => units)
      .map(({ name }) => name)
      .toSorted();
  expect(names(old, [old, fresh])).toEqual(['dropped', 'same']);
  expect(names(fresh, [old, fresh])).toEqual(['added', 'changed', 'same']);
  // Once no newer one lives, the older ones do it again.
  expect(names(old, [old])).toEqual(['changed', 'dropped', 'same']);
});
