import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Life, LiveWorld } from './live-world.ts';

// Whatever befalls process, stream and session, in whatever order records are written: at the end the copy is the org (P1 to P6).

type Step =
  | { readonly kind: 'write'; readonly writes: readonly Write[] }
  | { readonly kind: 'kill' | 'stop' | 'breathe' | 'expire' }
  | { readonly kind: 'fault'; readonly fault: string }
  | { readonly kind: 'gap'; readonly at: number };

interface Write {
  readonly op: 'insert' | 'update' | 'delete' | 'undelete';
  readonly at: number;
  readonly field: 'LastName' | 'FirstName' | 'MailingCity' | 'Description';
  readonly value: string | null;
}

const write = fc.record({
  op: fc.constantFrom('insert', 'update', 'update', 'update', 'delete', 'undelete'),
  at: fc.nat(7),
  field: fc.constantFrom('LastName', 'FirstName', 'MailingCity', 'Description'),
  value: fc.option(fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme-ascii' }).map((text) => `v${text.trim()}`)),
}) as fc.Arbitrary<Write>;

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('write'), writes: fc.array(write, { minLength: 1, maxLength: 4 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('kill', 'stop', 'breathe', 'breathe', 'expire') }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('fault'),
      fault: fc.constantFrom(
        'stream-drop',
        'stream-duplicate',
        'stream-error',
        'gap-event',
        'overflow-event',
        'unauthorized',
        'drop',
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('gap'), at: fc.nat(7) }) },
) as fc.Arbitrary<Step>;

test('the copy is the org in the end', () =>
  fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      await using world = await LiveWorld.open();
      const ids = Array.from({ length: 5 }, (_, i) => world.insert('Contact', { LastName: `n${i}` }));
      let life: Life = await world.start();
      for (const each of steps) {
        if (each.kind === 'write') writeAll(world, ids, each.writes);
        else if (each.kind === 'fault') world.emulator.faults.add({ kind: each.fault as 'drop', match: { times: 1 } });
        else if (each.kind === 'gap') world.emulator.events.emitGap('Contact', 'GAP_UPDATE', [ids[each.at % ids.length]!]);
        else if (each.kind === 'breathe') await new Promise((resolve) => setTimeout(resolve, 15));
        else {
          await life[each.kind === 'kill' ? 'kill' : 'stop']();
          if (each.kind === 'expire') {
            writeAll(world, ids, [{ op: 'update', at: 0, field: 'MailingCity', value: 'expired' }]);
            world.org.clock.advance(80 * 3_600_000);
          }
          life = await world.start();
        }
      }
      try {
        await world.live(life);
        await world.equal();
      } finally {
        await life.stop();
      }
    }),
    { numRuns: 12, endOnFailure: true },
  ));

/** One transaction of the org; what cannot be done there is left out. */
function writeAll(world: LiveWorld, ids: string[], writes: readonly Write[]): void {
  const made: string[] = [];
  world.org.write((transaction) => {
    for (const { op, at, field, value } of writes) {
      const id = ids[at % ids.length]!;
      try {
        if (op === 'insert') made.push(transaction.insert('Contact', { LastName: 'new', [field]: value ?? 'x' }).id);
        else if (op === 'update') transaction.update('Contact', id, { [field]: field === 'LastName' ? (value ?? 'x') : value });
        else transaction[op]('Contact', id);
      } catch (error) {
        expect((error as Error).name).toBe('SalesforceError');
      }
    }
  });
  ids.push(...made);
}
