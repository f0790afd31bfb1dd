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

interface Held {
  readonly key: string;
  readonly value: string | null;
}

/** Numbers that were written on one side, each higher than the one before, until the other side has the latest of each record. */
class Owed {
  readonly #latest = new Map<string, { readonly number: number; readonly sinceMs: number }>();
  readonly #seen = new Map<string, number>();

  changed(key: string, number: number, nowMs: number): void {
    this.#latest.set(key, { number, sinceMs: this.#latest.get(key)?.sinceMs ?? nowMs });
  }

  /** For how long a record has been behind at most, as the other side holds them now. */
  behindMs(held: readonly Held[], nowMs: number): number {
    for (const { key, value } of held) {
      const number = /^\d{1,3}$/.test(value ?? '') ? Number(value) : 0;
      // What is older never comes after what is newer.
      expect(number).toBeGreaterThanOrEqual(this.#seen.get(key) ?? 0);
      this.#seen.set(key, number);
      if (number === this.#latest.get(key)?.number) this.#latest.delete(key);
    }
    return Math.max(0, ...[...this.#latest.values()].map(({ sinceMs }) => nowMs - sinceMs));
  }
}

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
  // Nobody else was there: the org has counted what we have. Ours count for up to a quarter of an hour longer: the first one, with the
  // first loads of all tables. The org's clock is ahead while two minutes pass, in which each table is asked, and so it drops those later.
  const beyond = budget!.ours - world.used();
  expect(beyond).toBeGreaterThanOrEqual(-2 * tables.length);
  expect(beyond).toBeLessThan(200);
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

test(`a database side that never rests: what it and the org tell is gathered while calls are short, and nothing stands still ${allowance}`, {
  timeout: 240_000,
}, async () => {
  await using world = await DayWorld.open(1500, { fill: { Account: 20, Lead: 20 }, changeEvents: ['Account'] });
  world.database.exec(`
    PRAGMA journal_mode = WAL;
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, phone TEXT, notes TEXT, crm_id TEXT UNIQUE)`);
  const accounts = {
    between: [
      { connection: 'org', object: 'Account' },
      { connection: 'db', table: 'customers', link: 'crm_id' },
    ],
    fields: { name: 'Name', phone: 'Phone', notes: 'Description' },
    live: true,
  };
  const engine = await world.start({ accounts, leads: polled('leads', '5m') });
  const [ids, leads] = [world.ids('Account'), world.ids('Lead')];
  const customers = () =>
    world.database.prepare('SELECT crm_id AS key, notes AS value FROM customers').all() as unknown as Held[];
  const phones = () => world.rows('SELECT Id, Phone FROM Account').map(({ Id, Phone }) => ({ key: Id, value: Phone }) as Held);
  await world.passUntil(() => customers().length === ids.length && world.runs.some(({ sync }) => sync === 'leads'));

  const [toOrg, toDatabase] = [new Owed(), new Owed()];
  const behindMs = () => {
    const nowMs = world.clock.now();
    return Math.max(toOrg.behindMs(phones(), nowMs), toDatabase.behindMs(customers(), nowMs));
  };
  const write = async (number: number) => {
    const id = ids[(number * 7) % ids.length]!;
    await world.edit('UPDATE customers SET phone = ? WHERE crm_id = ?', String(number), id);
    toOrg.changed(id, number, world.clock.now());
  };
  const hours = 9;
  let gathered = 0;
  let longestMs = 0;
  for (let at = 1; at <= hours * 30; at++) {
    // 90 calls an hour, were each brought as it comes.
    await write(at);
    if (at % 5 === 0) {
      const id = ids[(at * 3) % ids.length]!;
      world.update('Account', id, { Description: String(at) });
      toDatabase.changed(id, at, world.clock.now());
    }
    if (at % 10 === 0) world.update('Lead', leads[at % leads.length]!, { LastName: `poll ${at}` });
    await world.pass(2 * minute);
    // Hardly any time passes until both sides are equal, or it is said that changes are gathered.
    await world.passUntil(async () => {
      const ms = behindMs();
      longestMs = Math.max(longestMs, ms);
      if (ms === 0) return true;
      const { waiting } = (await engine.status('accounts'))[0]!;
      if (ms > 15 * minute || !waiting?.reason.includes('gathered')) return false;
      gathered++;
      return true;
    }, 1000);
    expect(longestMs).toBeLessThan(20 * minute);
  }
  expect(gathered).toBeGreaterThan(hours * 15);
  const [budget] = await engine.budgets();
  expect(budget!.share).toBe(750);
  expect(budget!.byPriority.live).toBeLessThan(hours * 30);
  expect(world.usedMost).toBeLessThan(750);
  expect(world.refused).toBe(0);
  // The others have theirs: 12 times an hour is what they ask for.
  expect(world.runs.filter(({ sync }) => sync === 'leads').length).toBeGreaterThan(hours * 3);

  for (let passed = 0; passed < 25; passed++) await world.pass(hour);
  // What passes at once is more than a busy machine gets done meanwhile.
  await world.passUntil(() => behindMs() === 0, 1000);
  // Calls are ample again.
  await write(999);
  const writtenMs = world.clock.now();
  await world.passUntil(() => behindMs() === 0, 1000);
  expect(world.clock.now() - writtenMs).toBeLessThan(minute);
});
