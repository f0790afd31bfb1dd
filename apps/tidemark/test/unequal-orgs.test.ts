import type { Clock } from '@tidemark/core';
import { systemClock } from '@tidemark/core';
import { expect, test, vi } from 'vitest';
import { contacts, insert, ManyOrgsWorld } from './many-orgs-world.ts';

// One noisy or broken org does not slow the others: more orgs hang than runs may be made at once, another one has always more to do.

/** Twenty times as fast: what takes a quarter of an hour is over in a minute. */
function fast(times: number): Clock {
  const startMs = Date.now();
  return {
    now: () => startMs + (Date.now() - startMs) * times,
    sleep: (ms, signal) => systemClock.sleep(ms / times, signal),
  };
}

const HANGING = 10;

test('001-1 beside orgs that hang and one that never comes to an end, quiet orgs get their changes', async () => {
  const every = '20s';
  const noisy = Object.fromEntries(
    ['Account', 'Lead', 'Case', 'Opportunity', 'Contract'].map((object) => [
      `noisy${object}`,
      {
        ...contacts,
        every,
        from: { connection: 'customers', object },
        to: { connection: 'db', table: `${object}_{org}` },
        fields: { id: 'Id' },
      },
    ]),
  );
  await using world = new ManyOrgsWorld({ contacts: { ...contacts, every }, ...noisy });
  const hanging = new Set<string>();
  for (let i = 0; i < HANGING; i++) {
    const { url } = await world.connect(`hanging-${i}`, ['Adler']);
    hanging.add(new URL(url).host);
  }
  const busy = await world.connect('noisy', ['Berg']);
  const quiet = [await world.connect('quiet-1', ['Codd']), await world.connect('quiet-2', ['Date'])];
  const asked = new Map<string, number>();
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const { host, pathname } = new URL(String(input));
    if (!hanging.has(host) || pathname.includes('oauth2')) return globalThis.fetch(input, init);
    asked.set(host, (asked.get(host) ?? 0) + 1);
    return new Promise((_, reject) => {
      init?.signal?.addEventListener('abort', () => reject(init.signal!.reason), { once: true });
    });
  };
  await using store = await world.openStore();
  await using engine = await world.engine(store, { fetch, clock: fast(20) });
  const stop = new AbortController();
  const end = new AbortController();
  const ended = engine.start({ stop: stop.signal, signal: end.signal });
  const arrived = (org: string, last: string) =>
    vi.waitFor(() => expect(world.rows('select org_id as org, last from contacts')).toContainEqual({ org, last }), {
      timeout: 90_000,
      interval: 100,
    });
  await arrived('quiet-1', 'Codd');
  // All of the others hang by now, or have their turn.
  await vi.waitFor(() => expect(asked.size).toBe(HANGING), { timeout: 90_000, interval: 100 });
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 50; i++) insert(busy, `Busy ${round} ${i}`);
    for (const [i, org] of quiet.entries()) insert(org, `Round ${round} ${i}`);
    await arrived('quiet-1', `Round ${round} 0`);
    await arrived('quiet-2', `Round ${round} 1`);
  }
  await arrived('noisy', 'Busy 2 49');
  end.abort();
  stop.abort();
  await ended.catch(() => {});
});
