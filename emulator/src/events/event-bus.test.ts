// A subscriber goes on from the last replay id that it kept: every position that was given out must lead to exactly what
// came after it, for as long as events are kept, and every other one must be refused.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { createFaultList } from '../faults/fault-list.ts';
import { replayBytes } from './replay-ids.ts';
import { type BusOrg, createBusOrg, eventsOf, readEvent } from './testing.ts';
import { type Channel, InvalidReplayIdError } from './types.ts';

const hour = 3_600_000;
const topic = '/data/AccountChangeEvent';

function insert(test: BusOrg, object: 'Account' | 'Contact', values: Record<string, string | number> = {}): string {
  const name = object === 'Account' ? { Name: 'Acme' } : { LastName: 'Kent' };
  return test.org.write((transaction) => transaction.insert(object, { ...name, ...values })).id;
}
const channelOf = ({ bus }: BusOrg, name = topic): Channel => bus.channel(name)!;
const wait = ({ clock }: BusOrg, ms: number) => clock.freeze(clock.now() + ms);

describe('replay ids', () => {
  test(`ascend over all topics, by steps that vary ${evidence('documented', 'Pub/Sub API guide, Replay ID; recorded ids')}`, () => {
    const test = createBusOrg(['Account', 'Contact']);
    for (let i = 0; i < 30; i++) insert(test, i % 3 === 0 ? 'Account' : 'Contact');
    const ids = eventsOf(test, '/data/ChangeEvents').map(({ replayId }) => replayId);
    const steps = ids.slice(1).map((id, i) => id - ids[i]!);
    expect(Math.min(...steps)).toBeGreaterThan(0);
    expect(new Set(steps).size).toBeGreaterThan(2);
    expect(eventsOf(test, topic).map(({ replayId }) => replayId)).toEqual(ids.filter((_, i) => i % 3 === 0));
  });

  test(`are ten bytes: a counter and two zeros; the counter alone is understood ${evidence('recorded', 'replay ids of change events')}`, () => {
    const { bus } = createBusOrg();
    const recorded = Buffer.from('00000000001790500000', 'hex');
    const id = bus.replayIdOf(recorded);
    expect(id).toBe(0x179050);
    expect(Buffer.from(bus.replayBytes(id))).toEqual(recorded);
    expect(bus.replayIdOf(recorded.subarray(0, 8))).toBe(id);
    for (const wrong of ['', '00', 'ffffffffffffffff0000', '00000000001790500001', '0000000000179050000000']) {
      expect(() => bus.replayIdOf(Buffer.from(wrong, 'hex'))).toThrow(InvalidReplayIdError);
    }
    expect(Buffer.from(replayBytes(4.5)).toString('hex')).toBe('00000000000000050000');
  });

  test(`a position leads to what came after it; latest to what comes; earliest to all ${evidence('documented', 'Pub/Sub API guide, Subscribe: replay presets')}`, () => {
    const test = createBusOrg(['Account']);
    const ids = [1, 2, 3].map(() => insert(test, 'Account'));
    const channel = channelOf(test);
    const after = (position: number) =>
      channel.read(position, 10, '').events.map((event) => readEvent(test.bus, event).header.recordIds[0]);
    const [first] = eventsOf(test, topic);
    expect(after(channel.resolve('earliest'))).toEqual(ids);
    expect(after(channel.resolve(first!.replayId))).toEqual(ids.slice(1));
    const latest = channel.resolve('latest');
    expect(after(latest)).toEqual([]);
    const next = insert(test, 'Account');
    expect(after(latest)).toEqual([next]);
  });

  test(`an id of another topic is a position too: there is one bus ${evidence('assumed', 'ids of all topics come from one counter in recordings')}`, () => {
    const test = createBusOrg(['Account', 'Contact']);
    insert(test, 'Contact');
    insert(test, 'Account');
    const [contact] = eventsOf(test, '/data/ContactChangeEvent');
    expect(channelOf(test).read(channelOf(test).resolve(contact!.replayId), 10, '').events).toHaveLength(1);
  });

  test(`what was never given out is refused ${evidence('documented', 'Pub/Sub API guide, Error Codes: replayid validation')}`, () => {
    const test = createBusOrg(['Account']);
    insert(test, 'Account');
    const id = eventsOf(test, topic)[0]!.replayId;
    for (const wrong of [0, -1, id - 1, id + 1, Number.NaN])
      expect(() => channelOf(test).resolve(wrong)).toThrow(InvalidReplayIdError);
    expect(channelOf(test).resolve(id)).toBe(id);
  });

  test(`an expired id can be had at once ${evidence('assumed', 'a fault of ours; the error is documented')}`, () => {
    const faults = createFaultList();
    const test = createBusOrg(['Account'], { faults });
    insert(test, 'Account');
    const id = eventsOf(test, topic)[0]!.replayId;
    faults.add({ kind: 'expired-replay-id', match: { topic, times: 1 } });
    expect(channelOf(test).resolve('earliest')).toBe(0);
    expect(() => channelOf(test).resolve(id)).toThrow(InvalidReplayIdError);
    expect(channelOf(test).resolve(id)).toBe(id);
  });
});

