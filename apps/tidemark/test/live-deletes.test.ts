import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { contactFields, LiveWorld } from './live-world.ts';

const step = fc.record({
  op: fc.constantFrom('update', 'delete', 'undelete', 'undelete', 'merge'),
  at: fc.nat(3),
  other: fc.nat(3),
  /** What passes before it: most of it happens within a second, where stamps tell nothing. */
  ms: fc.constantFrom(0, 0, 0, 400, 1100),
  /** In the transaction of the one before. */
  together: fc.boolean(),
});

test.each(['mark', 'mirror'])(
  'P4: deletes, undeletes and merges in any order leave the records that the org has: deletes: %s',
  async (deletes) => {
    await using world = await LiveWorld.open();
    const life = await world.start('pubsub', { deletes, fields: { ...contactFields } });
    await world.live(life);
    const there = () => {
      const where = deletes === 'mark' ? 'WHERE _tidemark_deleted_at IS NULL' : '';
      return world.database.prepare(`SELECT id, last FROM contacts ${where} ORDER BY id`).all();
    };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), async (steps) => {
        const ids = ['a', 'b', 'c', 'd'].map((LastName) => world.insert('Contact', { LastName }));
        for (let i = 0; i < steps.length; ) {
          world.org.clock.advance(steps[i]!.ms);
          const first = i;
          world.org.write((t) => {
            do {
              const { op, at, other } = steps[i]!;
              try {
                if (op === 'update') t.update('Contact', ids[at]!, { LastName: `${op} ${i}` });
                else if (op !== 'merge') t[op]('Contact', ids[at]!);
                else if (at !== other) t.merge('Contact', ids[at]!, [ids[other]!]);
              } catch (error) {
                expect((error as Error).name).toBe('SalesforceError');
              }
              i++;
            } while (i < steps.length && steps[i]!.together && i - first < 4);
          });
        }
        const truth = world.truth('contacts').map(({ id, last }) => ({ id, last }));
        await vi.waitFor(() => expect(there()).toEqual(truth), { timeout: 90_000, interval: 5 });
      }),
      { numRuns: 40, endOnFailure: true },
    );
    await life.stop();
  },
);
