import { evidence } from '@tidemark/emulator';
import { expect, test, vi } from 'vitest';
import { DayWorld } from './day-world.ts';

// A day of an org that has few calls: live changes, polls and a refresh fit, live never starves, and the org never has to refuse.
// When somebody else has used them all it does refuse, and then nothing is lost.                                      (P1, P8)

const minute = 60_000;
const hour = 60 * minute;
const allowance = evidence('documented', 'Salesforce Developer Limits and Allocations, API Request Limits');
const contact = { id: 'Id', last: 'LastName', account: 'AccountId' };
const lead = { id: 'Id', last: 'LastName' };

const followed = {
  from: { connection: 'org', object: 'Contact' },
  to: { connection: 'db', table: 'contacts' },
  // Events do not carry what an account is called: a contact that gets another one is read.
  fields: { ...contact, company: 'Account.Name' },
  live: true,
};
const polled = (table: string, every: string) => ({
  from: { connection: 'org', object: 'Lead' },
  to: { connection: 'db', table },
  fields: lead,
  every,
});

test(`100,000 records, 5,000 calls a day: a day of live changes and a refresh fit, and live never starves ${allowance}`, {
  timeout: 240_000,
}, async () => {
  const fill = { Account: 20, Contact: 100_000, Lead: 50 };
  await using world = await DayWorld.open(5000, { fill, changeEvents: ['Contact'] });
  const tables = ['a', 'b', 'c', 'd', 'e', 'f'];
  const engine = await world.start({
    contacts: { ...followed, full: { cron: '0 3 * * *' } },
    // 4,320 polls a day, with which nothing would be left for anything else.
    ...Object.fromEntries(tables.map((table) => [table, polled(table, '2m')])),
  });
  const [accounts, contacts, leads] = [world.ids('Account'), world.ids('Contact'), world.ids('Lead')];
  await world.passUntil(() => engine.liveStatus()[0]?.state === 'live');
  expect(world.runs).toContainEqual(
    expect.objectContaining({
      sync: 'contacts',
      kind: 'full',
      state: 'succeeded',
      counts: expect.objectContaining({ read: 100_000 }),
    }),
  );

  for (let at = 0; at < 24 * 30; at++) {
    await world.pass(2 * minute);
    if (at % 2 === 0) {
      const id = contacts[(at * 7919) % contacts.length]!;
      const account = accounts[at % accounts.length]!;
      world.update('Contact', id, { AccountId: account, LastName: `live ${at}` });
      // No time passes until it is here, whatever else there is to do.
      await vi.waitUntil(() => world.copied('contacts', 'last', id) === `live ${at}`, { timeout: 90_000, interval: 1 });
    }
    if (at % 10 === 0) world.update('Lead', leads[at % leads.length]!, { LastName: `poll ${at}` });
  }
  await world.passUntil(() => tables.every((table) => world.differences('Lead', table, lead) === 0), minute);
  expect(world.differences('Contact', 'contacts', contact)).toBe(0);

  const refreshed = world.runs.filter(({ sync, kind }) => sync === 'contacts' && kind === 'full')[1];
  expect(refreshed).toMatchObject({ state: 'succeeded' });
  expect(refreshed!.counts.read).toBeGreaterThanOrEqual(100_000);
  expect(world.runs.filter(({ state }) => state !== 'succeeded')).toEqual([]);
  expect(world.refused).toBe(0);
  expect(world.usedMost).toBeLessThanOrEqual(2500);
  const [budget] = await engine.budgets();
  expect(budget).toMatchObject({ connection: 'org', share: 2500, reserve: 500, waiting: [] });
  expect(budget!.byPriority.live).toBeGreaterThanOrEqual(360);
  expect(budget!.byPriority.refresh).toBeGreaterThan(0);
  // Nobody else was there: the org has counted what we have, but for the quarter of an hour that ours count longer: the first
  // one, with the first loads of all tables.
  expect(budget!.ours).toBeGreaterThanOrEqual(world.used());
  expect(budget!.ours - world.used()).toBeLessThan(200);
});

test(`another program uses everything up: the org refuses, nothing is lost, and all goes on when there are calls again ${allowance}`, async () => {
  await using world = await DayWorld.open(1000, { fill: { Account: 5, Contact: 200, Lead: 20 }, changeEvents: ['Contact'] });
  const engine = await world.start({ contacts: followed, leads: polled('leads', '10m') });
  const [accounts, contacts, leads] = [world.ids('Account'), world.ids('Contact'), world.ids('Lead')];
  await world.passUntil(() => engine.liveStatus()[0]?.state === 'live' && world.runs.some(({ sync }) => sync === 'leads'));
  expect(world.refused).toBe(0);
  world.emulator.limits.DailyApiRequests.add(1000);
  for (let at = 0; at < 23 * 4; at++) {
    world.update('Contact', contacts[at % contacts.length]!, {
      AccountId: accounts[at % accounts.length]!,
      LastName: `owed ${at}`,
    });
    world.update('Lead', leads[at % leads.length]!, { LastName: `owed ${at}` });
    await world.pass(15 * minute);
  }
  expect(world.differences('Contact', 'contacts', contact)).toBeGreaterThan(0);
  expect(world.differences('Lead', 'leads', lead)).toBeGreaterThan(0);
  // One call now and then finds out whether there are any again.
  expect(world.refused).toBeGreaterThan(0);
  expect(world.refused).toBeLessThanOrEqual(23 * 4 + 4);
  await world.pass(2 * minute);
  const [status] = await engine.status('leads');
  expect(status!.waiting).toMatchObject({ connection: 'org', priority: 'delta', reason: expect.stringContaining('1,000') });
  expect((await engine.budgets())[0]!.waiting.map(({ priority }) => priority)).toContain('delta');

  await world.pass(2 * hour);
  const isWhole = () => world.differences('Contact', 'contacts', contact) + world.differences('Lead', 'leads', lead) === 0;
  await world.passUntil(isWhole, minute);
  await world.passUntil(() => engine.liveStatus()[0]?.state === 'live', minute);
  await world.pass(minute);
  expect((await engine.status('leads'))[0]!.waiting).toBeNull();
});