describe('retention', () => {
  const documented = evidence('documented', 'Pub/Sub API guide, Event Message Durability: 72 hours');
  test(`events and their ids live for 72 hours of the org's time ${documented}`, () => {
    const test = createBusOrg(['Account']);
    insert(test, 'Account');
    const old = eventsOf(test, topic)[0]!.replayId;
    wait(test, 72 * hour);
    insert(test, 'Account');
    expect(eventsOf(test, topic)).toHaveLength(2);
    expect(channelOf(test).resolve(old)).toBe(old);
    wait(test, 1);
    expect(eventsOf(test, topic)).toHaveLength(1);
    expect(() => channelOf(test).resolve(old)).toThrow(InvalidReplayIdError);
  });

  test(`the position that a quiet subscriber is told moves with time and stays good ${evidence('documented', 'Pub/Sub API guide, Keepalive')}`, () => {
    const test = createBusOrg(['Account']);
    insert(test, 'Account');
    const first = test.bus.latestReplayId();
    wait(test, 60_000);
    const later = test.bus.latestReplayId();
    expect(later).toBeGreaterThan(first);
    expect(test.bus.latestReplayId()).toBe(later);
    wait(test, 71 * hour);
    const id = insert(test, 'Account');
    const channel = channelOf(test);
    expect(
      channel.read(channel.resolve(later), 10, '').events.map((event) => readEvent(test.bus, event).header.recordIds),
    ).toEqual([[id]]);
    wait(test, 2 * hour);
    expect(() => channel.resolve(later)).toThrow(InvalidReplayIdError);
  });
});

test(`whoever is behind is told of every append once it is whole ${evidence('assumed', 'how subscribers wait is ours')}`, () => {
  const test = createBusOrg(['Account']);
  const heard: number[] = [];
  const stop = test.bus.onAppend(() => heard.push(eventsOf(test, topic).length));
  test.org.write((transaction) => [1, 2, 3].map((n) => transaction.insert('Account', { Name: `${n}` })));
  insert(test, 'Contact');
  stop();
  insert(test, 'Account');
  expect(heard).toEqual([3]);
});

