import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Place, Slots } from './slots.ts';

// One org with much to do, or whose runs never end, costs the others no more than their turn.

/** Runs that begin when they get a place and end when told to. */
class Runs {
  readonly slots: Slots;
  readonly begun: string[] = [];
  readonly places = new Map<string, Place>();
  constructor(free: number) {
    this.slots = new Slots(free);
  }
  want(name: string, org: string | null): void {
    void this.slots.take(org).then((place) => {
      this.begun.push(name);
      this.places.set(name, place);
    });
  }
  async settle(): Promise<void> {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  }
}

test('whoever has much to do waits for those who have little', async () => {
  const runs = new Runs(1);
  for (let i = 0; i < 5; i++) runs.want(`noisy ${i}`, 'noisy');
  runs.want('quiet 0', 'quiet');
  runs.want('own 0', null);
  await runs.settle();
  for (let i = 0; i < 7; i++) {
    runs.places.get(runs.begun.at(-1)!)!.end();
    await runs.settle();
  }
  expect(runs.begun.slice(0, 4)).toEqual(['noisy 0', 'noisy 1', 'quiet 0', 'own 0']);
  expect(runs.begun).toHaveLength(7);
});

test('orgs that hang, however many, keep nobody from running once their places are given', async () => {
  const runs = new Runs(4);
  for (let i = 0; i < 10; i++) for (let sync = 0; sync < 3; sync++) runs.want(`hanging ${i} ${sync}`, `hanging ${i}`);
  runs.want('quiet', 'quiet');
  await runs.settle();
  for (let i = 0; i < 20; i++) {
    for (const [name, place] of runs.places) if (name.startsWith('hanging')) place.give();
    await runs.settle();
  }
  expect(runs.begun).toContain('quiet');
  // Two of each hang; a third would only wait for the same.
  expect(runs.begun.filter((name) => name.startsWith('hanging'))).toHaveLength(20);
});

test('whatever is taken, given and ended: never more at once than there are places, two of an org at most, and nobody is forgotten', () =>
  fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.record({ org: fc.constantFrom('a', 'b', 'c', null), gives: fc.boolean(), endsFirst: fc.nat() }), {
        maxLength: 25,
      }),
      async (free, wanted) => {
        const runs = new Runs(free);
        const holding = new Set<string>();
        const underWay = new Map<string, string | null>();
        let seen = 0;
        const look = async () => {
          await runs.settle();
          for (; seen < runs.begun.length; seen++) {
            const name = runs.begun[seen]!;
            holding.add(name);
            underWay.set(name, wanted[Number(name)]!.org);
            if (wanted[Number(name)]!.gives) {
              runs.places.get(name)!.give();
              holding.delete(name);
              await runs.settle();
            }
          }
          if (seen < runs.begun.length) await look();
          expect(holding.size).toBeLessThanOrEqual(free);
          for (const org of ['a', 'b', 'c'])
            expect([...underWay.values()].filter((each) => each === org).length).toBeLessThanOrEqual(2);
        };
        const end = async (at: number) => {
          const name = [...underWay.keys()][at % underWay.size]!;
          underWay.delete(name);
          holding.delete(name);
          runs.places.get(name)!.end();
          await look();
        };
        for (const [i, { org, endsFirst }] of wanted.entries()) {
          if (endsFirst % 3 === 0 && underWay.size > 0) await end(endsFirst);
          runs.want(String(i), org);
          await look();
        }
        while (underWay.size > 0) await end(0);
        expect(runs.begun).toHaveLength(wanted.length);
      },
    ),
  ));
