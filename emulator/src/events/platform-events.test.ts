// A published event reaches every subscriber once it is accepted, and one that is refused reaches nobody.
import { describe, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { createFaultList } from '../faults/fault-list.ts';
import { createRecordCodec } from './record-codec.ts';
import { type BusOrg, createBusOrg, decode, eventsOf } from './testing.ts';
import type { EventBus, PlatformEventDefinition } from './types.ts';

const guide = (section: string) => evidence('documented', `Platform Events Developer Guide, ${section}`);
const topic = '/event/Order_Shipped__e';

const shipped: PlatformEventDefinition = {
  name: 'Order_Shipped__e',
  fields: [
    { name: 'Number__c', type: 'text', length: 10, required: true },
    { name: 'Weight__c', type: 'number', precision: 5, scale: 2 },
    { name: 'Express__c', type: 'checkbox' },
    { name: 'Day__c', type: 'date' },
    { name: 'At__c', type: 'datetime' },
    { name: 'Note__c', type: 'longtext' },
  ],
};

function createShop(behavior: PlatformEventDefinition['publishBehavior'] = 'immediately', options = {}): BusOrg {
  const test = createBusOrg([], options);
  test.bus.definePlatformEvent({ ...shipped, publishBehavior: behavior });
  return test;
}
const publish = ({ bus, org }: { bus: EventBus; org: BusOrg['org'] }, ...events: Record<string, unknown>[]) =>
  bus.publish(
    topic,
    events.map((fields) => ({ fields })),
    org.adminUserId,
  );

test(`its schema: who and when are never null, every other field may be ${evidence('documented', 'Pub/Sub API guide, example schema of a platform event')}`, () => {
  const { bus } = createShop();
  const { name, fields } = JSON.parse(bus.channel(topic)!.schema().json) as {
    name: string;
    fields: { name: string; type: unknown; doc: string; default?: null }[];
  };
  expect(name).toBe('Order_Shipped__e');
  expect(fields.map((field) => [field.name, field.type, field.doc.replace(/00N\w{12}$/, '00N…')])).toEqual([
    ['CreatedDate', 'long', 'CreatedDate:DateTime'],
    ['CreatedById', 'string', 'CreatedBy:EntityId'],
    ['Number__c', ['null', 'string'], 'Data:Text:00N…'],
    ['Weight__c', ['null', 'double'], 'Data:Double:00N…'],
    ['Express__c', ['null', 'boolean'], 'Data:Boolean:00N…'],
    ['Day__c', ['null', 'long'], 'Data:DateOnly:00N…'],
    ['At__c', ['null', 'long'], 'Data:DateTime:00N…'],
    ['Note__c', ['null', 'string'], 'Data:StringPlusClob:00N…'],
  ]);
});

test(`describe shows it as an object that is created and never read ${guide('Platform Event Fields')}`, () => {
  const { org, bus } = createShop();
  expect(org.schema.object('Order_Shipped__e')).toMatchObject({
    keyPrefix: 'e00',
    createable: true,
    queryable: false,
    updateable: false,
    deletable: false,
  });
  expect(() => org.query('SELECT Id FROM Order_Shipped__e')).toThrow(/not support/);
  bus.definePlatformEvent({ name: 'Other__e', fields: [] });
  expect(org.schema.object('Other__e')!.keyPrefix).toBe('e01');
  expect(bus.platformEvents()).toMatchObject([
    { name: 'Order_Shipped__e', label: 'Order Shipped', publishBehavior: 'immediately', fields: shipped.fields },
    { name: 'Other__e', fields: [] },
  ]);
});

test(`what is published arrives, with its publisher, its time and a UUID ${guide('Publish Event Messages with Salesforce APIs')}`, () => {
  const test = createShop();
  const [outcome] = publish(test, { Number__c: 'A1', Weight__c: 1.5, Day__c: '2024-02-29', At__c: '2024-02-29T10:00:00Z' });
  const [event] = eventsOf(test, topic);
  expect(event).toMatchObject(outcome as object);
  expect(event!.uuid).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(decode(test.bus, event!)).toEqual({
    CreatedDate: BigInt(Date.parse('2024-05-22T13:05:09.000Z')),
    CreatedById: test.org.adminUserId,
    Number__c: { string: 'A1' },
    Weight__c: { double: 1.5 },
    Express__c: { boolean: false },
    Day__c: { long: BigInt(Date.parse('2024-02-29')) },
    At__c: { long: BigInt(Date.parse('2024-02-29T10:00:00Z')) },
    Note__c: null,
  });
  expect(event!.json()).toEqual({
    CreatedDate: '2024-05-22T13:05:09.000Z',
    CreatedById: test.org.adminUserId,
    ...{
      Number__c: 'A1',
      Weight__c: 1.5,
      Express__c: false,
      Day__c: '2024-02-29',
      At__c: '2024-02-29T10:00:00.000Z',
      Note__c: null,
    },
  });
});

test.each([
  ['a required field is missing', { Weight__c: 1 }, 'REQUIRED_FIELD_MISSING', 'Required fields are missing: [Number__c]'],
  [
    'a field is unknown',
    { Number__c: 'A', What__c: 1 },
    'INVALID_FIELD',
    "No such column 'What__c' on sobject of type Order_Shipped__e",
  ],
  ['a text is too long', { Number__c: '12345678901' }, 'STRING_TOO_LONG', 'data value too large'],
  ['a number is none', { Number__c: 'A', Weight__c: 'heavy' }, 'JSON_PARSER_ERROR', 'Cannot deserialize'],
  ['a number is too large', { Number__c: 'A', Weight__c: 1000 }, 'NUMBER_OUTSIDE_VALID_RANGE', 'outside of valid range'],
  [
    'a system field is given',
    { Number__c: 'A', EventUuid: 'x' },
    'INVALID_FIELD_FOR_INSERT_UPDATE',
    'Unable to create/update fields: EventUuid',
  ],
])(
  `an event is refused when %s, and the others are published ${evidence('documented', 'REST API Developer Guide, Status Codes and Error Responses')}`,
  (_what, fields, code, message) => {
    const test = createShop();
    const outcomes = publish(test, { Number__c: 'before' }, fields, { Number__c: 'after' });
    expect(outcomes[1]).toMatchObject({ error: { code, message: expect.stringContaining(message) } });
    expect(eventsOf(test, topic).map((event) => event.json().Number__c)).toEqual(['before', 'after']);
  },
);

describe('inserted in a transaction', () => {
  const fields = { Number__c: 'A1' };
  test(`published at once, whatever becomes of the transaction ${guide('Publish Behavior')}`, () => {
    const test = createShop('immediately');
    const transaction = test.org.begin();
    const outcome = transaction.insert('Order_Shipped__e', fields);
    expect(outcome).toMatchObject({ created: true, id: expect.stringMatching(/^e00\w{15}$/) });
    expect(eventsOf(test, topic).map(({ uuid }) => uuid)).toEqual([outcome.eventUuid]);
    transaction.rollback();
    expect(eventsOf(test, topic)).toHaveLength(1);
  });

  test(`published after commit: not before, and not at all when it is rolled back ${guide('Publish Behavior')}`, () => {
    const test = createShop('afterCommit');
    const transaction = test.org.begin();
    const first = transaction.insert('Order_Shipped__e', fields);
    const savepoint = transaction.savepoint();
    transaction.insert('Order_Shipped__e', { Number__c: 'undone' });
    transaction.rollbackTo(savepoint);
    expect(eventsOf(test, topic)).toEqual([]);
    transaction.commit();
    expect(eventsOf(test, topic).map(({ uuid }) => uuid)).toEqual([first.eventUuid]);
    const other = test.org.begin();
    other.insert('Order_Shipped__e', fields);
    other.rollback();
    expect(eventsOf(test, topic)).toHaveLength(1);
  });

  test(`it is no record: it has no change event, takes no sequence number and cannot be changed ${guide('What Is the Difference Between the Salesforce Events?')}`, () => {
    const test = createShop('afterCommit');
    test.bus.selectForChangeEvents(['Account']);
    const id = test.org.write((transaction) => {
      const inserted = transaction.insert('Order_Shipped__e', fields);
      transaction.insert('Account', { Name: 'Acme' });
      return inserted.id;
    });
    expect(eventsOf(test, '/data/ChangeEvents').map((event) => event.json().ChangeEventHeader)).toMatchObject([
      { sequenceNumber: 1 },
    ]);
    expect(() => test.org.write((transaction) => transaction.update('Order_Shipped__e', id, { Weight__c: 1 }))).toThrow();
    expect(() => test.bus.selectForChangeEvents(['Order_Shipped__e'])).toThrow(TypeError);
  });
});

describe('published as Avro', () => {
  const record = (bus: EventBus) => createRecordCodec(JSON.parse(bus.channel(topic)!.schema().json));
  const body = { CreatedDate: 5, CreatedById: '005xx', Number__c: 'A1' };

  test(`the bytes arrive as they are, and the publisher's id is the event's UUID ${evidence('documented', 'Pub/Sub API guide, Publish RPC Method')}`, () => {
    const test = createShop();
    const { schema, encodeBody } = record(test.bus);
    const [outcome] = test.bus.publish(topic, [{ schemaId: schema.id, payload: encodeBody(body), id: 'mine' }], '005xx');
    const [event] = eventsOf(test, topic);
    expect(event!.payload()).toEqual(encodeBody(body));
    expect(outcome).toEqual({ replayId: event!.replayId, uuid: 'mine' });
  });

  test(`another schema is refused; the content is not looked at ${evidence('documented', 'Pub/Sub API guide, Publish RPC Method')}`, () => {
    const test = createShop();
    const { schema, encodeBody } = record(test.bus);
    const outcomes = test.bus.publish(
      topic,
      [
        { schemaId: 'another', payload: encodeBody(body) },
        { schemaId: schema.id, payload: Buffer.from([1, 2]) },
        { schemaId: schema.id, payload: Buffer.alloc(1_048_577) },
      ],
      '005xx',
    );
    expect(outcomes).toMatchObject([
      { error: { code: 'INVALID_SCHEMA' } },
      { replayId: expect.any(Number) },
      { error: { code: 'LIMIT_EXCEEDED' } },
    ]);
    expect(() => eventsOf(test, topic)[0]!.json()).toThrow();
  });
});

test(`a custom channel carries several events, filtered ${guide('Filter Your Stream of Events')}`, () => {
  const test = createShop();
  test.bus.definePlatformEvent({ name: 'Ping__e', fields: [] });
  test.bus.defineChannel({
    name: 'Shop__chn',
    kind: 'platform',
    members: [
      { eventName: 'Order_Shipped__e', filterExpression: 'Weight__c >= 10 AND Express__c = true' },
      { eventName: 'Ping__e' },
    ],
  });
  publish(test, { Number__c: 'light', Weight__c: 1, Express__c: true }, { Number__c: 'heavy', Weight__c: 10, Express__c: true });
  test.bus.publish('/event/Ping__e', [{ fields: {} }], test.org.adminUserId);
  const events = eventsOf(test, '/event/Shop__chn');
  expect(events.map(({ eventName }) => eventName)).toEqual(['Order_Shipped__e', 'Ping__e']);
  expect(events[0]!.json().Number__c).toBe('heavy');
  expect(test.bus.channel('/event/Shop__chn')!.canPublish(test.org.adminUserId)).toBe(false);
});

test(`an event delivered twice keeps its UUID and has another replay id; a lost one is accepted and never comes ${guide('EventUuid')}`, () => {
  const faults = createFaultList();
  const test = createShop('immediately', { faults });
  faults.add({ kind: 'duplicate-event', match: { topic, method: 'PUBLISH', nth: 1 } });
  faults.add({ kind: 'lost-event', match: { topic, nth: 2 } });
  const outcomes = publish(test, { Number__c: 'twice' }, { Number__c: 'lost' });
  const events = eventsOf(test, topic);
  expect(events.map((event) => event.json().Number__c)).toEqual(['twice', 'twice']);
  expect(new Set(events.map(({ uuid }) => uuid)).size).toBe(1);
  expect(new Set(events.map(({ replayId }) => replayId)).size).toBe(2);
  expect(outcomes[1]).toMatchObject({ uuid: expect.any(String) });
});

test(`wrong definitions are refused ${guide('Platform Event Fields')}`, () => {
  const { bus } = createBusOrg();
  expect(() => bus.definePlatformEvent({ name: 'Order', fields: [] })).toThrow(/__e/);
  expect(() => bus.definePlatformEvent({ name: 'A__e', fields: [{ name: 'x', type: 'text' }] })).toThrow(/__c/);
  expect(() => bus.definePlatformEvent({ name: 'A__e', fields: [{ name: 'X__c', type: 'picklist' as 'text' }] })).toThrow(
    /picklist/,
  );
  expect(bus.publish('/event/Nothing__e', [{ fields: {} }], '')).toMatchObject([{ error: { code: 'NOT_FOUND' } }]);
});