describe('channels', () => {
  test(`each object has one; all selected ones are on ChangeEvents; names keep their case ${evidence('documented', 'Change Data Capture guide, Subscription Channels')}`, () => {
    const test = createBusOrg(['Account', 'Thing__c']);
    expect(test.bus.channels().map((channel) => channel.topic)).toEqual([
      '/data/ChangeEvents',
      topic,
      '/data/Thing__ChangeEvent',
    ]);
    for (const unknown of [
      '/data/accountChangeEvent',
      '/data/ContactChangeEvent',
      '/data/Thing__cChangeEvent',
      'data/ChangeEvents',
      '/event/X__e',
      '/x',
    ]) {
      expect(test.bus.channel(unknown)).toBeUndefined();
    }
    test.bus.selectForChangeEvents(['Contact']);
    expect(test.bus.selectedForChangeEvents()).toEqual(['Contact']);
    expect(test.bus.channel(topic)).toBeUndefined();
    expect(test.bus.channel('/data/ContactChangeEvent')!.canPublish('')).toBe(false);
  });

  test(`a custom channel carries its members, selected elsewhere or not ${evidence('documented', 'Change Data Capture guide, Compose Streams with Custom Channels')}`, () => {
    const test = createBusOrg(['Contact']);
    test.bus.defineChannel({
      name: 'Both__chn',
      kind: 'change',
      members: [{ eventName: 'AccountChangeEvent' }, { eventName: 'ContactChangeEvent' }],
    });
    insert(test, 'Account');
    insert(test, 'Contact');
    insert(test, 'Account');
    expect(eventsOf(test, '/data/Both__chn').map(({ eventName }) => eventName)).toEqual([
      'AccountChangeEvent',
      'ContactChangeEvent',
      'AccountChangeEvent',
    ]);
    expect(eventsOf(test, '/data/ChangeEvents').map(({ eventName }) => eventName)).toEqual(['ContactChangeEvent']);
    expect(test.bus.channel('/event/Both__chn')).toBeUndefined();
    test.bus.removeChannel('Both__chn');
    expect(test.bus.channel('/data/Both__chn')).toBeUndefined();
  });

  test(`a filter is tested on the record as it is; its fields come along ${evidence('documented', 'Change Data Capture guide, Filter Change Events')}`, () => {
    const test = createBusOrg();
    test.bus.defineChannel({
      name: 'Rich__chn',
      kind: 'change',
      members: [
        {
          eventName: 'AccountChangeEvent',
          filterExpression: "Industry = 'banking' AND (AnnualRevenue > 100 OR NOT Phone LIKE '0_%')",
        },
      ],
    });
    const rich = insert(test, 'Account', { Industry: 'Banking', AnnualRevenue: 500, Phone: '01' });
    const poor = insert(test, 'Account', { Industry: 'Banking', AnnualRevenue: 5, Phone: '01' });
    insert(test, 'Account', { Industry: 'Energy', AnnualRevenue: 500 });
    test.org.write((transaction) => {
      for (const id of [rich, poor]) transaction.update('Account', id, { Fax: '9' });
    });
    const events = eventsOf(test, '/data/Rich__chn').map((event) => readEvent(test.bus, event));
    expect(events.map(({ header }) => [header.changeType, header.recordIds])).toEqual([
      ['CREATE', [rich]],
      ['UPDATE', [rich]],
    ]);
    expect(events[1]!.changed.sort()).toEqual(['Fax', 'LastModifiedDate']);
    expect(events[1]!.body).toMatchObject({ Fax: '9', Industry: 'Banking', AnnualRevenue: 500, Phone: '01' });
  });

  test.each([
    ["Nothing__c = 'x'", /no such field/],
    ["Owner.Name = 'x'", /no such field/],
    ["Industry IN ('a', 'b')", /cannot use/],
    ['CreatedDate = TODAY', /cannot use the date/],
    ['Industry =', /cannot be read/],
  ])(
    `a filter that cannot be is refused: %s ${evidence('documented', 'Change Data Capture guide, Filter Change Events')}`,
    (filterExpression, message) => {
      const members = [{ eventName: 'AccountChangeEvent', filterExpression }];
      expect(() => createBusOrg().bus.defineChannel({ name: 'A__chn', kind: 'change', members })).toThrow(message);
    },
  );

  test(`there are a hundred of them at most ${evidence('documented', 'Change Data Capture guide, Allocations')}`, () => {
    const { bus } = createBusOrg();
    const define = (n: number) => bus.defineChannel({ name: `C${n}__chn`, kind: 'change', members: [] });
    for (let n = 0; n < 100; n += 1) define(n);
    expect(() => define(100)).toThrow('100 custom channels');
    define(7);
  });

  test(`enriched fields come with updates and deletes, as they are when the event is delivered, and are no changes ${evidence('documented', 'Change Data Capture guide, Enrich Change Events with Extra Fields')}`, () => {
    const test = createBusOrg(['Account']);
    test.bus.defineChannel({
      name: 'More__chn',
      kind: 'change',
      members: [{ eventName: 'AccountChangeEvent', enrichedFields: ['Phone', 'BillingAddress', 'NumberOfEmployees'] }],
    });
    const id = insert(test, 'Account', { Phone: 'old', BillingCity: 'X' });
    test.org.write((transaction) => transaction.update('Account', id, { Fax: '1' }));
    test.org.write((transaction) => transaction.update('Account', id, { Phone: 'changed' }));
    test.org.write((transaction) => transaction.update('Account', id, { Phone: 'new' }));
    test.org.write((transaction) => transaction.delete('Account', id));
    const [, update, own, , gone] = eventsOf(test, '/data/More__chn').map((event) => readEvent(test.bus, event));
    expect(update!.changed.sort()).toEqual(['Fax', 'LastModifiedDate']);
    expect(update!.body).toMatchObject({ Fax: '1', Phone: 'new', BillingAddress: { City: 'X' }, NumberOfEmployees: null });
    expect(own!.body.Phone).toBe('changed');
    expect(gone).toMatchObject({
      header: { changeType: 'DELETE' },
      changed: [],
      body: { Phone: 'new', BillingAddress: { City: 'X' } },
    });
    expect(eventsOf(test, '/data/More__chn')[1]!.json()).toMatchObject({ Fax: '1', Phone: 'new' });
    expect(readEvent(test.bus, eventsOf(test, topic)[1]!).body.Phone).toBeNull();
  });

  test(`a merged event is taken apart where it is enriched: one event a record, all with one replay id ${evidence('documented', 'Change Data Capture guide, Enriched Change Events: duplicate replay IDs')}`, () => {
    const test = createBusOrg(['Account']);
    test.bus.defineChannel({
      name: 'More__chn',
      kind: 'change',
      members: [{ eventName: 'AccountChangeEvent', enrichedFields: ['Phone'] }],
    });
    const ids = ['1', '2', '3'].map((Phone) => insert(test, 'Account', { Phone }));
    const before = channelOf(test).resolve('latest');
    test.org.write((transaction) => {
      for (const id of ids) transaction.update('Account', id, { Fax: '1' });
    });
    const last = insert(test, 'Account');
    expect(
      channelOf(test)
        .read(before, 10, '')
        .events.map((event) => readEvent(test.bus, event).header.recordIds),
    ).toEqual([ids, [last]]);
    const more = channelOf(test, '/data/More__chn');
    const { events } = more.read(before, 10, '');
    expect(events.map((event) => readEvent(test.bus, event)).map(({ header, body }) => [header.recordIds, body.Phone])).toEqual([
      [[ids[0]], '1'],
      [[ids[1]], '2'],
      [[ids[2]], '3'],
      [[last], null],
    ]);
    expect(new Set(events.slice(0, 3).map(({ replayId }) => replayId)).size).toBe(1);

    // Read one by one, nothing is left out and nothing comes twice.
    const alone: string[] = [];
    for (let at = before, more1 = more.read(at, 1, ''); more1.events.length > 0; more1 = more.read(at, 1, '')) {
      alone.push(readEvent(test.bus, more1.events[0]!).header.recordIds[0]!);
      at = more1.next;
      expect(test.bus.replayIdOf(test.bus.replayBytes(at))).toBe(more1.events[0]!.replayId);
    }
    expect(alone).toEqual([...ids, last]);
  });

  test('read in pieces of any size, a channel gives what it gives at once', () =>
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.constantFrom('Account', 'Contact', 'both'), { minLength: 1, maxLength: 3 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 }),
        (transactions, sizes) => {
          const test = createBusOrg(['Account', 'Contact']);
          test.bus.defineChannel({
            name: 'All__chn',
            kind: 'change',
            members: [{ eventName: 'AccountChangeEvent', enrichedFields: ['Phone'] }, { eventName: 'ContactChangeEvent' }],
          });
          const ids = [insert(test, 'Account'), insert(test, 'Account'), insert(test, 'Account')];
          for (const writes of transactions) {
            test.org.write((transaction) => {
              for (const kind of writes) {
                if (kind !== 'Account') transaction.insert('Contact', { LastName: 'Kent' });
                if (kind !== 'Contact') for (const id of ids) transaction.update('Account', id, { Fax: kind });
              }
            });
          }
          for (const name of ['/data/All__chn', '/data/ChangeEvents']) {
            const channel = channelOf(test, name);
            const told = (events: ReturnType<Channel['read']>['events']) =>
              events.map((event) => readEvent(test.bus, event).header);
            const whole = told(channel.read(0, 1000, '').events);
            const pieces = [];
            let at = 0;
            for (let i = 0; ; i++) {
              const { events, next } = channel.read(at, sizes[i % sizes.length]!, '');
              if (events.length === 0) break;
              pieces.push(...told(events));
              at = next;
            }
            expect(pieces).toEqual(whole);
          }
        },
      ),
      { numRuns: 50 },
    ));
});

