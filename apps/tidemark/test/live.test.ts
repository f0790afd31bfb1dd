import { expect, test, vi } from 'vitest';
import { contactFields, LiveWorld } from './live-world.ts';

// Live syncs against the real streams of the emulator: what is committed in the org is soon in the copy, whole, and stays right
// whatever the stream does not tell (P1, P3, P4, P6).

const hour = 3_600_000;

test.each(['pubsub', 'cometd'])('every kind of change comes by %s alone', async (stream) => {
  await using world = await LiveWorld.open();
  const acme = world.insert('Account', { Name: 'Acme' });
  const kent = world.insert('Contact', { LastName: 'Kent', FirstName: 'Clark', AccountId: acme, MailingCity: 'Metropolis' });
  const life = await world.start(stream);
  await world.live(life);
  await world.equal();
  const lane = world.insert('Contact', { LastName: 'Lane', MailingCity: 'Metropolis', Description: 'x'.repeat(2000) });
  world.org.write((t) => t.update('Contact', kent, { FirstName: null, MailingCity: 'Smallville' }));
  world.org.write((t) => t.update('Account', acme, { Name: 'Acme & Sons' }));
  await world.equal();
  // A long text comes as a difference and is read; a delete takes the lookup of others with it.
  world.org.write((t) => t.update('Contact', lane, { Description: `${'x'.repeat(1999)}y` }));
  world.org.write((t) => t.delete('Contact', kent));
  await world.equal();
  world.org.write((t) => t.undelete('Contact', kent));
  world.org.write((t) => {
    for (const id of [kent, lane]) t.update('Contact', id, { MailingCity: 'Gotham' });
  });
  await world.equal();
  expect(world.copied('contacts')).toHaveLength(2);
  const { engine } = life;
  await life.stop();
  const [told] = await engine.status('contacts');
  expect(told!.stream).toMatchObject({ state: 'stopped', syncs: ['contacts', 'accounts'], splits: 0, rereads: [] });
  expect(world.warnings).toEqual([]);
});

test.each(['pubsub', 'cometd', 'pubsub, split'])(
  'a reader never sees half a transaction, in one table or in two: by %s (P6)',
  async (how) => {
    await using world = await LiveWorld.open();
    const account = world.insert('Account', { Name: '0' });
    const contacts = ['a', 'b', 'c'].map(() => world.insert('Contact', { LastName: '0', AccountId: account }));
    const life = await world.start(how.split(',')[0]);
    await world.live(life);
    await world.equal();
    // Every event in a message of its own, and each says that nothing more is there.
    if (how.endsWith('split')) world.emulator.faults.add({ kind: 'stream-split', match: { times: 1000 }, params: { events: 1 } });
    const seen = new Set<string>();
    for (let n = 1; n <= 60; n++) {
      world.org.write((t) => {
        t.update('Account', account, { Name: String(n) });
        for (const [i, id] of contacts.entries()) t.update('Contact', id, { LastName: String(n), FirstName: `f${i}-${n}` });
      });
      if (n % 7 === 0) await new Promise(setImmediate);
      const rows = world.database
        .prepare(
          'SELECT group_concat(DISTINCT v) AS together FROM (SELECT last AS v FROM contacts UNION ALL SELECT name FROM accounts)',
        )
        .get() as { together: string };
      seen.add(rows.together);
    }
    await world.equal();
    expect([...seen].filter((together) => together.includes(','))).toEqual([]);
    expect(life.engine.liveStatus()[0]!.splits).toBe(0);
    await life.stop();
  },
);

test('left until the retention has passed, it begins anew and reads what it missed (P1)', async () => {
  await using world = await LiveWorld.open();
  const kept = world.insert('Contact', { LastName: 'Kept' });
  const gone = world.insert('Contact', { LastName: 'Gone' });
  const first = await world.start();
  await world.live(first);
  await world.equal();
  await first.stop();
  world.org.write((t) => t.update('Contact', kept, { LastName: 'Changed' }));
  world.org.write((t) => t.delete('Contact', gone));
  world.insert('Account', { Name: 'New' });
  world.org.clock.advance(80 * hour);
  const second = await world.start();
  await world.equal();
  await world.live(second);
  expect(second.engine.liveStatus()[0]!.healed.lost).toBe(1);
  world.org.write((t) => t.update('Contact', kept, { LastName: 'Again' }));
  await world.equal();
  await second.stop();
});

test('gaps are read, overflows and wildcards are read again whole (P1)', async () => {
  await using world = await LiveWorld.open();
  const kent = world.insert('Contact', { LastName: 'Kent' });
  const life = await world.start();
  await world.live(life);
  await world.equal();
  // Written past the events: only a read can tell.
  world.database.prepare("UPDATE contacts SET last = 'spoilt', _tidemark_stamp = NULL").run();
  world.emulator.events.emitGap('Contact', 'GAP_UPDATE', [kent]);
  await world.equal();
  world.emulator.events.emitOverflow('Contact');
  await vi.waitUntil(() => life.engine.liveStatus()[0]!.healed.overflow > 0, { timeout: 90_000 });
  await world.live(life);
  await world.equal();
  await life.stop();
});

