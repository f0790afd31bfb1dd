import { evidence } from '@tidemark/emulator';
import { describe, expect, test, vi } from 'vitest';
import { type Life, LiveWorld } from './live-world.ts';

// The deliveries of an org's day are shared by everybody who listens. When they are spent, live syncs go on by polls, and by their
// stream again when some are free (P1, P3, P8).

const minute = 60_000;
const hour = 60 * minute;
const allowed = 20;

async function until(world: LiveWorld, { engine }: Life, state: string): Promise<void> {
  await vi
    .waitUntil(() => engine.liveStatus()[0]!.state === state, { timeout: 90_000, interval: 10 })
    .catch(() => {
      throw new Error(`not ${state}: ${JSON.stringify(engine.liveStatus())} ${JSON.stringify(world.warnings)}`);
    });
}

describe(`deliveries that are spent ${evidence('documented', 'Change Data Capture Developer Guide, "Allocations"; Pub/Sub API guide, subscription.limit.exceeded')}`, () => {
  test.each(['pubsub', 'cometd'])('by %s: polls bring what the stream does not, until it does again', async (stream) => {
    await using world = await LiveWorld.open('sqlite', allowed);
    const contacts = Array.from({ length: 5 }, (_, i) => world.insert('Contact', { LastName: `before ${i}` }));
    const life = await world.start(stream);
    await world.live(life);
    await world.equal();
    for (let i = 0; i < 8; i++) world.insert('Contact', { LastName: `first ${i}` });
    await world.equal();
    // More than is left, and less than a day's.
    for (let i = 0; i < 14; i++) world.insert('Contact', { LastName: `told ${i}` });
    await until(world, life, 'polling');
    await world.equal();
    const spent = life.engine.liveStatus()[0]!;
    expect(spent).toMatchObject({ connected: false, reason: expect.stringMatching(/limit/), transport: stream });
    expect(spent.nextTryMs! - Date.now()).toBeGreaterThan(10 * minute);

    // Of this nobody tells; a minute later it is here all the same.
    world.org.write((t) => t.update('Contact', contacts[0]!, { LastName: 'while polling' }));
    world.org.write((t) => t.delete('Contact', contacts[1]!));
    world.advance(2 * minute);
    await world.equal();
    expect(life.engine.liveStatus()[0]!.state).toBe('polling');
    expect(life.engine.liveStatus()[0]!.lagMs).toBeGreaterThan(minute);

    // Tried again, and refused again.
    const warned = world.warnings.length;
    world.advance(16 * minute);
    await vi.waitUntil(() => world.warnings.length > warned, { timeout: 90_000, interval: 10 });
    await until(world, life, 'polling');

    // What was used is a day ago: the stream comes back, goes on where it was, and what it tells late changes nothing.
    world.advance(25 * hour);
    await world.live(life);
    world.insert('Account', { Name: 'Acme' });
    await world.equal();
    expect(life.engine.liveStatus()[0]).toMatchObject({ state: 'live', reason: null, nextTryMs: null, healed: { lost: 0 } });
    expect(life.engine.liveStatus()[0]!.reconnects).toBeGreaterThan(0);
    await life.stop();
  });

  test('how much is used and left is known from the start, and told when it will not last', async () => {
    await using world = await LiveWorld.open('sqlite', 20);
    const life = await world.start();
    await world.live(life);
    const deliveries = async () => (await life.engine.allowances()).find(({ name }) => name === 'event deliveries');
    await vi.waitFor(async () => expect(await deliveries()).toMatchObject({ connection: 'org', used: 0, max: 20 }), {
      timeout: 5000,
    });
    for (let i = 0; i < 5; i++) world.insert('Contact', { LastName: `told ${i}` });
    await world.equal();
    world.advance(11 * minute);
    await vi.waitFor(async () => expect(await deliveries()).toMatchObject({ used: 5 }), { timeout: 5000, interval: 20 });
    const { perHour, spentAtMs, asOfMs } = (await deliveries())!;
    // 5 in 11 minutes: the other 15 last for 33 more.
    expect(perHour).toBeCloseTo(27.3, 0);
    expect((spentAtMs! - asOfMs) / minute).toBeCloseTo(33, 0);
    await life.stop();
  });
});
