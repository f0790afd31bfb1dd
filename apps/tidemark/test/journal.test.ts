import type { Engine, ReplayRange } from '@tidemark/core';
import { expect, test } from 'vitest';
import { contactFields, LiveWorld } from './live-world.ts';

// Events of a live sync that asks for it are kept as they came, and applied again without the org: after the mapping was mended, the
// copy is what a fresh copy would be, as far as events tell (P1, P3).

const everything = { from: null, to: null };
const replay = (engine: Engine, range: ReplayRange = everything) =>
  engine.replay('contacts', { range, signal: new AbortController().signal });

test.each(['pubsub', 'cometd'])('a mended mapping reaches what came by %s, and the org is not asked', async (stream) => {
  await using world = await LiveWorld.open();
  const acme = world.insert('Account', { Name: 'Acme' });
  const first = await world.start(stream, { journal: '7d' });
  await world.live(first);
  const kent = world.insert('Contact', { LastName: 'Kent', FirstName: 'Clark', AccountId: acme });
  const lane = world.insert('Contact', { LastName: 'Lane', MailingCity: 'Metropolis' });
  const luthor = world.insert('Contact', { LastName: 'Luthor' });
  world.org.write((t) => t.update('Contact', kent, { MailingCity: 'Smallville' }));
  world.org.write((t) => t.update('Contact', lane, { FirstName: 'Lois' }));
  world.org.write((t) => t.delete('Contact', luthor));
  await world.equal();
  await first.stop();
  const truth = world.truth('contacts');
  await world.closeOrg();

  const fields = { ...contactFields, city: '= $uppercase(MailingCity)', first: "= FirstName & '/' & LastName" };
  await using second = await world.engine(stream, { journal: '7d', fields });
  const report = await replay(second);
  expect(report).toMatchObject({ kind: 'replay', state: 'succeeded', counts: { updated: 2, failed: 0 } });
  expect(report.replayed).toMatchObject({ events: 6, unreadable: 0, untouched: [], holeBeforeMs: null, left: [] });
  expect(world.copied('contacts')).toEqual(
    truth.map((row) => ({
      ...row,
      city: row.city === null ? null : String(row.city).toUpperCase(),
      first: `${row.first ?? ''}/${row.last}`,
    })),
  );
  // Once more changes nothing.
  expect((await replay(second)).counts).toMatchObject({ updated: 0, created: 0, deleted: 0 });
  expect(world.warnings).toEqual([]);
});
