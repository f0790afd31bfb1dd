import { OwnershipLostError } from '@tidemark/core';
import { expect, test, vi } from 'vitest';
import { LiveWorld } from './live-world.ts';

// A stream has one owner, whatever is started twice by mistake.                                                              (P11)
test.each(['sqlite', 'postgres'])(
  'a second process takes the stream over, the first one says so and leaves it, and goes on when the second has ended: %s',
  async (target) => {
    await using world = await LiveWorld.open(target);
    const kent = world.insert('Contact', { LastName: 'Kent' });
    const first = await world.start();
    await world.live(first);
    await world.equal();
    const second = await world.start();
    await world.live(second);
    for (const LastName of ['El', 'Superman', 'Kal']) {
      world.org.write((t) => t.update('Contact', kent, { LastName }));
      await world.equal();
    }
    await vi.waitUntil(() => first.engine.liveStatus()[0]!.state === 'stopped', { timeout: 90_000, interval: 20 });
    expect(first.engine.liveStatus()[0]!.reason).toMatch(/taken over|another process|epoch/i);
    // Its first event has made it read once more, perhaps.
    await world.live(second);
    expect(world.warnings).toContainEqual(expect.objectContaining({ err: expect.any(OwnershipLostError) }));
    await second.stop();
    await world.live(first);
    world.org.write((t) => t.update('Contact', kent, { LastName: 'Kent' }));
    await world.equal();
    await first.stop();
  },
);
