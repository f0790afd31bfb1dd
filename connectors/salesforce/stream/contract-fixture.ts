import {
  CheckpointExpiredError,
  type Clock,
  type EventStream,
  RateLimitedError,
  RequestRefusedError,
  systemClock,
} from '@tidemark/core';
import { evidence } from '@tidemark/emulator';
import { describe, expect, test } from 'vitest';
import { signal } from '../fixture.ts';
import { streamOrg } from './stream-fixture.ts';
import type { TransportName } from './transport.ts';

const guide = evidence(
  'documented',
  'Change Data Capture Developer Guide, "Change Event Message Structure" and "Change Event Fields"',
);

/** What both transports tell the engine, word for word the same: it must not matter by which one events come. */
export function describeStream(transport: TransportName): void {
  describe(`events by ${transport} ${guide}`, () => {
    test('a record that comes to be: every field that events know, under its own name, in canonical form', async () => {
      await using org = await streamOrg(transport);
      await using listener = await org.listen();
      const values = {
        Salutation: 'Ms.',
        FirstName: 'Ada',
        LastName: 'Byron',
        MailingStreet: '1 A St',
        MailingLatitude: 51.5,
        Birthdate: '1815-12-10',
        Email: 'ada@example.com',
      };
      const { id } = org.emulator.org.write((tx) => tx.insert('Contact', values));
      await listener.until((events) => events.length === 1);
      const event = listener.events[0]!;
      expect(event).toMatchObject({ op: 'create', dataset: 'Contact', keys: [id] });
      expect(event.row).toMatchObject({ ...values, MailingCity: null, IsDeleted: false });
      expect(event.row!.CreatedDate).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/);
      expect(event.stampMs).toBe(Date.parse(String(event.row!.LastModifiedDate)));
      expect(event.untold).toEqual(['Name']);
      for (const absent of ['SystemModstamp', 'MailingAddress', 'Name', 'Id']) expect(event.row).not.toHaveProperty(absent);
    });

    test.each([
      [
        'Contact',
        {
          FirstName: 'A',
          LastName: 'B',
          MailingStreet: 's',
          Birthdate: '1990-02-28',
          MailingLongitude: -0.125,
          HasOptedOutOfEmail: true,
        },
      ],
      [
        'Opportunity',
        {
          Name: 'o',
          StageName: 'Prospecting',
          CloseDate: '2026-12-31',
          Amount: 1234.56,
          Probability: 10,
          TotalOpportunityQuantity: 3,
        },
      ],
      ['Account', { Name: 'a', NumberOfEmployees: 12, AnnualRevenue: 0.1, Description: 'x\ny', Website: 'https://example.com' }],
      ['Lead', { LastName: 'l', Company: 'c', City: 'Rome', Latitude: 41.9, NumberOfEmployees: 0 }],
      ['Case', { Subject: '', Origin: 'Web' }],
    ])('every field of a created %s has the value that REST gives, or is said to be eventless (P12)', async (object, values) => {
      await using org = await streamOrg(transport);
      const known = new Set(org.emulator.org.schema.object(object)!.fields.map(({ name }) => name));
      const writable = Object.fromEntries(Object.entries(values).filter(([name]) => known.has(name)));
      await using listener = await org.listen();
      const { id } = org.emulator.org.write((tx) => tx.insert(object, writable));
      await listener.until((events) => events.length === 1);
      await using source = await org.open({ from: { object } });
      expect(source.streamDataset).toBe(object);
      const [read] = await source.readKeys!([id], signal);
      const { row } = listener.events[0]!;
      const carried = source.schema.fields
        .map(({ name }) => name)
        .filter((name) => name !== 'Id' && !source.derivedFields!.has(name));
      expect(carried.length).toBeGreaterThan(10);
      for (const name of carried) expect([name, row![name]]).toEqual([name, read!.row![name]]);
    });

    test('an update: what changed and nothing else; null where something was cleared', async () => {
      await using org = await streamOrg(transport);
      const { id } = org.emulator.org.write((tx) =>
        tx.insert('Contact', { FirstName: 'A', LastName: 'B', Phone: '1', MailingStreet: 'x', MailingCity: 'y' }),
      );
      await using listener = await org.listen();
      org.emulator.org.write((tx) => tx.update('Contact', id, { Phone: null, MailingStreet: null, MailingPostalCode: '07' }));
      org.emulator.org.write((tx) => tx.update('Contact', id, { FirstName: null }));
      await listener.until((events) => events.length === 2);
      const rows = listener.events.map(({ op, row, untold }) => {
        const { LastModifiedDate: _, LastModifiedById: __, ...rest } = row!;
        return { op, row: rest, untold };
      });
      expect(rows).toEqual([
        { op: 'update', row: { Phone: null, MailingStreet: null, MailingPostalCode: '07' }, untold: [] },
        { op: 'update', row: { FirstName: null }, untold: ['Name'] },
      ]);
    });

    test('parts of two addresses are not mixed up', async () => {
      await using org = await streamOrg(transport);
      const { id } = org.emulator.org.write((tx) => tx.insert('Account', { Name: 'Acme' }));
      await using listener = await org.listen();
      org.emulator.org.write((tx) => tx.update('Account', id, { ShippingCity: 'Rome', BillingLatitude: 1.25, Name: 'Acme 2' }));
      await listener.until((events) => events.length === 1);
      expect(listener.events[0]!.row).toMatchObject({ ShippingCity: 'Rome', BillingLatitude: 1.25, Name: 'Acme 2' });
      expect(listener.events[0]!.row).not.toHaveProperty('BillingCity');
      expect(listener.events[0]!.untold).toEqual([]);
    });

    test('deletes have no values, undeletes have all of them (P4)', async () => {
      await using org = await streamOrg(transport);
      const { id } = org.emulator.org.write((tx) => tx.insert('Case', { Subject: 'broken' }));
      await using listener = await org.listen();
      org.emulator.org.write((tx) => tx.delete('Case', id));
      org.emulator.org.write((tx) => tx.undelete('Case', id));
      await listener.until((events) => events.length === 2);
      expect(listener.events[0]).toMatchObject({ op: 'delete', keys: [id], row: null, stampMs: null });
      expect(listener.events[1]).toMatchObject({ op: 'undelete', keys: [id], row: { Subject: 'broken', IsDeleted: false } });
    });

    test('the same change of several records in one transaction is one event with all their keys', async () => {
      await using org = await streamOrg(transport);
      const ids = org.emulator.org.write((tx) => ['a', 'b', 'c'].map((name) => tx.insert('Account', { Name: name }).id));
      await using listener = await org.listen();
      org.emulator.org.write((tx) => {
        for (const id of ids) tx.update('Account', id, { Industry: 'Banking' });
      });
      await listener.until((events) => events.flatMap(({ keys }) => keys).length === 3);
      expect(listener.events.flatMap(({ keys }) => keys).sort()).toEqual([...ids].sort());
      expect(new Set(listener.events.map(({ transaction }) => transaction)).size).toBe(1);
      for (const { row } of listener.events) expect(row!.Industry).toBe('Banking');
    });

    test('who wrote is told, so that echoes can be known (P7)', async () => {
      await using org = await streamOrg(transport);
      await using listener = await org.listen();
      org.emulator.org.write((tx) => tx.insert('Account', { Name: 'a' }), {
        origin: 'com/salesforce/api/rest/62.0;client=tidemark',
      });
      await listener.until((events) => events.length === 1);
      expect(listener.events[0]!.writer).toBe('com/salesforce/api/rest/62.0;client=tidemark');
    });

    test('gaps name records to be read, or all that begin with a prefix; an overflow names the whole dataset (P5)', async () => {
      await using org = await streamOrg(transport);
      await using listener = await org.listen();
      const { id } = org.emulator.org.write((tx) => tx.insert('Account', { Name: 'a' }));
      org.emulator.events.emitGap('Account', 'GAP_UPDATE', [id]);
      org.emulator.events.emitGap('Account', 'GAP_DELETE', [id]);
      org.emulator.events.emitGap('Account', 'GAP_UPDATE', ['001*']);
      org.emulator.events.emitOverflow('Account');
      await listener.until((events) => events.length === 5);
      expect(listener.events.slice(1).map(({ op, keys, row }) => ({ op, keys, row }))).toEqual([
        { op: 'gap', keys: [id], row: null },
        { op: 'gap', keys: [id], row: null },
        { op: 'wildcard', keys: ['001'], row: null },
        { op: 'overflow', keys: [], row: null },
      ]);
    });

    test('a long text that is told as a diff is untold: nobody takes the diff for the value', async () => {
      await using org = await streamOrg(transport);
      const lines = Array.from({ length: 80 }, (_, index) => `line ${index} of the description`);
      const { id } = org.emulator.org.write((tx) => tx.insert('Account', { Name: 'a', Description: lines.join('\n') }));
      await using listener = await org.listen();
      lines[40] = 'another line';
      org.emulator.org.write((tx) => tx.update('Account', id, { Description: lines.join('\n'), Phone: '1' }));
      await listener.until((events) => events.length === 1);
      expect(listener.events[0]!.untold).toEqual(['Description']);
      expect(listener.events[0]!.row).toMatchObject({ Phone: '1' });
      expect(listener.events[0]!.row).not.toHaveProperty('Description');
    });

    test('fields that a channel adds to events are not changes', async () => {
      await using org = await streamOrg(transport);
      org.emulator.events.defineChannel({
        name: 'Rich__chn',
        kind: 'change',
        members: [{ eventName: 'AccountChangeEvent', enrichedFields: ['Industry'] }],
      });
      const { id } = org.emulator.org.write((tx) => tx.insert('Account', { Name: 'a', Industry: 'Banking' }));
      await using listener = await org.listen({ channel: '/data/Rich__chn' });
      org.emulator.org.write((tx) => tx.update('Account', id, { Phone: '1' }));
      org.emulator.org.write((tx) => tx.delete('Account', id));
      await listener.until((events) => events.length === 2);
      expect(listener.events[0]!.row).toHaveProperty('Phone', '1');
      expect(listener.events[0]!.row).not.toHaveProperty('Industry');
      expect(listener.events[1]).toMatchObject({ op: 'delete', row: null });
    });

    test('a field that is new in the org comes with the next event; bitmaps are read by the schema of their own event', async () => {
      await using org = await streamOrg(transport);
      await using listener = await org.listen();
      const { id } = org.emulator.org.write((tx) => tx.insert('Account', { Name: 'a' }));
      await listener.until((events) => events.length === 1);
      const { schema } = org.emulator.org;
      const account = schema.object('Account')!;
      const phone = account.fields.find(({ name }) => name === 'Phone')!;
      schema.add({ ...account, fields: [...account.fields, { ...phone, name: 'AAA_New__c', custom: true }] });
      org.emulator.org.write((tx) => tx.update('Account', id, { AAA_New__c: 'x', Phone: '7' }));
      await listener.until((events) => events.length === 2);
      expect(listener.events[1]!.row).toMatchObject({ AAA_New__c: 'x', Phone: '7' });
    });

    test('events of datasets that nobody asked for are not delivered, use up no credit, and move the position', async () => {
      await using org = await streamOrg(transport);
      await using listener = await org.listen({ datasets: ['Contact'], grant: 2, replenish: false });
      for (let n = 0; n < 30; n++) org.emulator.org.write((tx) => tx.insert('Account', { Name: `a${n}` }));
      await listener.until((_, deliveries) => deliveries.length > 0 && deliveries.at(-1)!.position === org.position());
      expect(listener.events).toEqual([]);
      org.emulator.org.write((tx) => tx.insert('Contact', { LastName: 'x' }));
      await listener.until((events) => events.length === 1);
    });
  });

  describe(`positions of ${transport} ${evidence('documented', 'Pub/Sub API guide, "Replaying an Event Stream"; Streaming API guide, "Message Durability"')}`, () => {
    test('each position goes on strictly after what it covers: none lost, none twice (P1)', async () => {
      await using org = await streamOrg(transport);
      const start = org.position();
      const ids = Array.from(
        { length: 25 },
        (_, n) => org.emulator.org.write((tx) => tx.insert('Account', { Name: `a${n}` })).id,
      );
      await using all = await org.listen({ position: start });
      await all.until((events) => events.length === 25);
      for (const index of [0, 11, 23]) {
        await using rest = await org.listen({ position: all.events[index]!.position });
        await rest.until((events) => events.some(({ keys }) => keys[0] === ids.at(-1)));
        expect(rest.events.map(({ keys }) => keys[0])).toEqual(ids.slice(index + 1));
      }
    });

    test('who begins without a position hears what comes from then on', async () => {
      await using org = await streamOrg(transport);
      org.emulator.org.write((tx) => tx.insert('Account', { Name: 'before' }));
      await using listener = await org.listen({ position: null });
      // Nothing says that a stream has begun until something comes: so something comes until it has.
      for (let n = 0; listener.events.length === 0; n++) {
        org.emulator.org.write((tx) => tx.insert('Account', { Name: `after ${n}` }));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      expect(listener.events[0]!.row!.Name).toMatch(/^after/);
    });

    test('a quiet stream says soon that it has begun, where it stands, or that it cannot be found again', async () => {
      await using org = await streamOrg(transport);
      const position = org.position();
      await using from = await org.listen({ position });
      await from.until((_, deliveries) => deliveries.length > 0);
      expect(from.deliveries[0]).toEqual({ events: [], position, caughtUp: true, reset: false });
      await using now = await org.listen({ position: null });
      await now.until((_, deliveries) => deliveries.length > 0);
      // Until something comes it is taken to have begun, no more: nobody can say with which event.
      expect(now.deliveries[0]).toMatchObject({ events: [], assumed: true });
      await expect(org.listen({ position: now.position })).rejects.toThrow(CheckpointExpiredError);
    });

    test('a position past the retention is lost, and says so: CheckpointExpiredError (P5)', async () => {
      await using org = await streamOrg(transport);
      org.emulator.org.write((tx) => tx.insert('Account', { Name: 'a' }));
      const position = org.position();
      org.emulator.org.write((tx) => tx.insert('Account', { Name: 'b' }));
      org.emulator.org.clock.advance(73 * 3_600_000);
      org.emulator.org.write((tx) => tx.insert('Account', { Name: 'c' }));
      await using listener = await org.listen({ position });
      expect(await listener.failure()).toBeInstanceOf(CheckpointExpiredError);
    });

    test.each(['nonsense', transport === 'pubsub' ? 'cometd:17' : 'pubsub:AAAAAAAXkCkAAA=='])(
      'a position of something else is lost too: %s',
      async (position) => {
        await using org = await streamOrg(transport);
        await expect(org.listen({ position })).rejects.toThrow(CheckpointExpiredError);
      },
    );
  });

  describe(`limits of ${transport}`, () => {
    test('never more events are delivered than were granted, and none is lost for it (P9)', async () => {
      await using org = await streamOrg(transport);
      await using listener = await org.listen({ grant: 7, replenish: false });
      for (let n = 0; n < 40; n++) org.emulator.org.write((tx) => tx.insert('Account', { Name: `a${n}` }));
      let granted = 7;
      while (granted < 40) {
        await listener.until((events) => events.length >= granted);
        expect(listener.events.length).toBe(granted);
        granted += 11;
        listener.stream.grant(11);
      }
      await listener.until((events) => events.length === 40);
      expect(listener.events.map(({ row }) => row!.Name)).toEqual(Array.from({ length: 40 }, (_, n) => `a${n}`));
    });

    test('of a transaction that comes in several messages none is said to be the last, but the last (P6)', async () => {
      await using org = await streamOrg(transport);
      const position = org.position();
      org.emulator.org.write((tx) => {
        for (let n = 0; n < 450; n++) tx.insert('Account', { Name: `a${n}` });
      });
      // No silence is long enough for this one to take it for the end.
      const sleep: Clock['sleep'] = (ms, abort) => systemClock.sleep(ms >= 500 ? 60_000 : ms, abort);
      await using listener = await org.listen({ position, grant: 4000, over: { clock: { now: () => Date.now(), sleep } } });
      await listener.until((events) => events.length === 450);
      let came = 0;
      for (const { events, caughtUp } of listener.deliveries) {
        came += events.length;
        if (came > 0 && came < 450) expect([came, caughtUp]).toEqual([came, false]);
      }
    });

    test("the day's deliveries are used up: the engine is told to wait, and polls go on", async () => {
      await using org = await streamOrg(transport, { limits: { DailyDeliveredPlatformEvents: 3 } });
      await using listener = await org.listen();
      for (let n = 0; n < 6; n++) {
        org.emulator.org.write((tx) => tx.insert('Account', { Name: `a${n}` }));
        await listener.until((events) => events.length >= Math.min(3, n + 1)).catch(() => {});
      }
      expect(await listener.failure()).toBeInstanceOf(RateLimitedError);
    });

    test('no such channel, and a channel that nobody selected: refused, with what to do', async () => {
      await using org = await streamOrg(transport);
      for (const channel of ['/data/NothingChangeEvent', '/data/accountchangeevent']) {
        const failure = await opened(org.listen({ channel }));
        expect(failure).toBeInstanceOf(RequestRefusedError);
        expect((failure as RequestRefusedError).hint).toMatch(/Change Data Capture/);
      }
    });

    test('a session that has ended is made anew, and nothing is lost', async () => {
      await using org = await streamOrg(transport);
      let used = '';
      const watched: typeof fetch = async (input, init) => {
        const token = new Headers(init?.headers).get('authorization');
        if (token !== null) used = token.replace('Bearer ', '');
        return fetch(input, init);
      };
      await using first = await org.listen({ over: { fetch: watched } });
      org.emulator.org.write((tx) => tx.insert('Account', { Name: 'a' }));
      await first.until((events) => events.length === 1);
      org.emulator.sessions.revoke(used);
      // A stream that is open outlives its session (Pub/Sub API guide): it has to be broken to notice.
      org.emulator.faults.add({ kind: 'stream-drop', match: { topic: '/data/ChangeEvents', times: 1 }, params: { events: 1 } });
      for (let n = 0; n < 4; n++) {
        org.emulator.org.write((tx) => tx.insert('Account', { Name: `b${n}` }));
        await first.until((events) => events.length === n + 2);
      }
      expect(first.stream.state!().reconnects).toBeGreaterThan(0);
      expect(first.events.map(({ row }) => row!.Name)).toEqual(['a', 'b0', 'b1', 'b2', 'b3']);
    });
  });
}

/** How opening, or else listening, fails. */
async function opened(
  opening: Promise<{ failure(): Promise<unknown>; stream: EventStream } & AsyncDisposable>,
): Promise<unknown> {
  try {
    await using listener = await opening;
    return await listener.failure();
  } catch (error) {
    return error;
  }
}