describe('permissions', () => {
  const access = {
    canSeeField: (userId: string, object: string, field: string) =>
      !(userId === 'half' && object === 'Account' && ['Phone', 'BillingStreet'].includes(field)),
    canReadAll: (userId: string, object: string) => !(userId === 'half' && object === 'Contact'),
    canRead: (userId: string) => userId !== 'half',
    canCreate: (userId: string) => userId === 'full',
  };
  const documented = evidence('documented', 'Change Data Capture guide, Required Permissions and Field-Level Security');

  test(`an object's own channel wants View All; on channels of several objects the rest is withheld in silence ${documented}`, () => {
    const test = createBusOrg(['Account', 'Contact'], { access });
    expect(test.bus.channel('/data/ContactChangeEvent')!.canSubscribe('half')).toBe(false);
    expect(test.bus.channel('/data/ContactChangeEvent')!.canSubscribe('full')).toBe(true);
    const channel = test.bus.channel('/data/ChangeEvents')!;
    expect(channel.canSubscribe('half')).toBe(true);
    insert(test, 'Account');
    insert(test, 'Contact');
    expect(channel.read(0, 10, 'half').events.map(({ eventName }) => eventName)).toEqual(['AccountChangeEvent']);
    const { events, next } = channel.read(0, 10, 'half');
    expect(next).toBeGreaterThan(events[0]!.replayId);
    expect(channel.resolve(next)).toBe(next);
  });

  test(`hidden fields are null, and nothing says that they changed; the schema lists them ${documented}`, () => {
    const test = createBusOrg(['Account'], { access });
    const id = insert(test, 'Account', { Phone: '1', BillingStreet: 'A', BillingCity: 'X' });
    test.org.write((transaction) =>
      transaction.update('Account', id, { Phone: null, Fax: '2', BillingStreet: 'B', BillingCity: null }),
    );
    const [whole, update] = eventsOf(test, topic, 'half').map((event) => readEvent(test.bus, event));
    expect(whole!.body).toMatchObject({ Name: 'Acme', Phone: null, BillingAddress: { Street: null, City: 'X' } });
    expect(update!.changed.sort()).toEqual(['BillingAddress.City', 'Fax', 'LastModifiedDate']);
    expect(update!.nulled).toEqual(['BillingAddress.City']);
    expect(update!.body).toMatchObject({ Phone: null, Fax: '2', BillingAddress: { Street: null } });
    expect(JSON.parse(test.bus.channel(topic)!.schema().json).fields.map(({ name }: { name: string }) => name)).toContain(
      'Phone',
    );
    const json = eventsOf(test, topic, 'half').map((event) => event.json());
    expect(json[0]).not.toHaveProperty('Phone');
    expect(json[1]).toMatchObject({
      Fax: '2',
      BillingAddress: { City: null },
      ChangeEventHeader: { changedFields: ['Fax', 'LastModifiedDate', 'BillingAddress.City'] },
    });
    expect(eventsOf(test, topic, 'full').map((event) => event.json())[0]).toMatchObject({ Phone: '1' });
  });

  test(`a platform event wants Read to be heard and Create to be published ${evidence('documented', 'Platform Events Developer Guide, User Permissions')}`, () => {
    const test = createBusOrg([], { access });
    test.bus.definePlatformEvent({ name: 'Ping__e', fields: [] });
    const channel = test.bus.channel('/event/Ping__e')!;
    expect([channel.canSubscribe('half'), channel.canPublish('half')]).toEqual([false, false]);
    expect([channel.canSubscribe('full'), channel.canPublish('full')]).toEqual([true, true]);
    test.bus.defineChannel({ name: 'Ping__chn', kind: 'platform', members: [{ eventName: 'Ping__e' }] });
    test.bus.publish('/event/Ping__e', [{ fields: {} }], test.org.adminUserId);
    expect(eventsOf(test, '/event/Ping__chn', 'full')).toHaveLength(1);
    expect(eventsOf(test, '/event/Ping__chn', 'half')).toHaveLength(0);
  });
});

