import type { Engine } from '@tidemark/core';
import { test, vi } from 'vitest';
import { type Life, LiveWorld } from './live-world.ts';

// Salesforce keeps events for three days, and deleted records for fifteen. A stream that was stopped for longer begins anew, and what
// it cannot hear any more is read: what changed, and after the fifteen days everything. Nobody has to lend a hand.        (P1, P4, P5)

const hour = 3_600_000;

/** Waits until the stream tells so of itself. */
const told = ({ engine }: Life, isSo: (status: ReturnType<Engine['liveStatus']>[number]) => boolean) =>
  vi.waitUntil(() => isSo(engine.liveStatus()[0]!), { timeout: 90_000, interval: 20 });

const cases = (['pubsub', 'cometd'] as const).flatMap((stream) =>
  (['postgres', 'sqlite'] as const).flatMap((target) => [80, 20 * 24].map((hours) => ({ stream, target, hours }))),
);

test.each(cases)(
  'by $stream into $target, stopped for $hours hours: equal again by itself',
  async ({ stream, target, hours }) => {
    await using world = await LiveWorld.open(target);
    const parent = world.insert('Account', { Name: 'Parent' });
    const kept = world.insert('Contact', { LastName: 'Kept', AccountId: parent });
    const gone = world.insert('Contact', { LastName: 'Gone' });
    const back = world.insert('Contact', { LastName: 'Back' });
    const first = await world.start(stream);
    await world.live(first);
    world.org.write((t) => t.update('Contact', kept, { FirstName: 'heard' }));
    await world.equal();
    // A delta may have been quicker; the position of the event is what gets lost.
    await told(first, ({ lastEventMs }) => lastEventMs !== null);
    await first.stop();

    world.org.write((t) => {
      t.update('Contact', kept, { LastName: 'Changed', FirstName: null });
      t.update('Account', parent, { Name: 'Changed' });
    });
    world.org.write((t) => t.delete('Contact', gone));
    world.org.write((t) => t.delete('Contact', back));
    world.org.write((t) => t.undelete('Contact', back));
    world.insert('Contact', { LastName: 'New' });
    world.org.clock.advance(hours * hour);

    const second = await world.start(stream);
    await world.equal();
    // A delta may have been quicker again, and a stream of which nothing is heard is taken for live before it is refused.
    await told(second, ({ healed }) => healed.lost > 0);
    await world.live(second);
    // And from here on the stream brings what changes.
    world.org.write((t) => t.update('Contact', kept, { LastName: 'Heard again' }));
    world.org.write((t) => t.delete('Contact', back));
    await world.equal();
    await second.stop();
  },
);
