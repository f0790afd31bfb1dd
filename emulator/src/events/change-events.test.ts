// A change event must say exactly what its transaction did: a field too few stays stale in every copy, one too many
// overwrites it.
import { expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { createFaultList } from '../faults/fault-list.ts';
import { captureLimits } from './capture-commit.ts';
import { type BusOrg, createBusOrg, decode, eventsOf, notNull, type ReadEvent, readEvent } from './testing.ts';

const header = evidence('documented', 'Change Data Capture guide, Change Event Header Fields');
const fields = evidence('documented', 'Change Data Capture guide, Change Event Body Fields; recorded events of an Account');

const told = (org: BusOrg, topic = '/data/ChangeEvents'): ReadEvent[] =>
  eventsOf(org, topic).map((event) => readEvent(org.bus, event));
const last = (org: BusOrg, topic?: string): ReadEvent => told(org, topic).at(-1)!;
const now = BigInt(Date.parse('2024-05-22T13:05:09.000Z'));

function account(org: BusOrg, values: Record<string, string | number> = {}): string {
  return org.org.write((transaction) => transaction.insert('Account', { Name: 'Acme', ...values })).id;
}

test(`the header tells the transaction: who, when, from where, in which order ${header}`, () => {
  const test = createBusOrg(['Account', 'Contact']);
  const ids = test.org.write(
    (transaction) => [transaction.insert('Account', { Name: 'Acme' }).id, transaction.insert('Contact', { LastName: 'Kent' }).id],
    { origin: 'com/salesforce/api/rest/62.0;client=tide' },
  );
  const events = told(test);
  const shared = {
    changeType: 'CREATE',
    changeOrigin: 'com/salesforce/api/rest/62.0;client=tide',
    transactionKey: events[0]!.header.transactionKey,
    commitTimestamp: now,
    commitNumber: events[0]!.header.commitNumber,
    commitUser: test.org.adminUserId,
  };
  expect(events.map((event) => event.header)).toEqual([
    { ...shared, entityName: 'Account', recordIds: [ids[0]], sequenceNumber: 1 },
    { ...shared, entityName: 'Contact', recordIds: [ids[1]], sequenceNumber: 2 },
  ]);
  expect(shared.transactionKey).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(shared.commitNumber).toBeGreaterThan(BigInt(Number.MAX_SAFE_INTEGER));
});

test(`commit times are whole seconds ${evidence('recorded', 'every recorded change event')}`, () => {
  const test = createBusOrg(['Account']);
  test.clock.freeze(Number(now) + 789);
  account(test);
  expect(last(test).header.commitTimestamp).toBe(now);
});

test(`the next transaction has another key and a greater commit number; the server's own work has no origin ${header}`, () => {
  const test = createBusOrg(['Account']);
  account(test);
  account(test);
  const [first, second] = told(test);
  expect(second!.header.transactionKey).not.toBe(first!.header.transactionKey);
  expect(second!.header.commitNumber).toBeGreaterThan(first!.header.commitNumber);
  expect(second!.header).toMatchObject({ changeOrigin: '', sequenceNumber: 1 });
});

test(`sequence numbers count what is not captured ${header}`, () => {
  const test = createBusOrg(['Account']);
  test.org.write((transaction) => {
    transaction.insert('Account', { Name: 'a' });
    transaction.insert('Contact', { LastName: 'b' });
    transaction.insert('Account', { Name: 'c' });
  });
  expect(told(test).map((event) => event.header.sequenceNumber)).toEqual([1, 3]);
});

test(`a created record comes whole, and no field is said to have changed ${fields}`, () => {
  const test = createBusOrg(['Account']);
  account(test, {
    BillingStreet: '1 A St',
    BillingCountry: 'Peru',
    AnnualRevenue: 5.5,
    NumberOfEmployees: 7,
    SLAExpirationDate__c: '2022-05-31',
  });
  const event = last(test);
  expect(notNull(event.body)).toEqual({
    Name: 'Acme',
    CleanStatus: 'Pending',
    BillingAddress: {
      ...{ Street: '1 A St', City: null, State: null, PostalCode: null, Country: 'Peru' },
      ...{ Latitude: null, Longitude: null, GeocodeAccuracy: null },
    },
    AnnualRevenue: 5.5,
    NumberOfEmployees: 7,
    OwnerId: test.org.adminUserId,
    CreatedDate: now,
    CreatedById: test.org.adminUserId,
    LastModifiedDate: now,
    LastModifiedById: test.org.adminUserId,
    SLAExpirationDate__c: 1653955200000n,
  });
  expect(event).toMatchObject({ changed: [], nulled: [], diffs: [] });
});

test(`an update carries what changed and nothing else; what was cleared is named ${fields}`, () => {
  const test = createBusOrg(['Account']);
  const id = account(test, { Phone: '1', Industry: 'Banking', BillingStreet: '1 A St', BillingCity: 'X' });
  test.clock.freeze(Number(now) + 5000);
  test.org.write((transaction) =>
    transaction.update('Account', id, { Phone: null, Industry: 'Energy', BillingStreet: null, BillingState: 'Y' }),
  );
  const event = last(test);
  expect(event.changed.sort()).toEqual([
    'BillingAddress.State',
    'BillingAddress.Street',
    'Industry',
    'LastModifiedDate',
    'Phone',
  ]);
  expect(event.nulled.sort()).toEqual(['BillingAddress.Street', 'Phone']);
  expect(notNull(event.body)).toEqual({
    Industry: 'Energy',
    LastModifiedDate: now + 5000n,
    BillingAddress: {
      ...{ Street: null, City: null, State: 'Y', PostalCode: null, Country: null },
      ...{ Latitude: null, Longitude: null, GeocodeAccuracy: null },
    },
  });
});

test(`who changed it is told only when it is somebody else; when, even within the same second ${fields}`, () => {
  const test = createBusOrg(['Account']);
  const id = account(test);
  test.org.write((transaction) => transaction.update('Account', id, { Phone: '1' }));
  expect(last(test).changed.sort()).toEqual(['LastModifiedDate', 'Phone']);
  const other = test.org.load('User', [
    { Username: 'b@example.com', LastName: 'B', Alias: 'b', Email: 'b@example.com', CommunityNickname: 'b' },
  ]);
  expect(other).toBe(1);
  const [user] = test.org.query("SELECT Id FROM User WHERE Alias = 'b'").page(0, 1, 'v62.0') as { Id: string }[];
  test.org.write((transaction) => transaction.update('Account', id, { Phone: '2' }), { userId: user!.Id });
  const event = last(test);
  expect(event.changed.sort()).toEqual(['LastModifiedById', 'LastModifiedDate', 'Phone']);
  expect(event.body.LastModifiedById).toBe(user!.Id);
  expect(event.header.commitUser).toBe(user!.Id);
});

test(`what the server changes by itself leaves the date of the last edit alone ${evidence('recorded', 'an event of background geocoding has no LastModifiedDate')}`, () => {
  const test = createBusOrg(['Thing__c']);
  const parent = account(test);
  test.org.write((transaction) => transaction.insert('Thing__c', { Name: 't', Account__c: parent }));
  test.clock.freeze(Number(now) + 5000);
  test.org.write((transaction) => transaction.delete('Account', parent));
  expect(last(test)).toMatchObject({ changed: ['Account__c'], nulled: ['Account__c'] });
});

test(`what the server touches without changing a field that events have is not told, even in the second of an edit ${evidence('assumed', 'roll-ups of a parent make no event of their own')}`, () => {
  const test = createBusOrg(['Account']);
  const id = account(test);
  test.org.write((transaction) => transaction.update('Account', id, {}));
  expect(told(test)).toHaveLength(1);
  test.clock.freeze(Number(now) + 5000);
  test.org.write((transaction) => transaction.update('Account', id, {}));
  expect(last(test).changed).toEqual(['LastModifiedDate']);
});

test(`person names are records with parts ${evidence('recorded', 'a change of a Contact, as CometD tells it')}`, () => {
  const test = createBusOrg(['Contact']);
  const { id } = test.org.write((transaction) => transaction.insert('Contact', { LastName: 'Kent', FirstName: 'C' }));
  expect(last(test).body.Name).toEqual({ Salutation: null, FirstName: 'C', LastName: 'Kent' });
  test.org.write((transaction) => transaction.update('Contact', id, { LastName: 'Youngest' }));
  expect(last(test).changed.sort()).toEqual(['LastModifiedDate', 'Name.LastName']);
  expect(last(test).body.Name).toEqual({ Salutation: null, FirstName: null, LastName: 'Youngest' });
});

test(`a geolocation of a custom object is told whole ${evidence('documented', 'Change Data Capture guide, Custom Geolocation Fields')}`, () => {
  const test = createBusOrg(['Thing__c']);
  const { id } = test.org.write((transaction) =>
    transaction.insert('Thing__c', { Name: 't', Place__Latitude__s: 1, Place__Longitude__s: 2 }),
  );
  test.org.write((transaction) => transaction.update('Thing__c', id, { Place__Latitude__s: 3 }));
  const event = last(test);
  expect(event.changed.sort()).toEqual(['LastModifiedDate', 'Place__c.Latitude', 'Place__c.Longitude']);
  expect(event.body.Place__c).toEqual({ Latitude: 3, Longitude: 2 });
});

test(`a delete is a header; an undelete comes whole; the recycle bin is emptied in silence ${fields}`, () => {
  const test = createBusOrg(['Account']);
  const id = account(test, { Phone: '1' });
  test.org.write((transaction) => transaction.delete('Account', id));
  expect(last(test)).toMatchObject({ header: { changeType: 'DELETE', recordIds: [id] }, changed: [] });
  expect(notNull(last(test).body)).toEqual({});
  test.org.write((transaction) => transaction.undelete('Account', id));
  expect(last(test)).toMatchObject({ header: { changeType: 'UNDELETE' }, changed: [], body: { Name: 'Acme', Phone: '1' } });
  test.org.write((transaction) => transaction.delete('Account', id));
  const before = told(test).length;
  test.org.write((transaction) => transaction.purge('Account', [id]));
  expect(told(test)).toHaveLength(before);
});

test(`to remove a living record for good is to delete it ${evidence('assumed', 'a hard delete deletes first; the guide is silent')}`, () => {
  const test = createBusOrg(['Account']);
  const id = account(test);
  test.org.write((transaction) => transaction.purge('Account', [id]));
  expect(last(test).header).toMatchObject({ changeType: 'DELETE', recordIds: [id] });
});

test(`children that go with their parent are told too ${evidence('documented', 'Change Data Capture guide, Cascade Deletes')}`, () => {
  const test = createBusOrg(['Account', 'Contact']);
  const id = account(test);
  const child = test.org.write((transaction) => transaction.insert('Contact', { LastName: 'Kent', AccountId: id })).id;
  test.org.write((transaction) => transaction.delete('Account', id));
  expect(
    told(test)
      .slice(-2)
      .map((event) => [event.header.changeType, event.header.recordIds[0]]),
  ).toEqual([
    ['DELETE', id],
    ['DELETE', child],
  ]);
});

test(`several writes of one record are one event with the first kind of change and the last values ${header}`, () => {
  const test = createBusOrg(['Account']);
  test.org.write((transaction) => {
    const { id } = transaction.insert('Account', { Name: 'first' });
    transaction.update('Account', id, { Name: 'second' });
    transaction.delete('Account', transaction.insert('Account', { Name: 'gone' }).id);
  });
  expect(told(test).map((event) => [event.header.changeType, event.body.Name])).toEqual([['CREATE', 'second']]);
});

test(`the same change of several records is one event ${evidence('recorded', 'an update of twenty Accounts')}`, () => {
  const test = createBusOrg(['Account']);
  const ids = [1, 2, 3].map(() => account(test));
  test.org.write((transaction) => {
    for (const id of ids) transaction.update('Account', id, { Phone: id === ids[1] ? 'other' : '1' });
  });
  expect(
    told(test)
      .slice(3)
      .map((event) => [event.header.recordIds, event.header.sequenceNumber, event.body.Phone]),
  ).toEqual([
    [[ids[0], ids[2]], 1, '1'],
    [[ids[1]], 2, 'other'],
  ]);
  test.org.write((transaction) => {
    for (const id of ids) transaction.delete('Account', id);
  });
  expect(last(test).header).toMatchObject({ changeType: 'DELETE', recordIds: ids });
});

test(`records created alike are told one by one ${evidence('recorded', 'three Accounts of one transaction')}`, () => {
  const test = createBusOrg(['Account']);
  test.org.write((transaction) => [1, 2].map(() => transaction.insert('Account', { Name: 'same' })));
  expect(told(test).map((event) => event.header.recordIds.length)).toEqual([1, 1]);
});

test(`a long text's change is a diff ${evidence('documented', 'Change Data Capture guide, Change Events for Large Text Fields')}`, () => {
  const test = createBusOrg(['Account']);
  const lines = Array.from({ length: 60 }, (_, i) => `line ${i} of a description that is long`);
  const id = account(test, { Description: lines.join('\n') });
  test.org.write((transaction) => transaction.update('Account', id, { Description: lines.with(1, 'changed').join('\n') }));
  const event = last(test);
  expect(event.diffs).toEqual(['Description']);
  expect(event.changed.sort()).toEqual(['Description', 'LastModifiedDate']);
  expect(event.body.Description).toMatch(/^--- \n\+\+\+ [0-9a-f]{64}\n@@ -2,1 \+2,1 @@\n-line 1 of.*\n\+changed$/s);
  expect(eventsOf(test, '/data/ChangeEvents').at(-1)!.json().Description).toEqual({ diff: event.body.Description });
  expect(told(test)[0]!.body.Description).toBe(lines.join('\n'));
});

test(`an event that would be too large is a gap ${evidence('documented', 'Change Data Capture guide, Gap Events')}`, () => {
  const test = createBusOrg(['Account'], { limits: { eventBytesMax: 2000 } });
  account(test, { Description: 'x'.repeat(3000) });
  const event = last(test);
  expect(event.header).toMatchObject({ changeType: 'GAP_CREATE', sequenceNumber: 1 });
  expect(notNull(event.body)).toEqual({});
});

test(`an event may have a megabyte ${evidence('documented', 'Change Data Capture guide, Allocations')}`, () => {
  expect(captureLimits).toEqual({ eventBytesMax: 1_048_576, changesMax: 100_000 });
});

test(`beyond so many changes a transaction tells the rest as one overflow of each object; each field of an update counts ${evidence('documented', 'Change Data Capture guide, Overflow Events')}`, () => {
  const test = createBusOrg(['Account', 'Contact'], { limits: { changesMax: 4 } });
  const id = account(test);
  test.org.write((transaction) => {
    transaction.insert('Contact', { LastName: 'a' });
    transaction.update('Account', id, { Phone: '1', Fax: '2' });
    transaction.insert('Contact', { LastName: 'beyond' });
    transaction.insert('Contact', { LastName: 'beyond, too' });
    transaction.insert('Account', { Name: 'beyond' });
  });
  const events = told(test).slice(1);
  expect(
    events.map(({ header: { changeType, entityName, recordIds, sequenceNumber } }) => [
      changeType,
      entityName,
      recordIds.length,
      sequenceNumber,
    ]),
  ).toEqual([
    ['CREATE', 'Contact', 1, 1],
    ['UPDATE', 'Account', 1, 2],
    ['GAP_OVERFLOW', 'Contact', 1, 3],
    ['GAP_OVERFLOW', 'Account', 1, 4],
  ]);
  expect(events[2]!.header.recordIds).toEqual(['000000000000000AAA']);
  expect(notNull(events[2]!.body)).toEqual({});
});

test(`what is not selected, rolled back or loaded makes no event ${evidence('documented', 'Change Data Capture guide, Select Objects')}`, () => {
  const test = createBusOrg(['Contact']);
  account(test);
  test.org.begin().insert('Contact', { LastName: 'open' });
  const transaction = test.org.begin();
  transaction.insert('Contact', { LastName: 'back' });
  transaction.rollback();
  test.org.load('Contact', [{ LastName: 'loaded' }]);
  expect(told(test)).toEqual([]);
  expect(test.bus.channel('/data/AccountChangeEvent')).toBeUndefined();
  expect(() => test.bus.selectForChangeEvents(['Organization'])).toThrow(/Organization/);
  expect(() => test.bus.selectForChangeEvents(['Nothing__c'])).toThrow(/Nothing__c/);
});

test(`a field whose new type cannot keep its values is told as one gap of all records ${evidence('documented', 'Change Data Capture guide, Gap Events: field type conversions, recordIds with a wildcard')}`, () => {
  const test = createBusOrg(['Account']);
  const id = account(test);
  const become = (type: 'string' | 'double' | 'boolean') => {
    const object = test.schema.object('Account')!;
    const field = { ...test.schema.field('Account', 'Site')!, name: 'Changing__c', custom: true, type };
    test.schema.add({ ...object, fields: [field] });
  };
  become('double');
  become('string');
  expect(told(test)).toHaveLength(1);
  become('boolean');
  expect(last(test)).toMatchObject({ header: { changeType: 'GAP_UPDATE', recordIds: ['001*'], changeOrigin: '' }, changed: [] });
  expect(test.org.query('SELECT Changing__c FROM Account').page(0, 1, 'v62.0')).toMatchObject([{ Changing__c: false }]);
  test.org.write((transaction) => transaction.update('Account', id, { Phone: '1' }));
  expect(last(test).header.changeType).toBe('UPDATE');
});

test(`gaps and overflows can be made ${header}`, () => {
  const test = createBusOrg(['Account']);
  const id = account(test);
  test.bus.emitGap('Account', 'GAP_UPDATE', [id.slice(0, 15)]);
  test.bus.emitGap('Account', 'GAP_UPDATE', ['001*']);
  test.bus.emitOverflow('Account');
  expect(
    told(test)
      .slice(1)
      .map((event) => [event.header.changeType, event.header.recordIds, event.header.changeOrigin]),
  ).toEqual([
    ['GAP_UPDATE', [id], ''],
    ['GAP_UPDATE', ['001*'], ''],
    ['GAP_OVERFLOW', ['000000000000000AAA'], ''],
  ]);
  expect(() => test.bus.emitGap('Account', 'GAP_UPDATE', ['nonsense'])).toThrow(TypeError);
  expect(() => test.bus.emitOverflow('Contact')).toThrow(/not selected/);
});

test(`faults turn events into gaps and overflows, lose and repeat them ${evidence('assumed', 'faults are ours; what they show is documented')}`, () => {
  const faults = createFaultList();
  const test = createBusOrg(['Account'], { faults });
  const topic = '/data/AccountChangeEvent';
  faults.add({ kind: 'gap-event', match: { topic, nth: 1 } });
  faults.add({ kind: 'overflow-event', match: { topic, nth: 2 } });
  faults.add({ kind: 'lost-event', match: { nth: 3 } });
  faults.add({ kind: 'duplicate-event', match: { nth: 4, method: 'CREATE' } });
  const ids = [1, 2, 3, 4].map((n) => account(test, { Phone: `${n}` }));
  const events = eventsOf(test, topic);
  expect(
    events.map((event) => readEvent(test.bus, event).header).map(({ changeType, recordIds }) => [changeType, recordIds[0]]),
  ).toEqual([
    ['GAP_CREATE', ids[0]],
    ['GAP_OVERFLOW', '000000000000000AAA'],
    ['CREATE', ids[3]],
    ['CREATE', ids[3]],
  ]);
  const [first, second] = events.slice(2);
  expect(second!.replayId).toBeGreaterThan(first!.replayId);
  expect(second!.uuid).toBe(first!.uuid);
  expect(decode(test.bus, second!)).toEqual(decode(test.bus, first!));
});