describe("CometD's form", () => {
  test(`names instead of bitmaps, only what changed, datetimes as text, the number of the commit with all its digits ${evidence('recorded', 'a change of a Contact, as CometD tells it')}`, () => {
    const test = createBusOrg(['Contact']);
    const id = insert(test, 'Contact');
    test.org.write((transaction) =>
      transaction.update('Contact', id, { LastName: 'Youngest', Birthdate: '1969-07-20', Phone: null }),
    );
    const event = eventsOf(test, '/data/ContactChangeEvent').at(-1)!;
    const { header } = readEvent(test.bus, event);
    const text = JSON.stringify(event.json());
    expect(text).toContain(`"commitNumber":${header.commitNumber},`);
    expect(JSON.parse(text)).toEqual({
      Birthdate: '1969-07-20',
      LastModifiedDate: '2024-05-22T13:05:09.000Z',
      Name: { LastName: 'Youngest' },
      ChangeEventHeader: {
        commitNumber: Number(header.commitNumber),
        commitUser: header.commitUser,
        sequenceNumber: 1,
        entityName: 'Contact',
        changeType: 'UPDATE',
        changedFields: ['Birthdate', 'LastModifiedDate', 'Name.LastName'],
        changeOrigin: '',
        transactionKey: header.transactionKey,
        commitTimestamp: Number(header.commitTimestamp),
        recordIds: [id],
      },
    });
  });

  test(`what is cleared is null; a delete is its header; a created record shows what is not empty ${evidence('documented', 'Change Data Capture guide, Change Event Message Structure')}`, () => {
    const test = createBusOrg(['Account']);
    const id = insert(test, 'Account', { Phone: '1' });
    test.org.write((transaction) => transaction.update('Account', id, { Phone: null }));
    test.org.write((transaction) => transaction.delete('Account', id));
    const [created, update, gone] = eventsOf(test, topic).map((event) => event.json());
    expect(Object.keys(created!)).toEqual([
      'Name',
      'Phone',
      'OwnerId',
      'CreatedDate',
      'CreatedById',
      'LastModifiedDate',
      'LastModifiedById',
      'CleanStatus',
      'ChangeEventHeader',
    ]);
    expect(update).toMatchObject({ Phone: null });
    expect(Object.keys(gone!)).toEqual(['ChangeEventHeader']);
  });
});