test('a filter, and an expression over fields that an event does not carry, are seen to by a read', async () => {
  await using world = await LiveWorld.open();
  const kent = world.insert('Contact', { LastName: 'Kent', MailingCity: 'in' });
  const life = await world.start('pubsub', {
    where: "MailingCity = 'in'",
    fields: { ...contactFields, first: "= FirstName & '/' & LastName" },
  });
  await world.live(life);
  const lasts = () => world.copied('contacts').map(({ last, first }) => [last, first]);
  const become = (rows: unknown[]) => vi.waitFor(() => expect(lasts()).toEqual(rows), { timeout: 90_000, interval: 20 });
  await become([['Kent', '/Kent']]);
  world.org.write((t) => t.update('Contact', kent, { FirstName: 'Clark' }));
  await become([['Kent', 'Clark/Kent']]);
  world.org.write((t) => t.update('Contact', kent, { MailingCity: 'out' }));
  await become([]);
  world.org.write((t) => t.update('Contact', kent, { MailingCity: 'in', LastName: 'El' }));
  await become([['El', 'Clark/El']]);
  await life.stop();
});

test('a formula and a field of a parent follow when what they follow from changes (P12)', async () => {
  await using world = await LiveWorld.open();
  world.emulator.automation.formulas.define({
    object: 'Contact',
    field: 'Shout__c',
    type: 'text',
    formula: "UPPER(LastName) & '!'",
  });
  const [acme, other] = ['Acme', 'Other'].map((Name) => world.insert('Account', { Name }));
  const kent = world.insert('Contact', { LastName: 'Kent', AccountId: acme! });
  const fields = { ...contactFields, first: 'Shout__c', city: 'Account.Name' };
  const life = await world.start('pubsub', { fields });
  await world.live(life);
  const become = (row: object) =>
    vi.waitFor(() => expect(world.copied('contacts')).toMatchObject([row]), { timeout: 90_000, interval: 20 });
  await become({ first: 'KENT!', city: 'Acme' });
  world.org.write((t) => t.update('Contact', kent, { LastName: 'El' }));
  await become({ last: 'El', first: 'EL!' });
  world.org.write((t) => t.update('Contact', kent, { AccountId: other! }));
  await become({ parent: other, city: 'Other' });
  await life.stop();
});

test('what changes at a parent is told by nothing, and brought by the scheduled full run (P12)', async () => {
  await using world = await LiveWorld.open();
  const acme = world.insert('Account', { Name: 'Acme' });
  world.insert('Contact', { LastName: 'Kent', AccountId: acme });
  const life = await world.start('pubsub', { fields: { ...contactFields, city: 'Account.Name' }, full: { every: '6h' } });
  await world.live(life);
  const companies = () => world.copied('contacts').map(({ city }) => city);
  await vi.waitFor(() => expect(companies()).toEqual(['Acme']), { timeout: 90_000, interval: 20 });
  // The stream's first word brings a read of what has changed lately, the contact among it.
  world.insert('Account', { Name: 'Globex' });
  await vi.waitFor(() => expect(world.copied('accounts')).toHaveLength(2), { timeout: 90_000, interval: 20 });
  await world.live(life);
  world.org.write((t) => t.update('Account', acme, { Name: 'Acme & Sons' }));
  await vi.waitFor(() => expect(world.copied('accounts')[0]!.name).toBe('Acme & Sons'), { timeout: 90_000, interval: 20 });
  expect(companies()).toEqual(['Acme']);
  world.advance(6 * hour);
  await vi.waitFor(() => expect(companies()).toEqual(['Acme & Sons']), { timeout: 90_000, interval: 20 });
  await life.stop();
});

test('a paused sync stands still beside the others of its stream, and catches up when it goes on', async () => {
  await using world = await LiveWorld.open();
  const kent = world.insert('Contact', { LastName: 'Kent' });
  const acme = world.insert('Account', { Name: 'Acme' });
  const life = await world.start();
  await world.live(life);
  await world.equal();
  await life.engine.setPaused('contacts', true);
  const name = () => world.copied('accounts')[0]!.name;
  const told = async (n: number) => {
    world.org.write((t) => t.update('Account', acme, { Name: `told ${n}` }));
    await vi.waitUntil(() => name() === `told ${n}`, { timeout: 90_000, interval: 20 });
  };
  // A pause is noticed within seconds: from then on nothing comes, though the stream goes on.
  await vi.waitFor(
    async () => {
      const value = `paused ${performance.now()}`;
      world.org.write((t) => t.update('Contact', kent, { LastName: value }));
      await told(performance.now());
      expect(world.copied('contacts')[0]!.last).not.toBe(value);
    },
    { timeout: 90_000, interval: 20 },
  );
  await life.engine.setPaused('contacts', false);
  await world.equal();
  await life.stop();
});
