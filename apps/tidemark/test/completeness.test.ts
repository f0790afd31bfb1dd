import type { Transaction } from '@tidemark/emulator';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OrgWorld, type TargetKind } from './org-world.ts';

const which = fc.nat(7);
const text = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.constantFrom('a"b', 'x\ny', 'NULL', '\\.', '', ' '),
);
const action = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('insert' as const), name: text }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('update' as const), which, name: text }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), which }) },
  fc.record({ do: fc.constant('undelete' as const), which }),
  fc.record({ do: fc.constant('purge' as const), which }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant('hold' as const), which, name: text }) },
  fc.record({ do: fc.constant('commit' as const) }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), seconds: fc.constantFrom(0, 1, 30, 90, 700, 2000) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('fault' as const), fault: fc.nat(5) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('run' as const), full: fc.boolean() }) },
);

const data = '/services/data';
const faults = [
  { kind: 'unauthorized', match: { path: data, times: 1 } },
  { kind: 'unavailable', match: { path: data, times: 2 } },
  { kind: 'drop', match: { path: data, after: 1, times: 1 } },
  { kind: 'drop', match: { path: `${data}/v62.0/jobs`, after: 2, times: 1 }, params: { afterBytes: 40 } },
  { kind: 'truncate', match: { pattern: '/results|/composite', times: 1 }, params: { afterBytes: 60 } },
  { kind: 'expired-locator', match: { path: data, times: 1 } },
] as const;

// The whole point: whatever people, transactions and networks do meanwhile, the copy ends equal to the org.
describe.each<TargetKind>(['sqlite', 'postgres'])('into %s', (target) => {
  test('ties, late commits, deletes of all kinds, faults and skewed clocks: verify finds no difference (P1, P3, P4, P12, P13)', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(action, { maxLength: 20 }),
        fc.record({
          bulk: fc.boolean(),
          skewMs: fc.constantFrom(0, -900_000, 900_000),
          deletes: fc.constantFrom('mirror', 'mark'),
        }),
        async (actions, { bulk, skewMs, deletes }) => {
          await using world = await OrgWorld.open({
            target,
            skewMs,
            sync: { deletes },
            from: { bulkAbove: bulk ? 0 : 1000, pageRows: 3 },
          });
          const ids: string[] = [world.insert({ LastName: 'Anchor' })];
          const held: Transaction[] = [];
          const purged = new Set<string>();
          const pick = (n: number) => ids[n % ids.length]!;
          for (const step of actions) {
            try {
              if (step.do === 'insert') ids.push(world.insert({ LastName: step.name || 'x', Department: step.name }));
              else if (step.do === 'update') world.update(pick(step.which), { Department: step.name });
              else if (step.do === 'delete' && step.which % ids.length > 0)
                world.org.write((t) => t.delete('Contact', pick(step.which)));
              else if (step.do === 'undelete') world.org.write((t) => t.undelete('Contact', pick(step.which)));
              else if (step.do === 'purge' && step.which % ids.length > 0) {
                world.org.write((t) => t.purge('Contact', [pick(step.which)]));
                purged.add(pick(step.which));
              } else if (step.do === 'hold') {
                const transaction = world.org.begin();
                held.push(transaction);
                transaction.update('Contact', pick(step.which), { Title: step.name });
                ids.push(transaction.insert('Contact', { LastName: 'Late' }).id);
              } else if (step.do === 'commit') held.shift()?.commit();
            } catch {
              // The org refuses some of this (a record that is gone, say): then nothing happened.
            }
            if (step.do === 'wait') world.org.clock.advance(step.seconds * 1000);
            else if (step.do === 'fault') world.emulator.faults.add(faults[step.fault]!);
            else if (step.do === 'run') {
              const report = await world.run({ full: step.full });
              if (report.state !== 'succeeded') expect(report.error?.code).toBe('sweep_refused');
            }
          }
          for (const transaction of held) {
            try {
              transaction.commit();
            } catch {
              transaction.rollback();
            }
          }
          world.emulator.faults.clear();
          world.org.clock.advance(90_000);
          // A delta brings everything but what was purged without a trace; that takes a full run.
          await world.run();
          const { examples } = await world.verify();
          for (const { key, kind } of examples) expect([purged.has(key), kind]).toEqual([true, 'extra']);
          const report = await world.run({ full: true, sweepMax: 1 });
          expect(report).toMatchObject({ state: 'succeeded', openFailures: 0 });
          expect(await world.verify()).toMatchObject({ differences: 0, failing: 0 });
        },
      ),
      { numRuns: target === 'sqlite' ? 25 : 12 },
    ));
});
