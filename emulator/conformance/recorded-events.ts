import { isDeepStrictEqual } from 'node:util';
import { type AvroRecord, type ChangeEventHeader, identify } from '../src/events/avro-schema.ts';
import { decodeBitmaps, encodeBitmaps } from '../src/events/bitmap.ts';
import { createEventBus } from '../src/events/event-bus.ts';
import { createRecordCodec, decodeHeader, type EventRecord } from '../src/events/record-codec.ts';
import type { ChannelEvent, EventBus } from '../src/events/types.ts';
import { createClock } from '../src/org/clock.ts';
import { createOrg } from '../src/org/org.ts';
import type { Org, Values } from '../src/org/types.ts';
import { declareObject } from '../src/schema/declare.ts';
import { isName, required, text } from '../src/schema/fields.ts';
import { createSchema } from '../src/schema/schema.ts';
import { audit, identity, owner } from '../src/schema/system-fields.ts';
import { objectsAsIn } from './recorded-account.ts';
import type { Recording } from './recording.ts';

/** Schemas that were recorded with their ids. */
const newer = 'i8wgJwwM-AVcDbFkbRl5Nw';
const older = '4egfTTaxua4Y39nYlBXfNg';
const schemaFile = (id: string) => `avro/AccountChangeEvent.schema-${id}.avsc`;

export function compareEvents(recording: Recording): void {
  compareSchemas(recording);
  compareGolden(recording);
  compareUpdate(recording);
  compareCreates(recording);
  compareMerged(recording);
}

/** The ids follow from the schemas; and the schemas follow from the describe of the org that they were recorded in. */
function compareSchemas(recording: Recording): void {
  for (const id of [newer, older]) {
    const file = schemaFile(id);
    recording.equal(file, 'id', id, identify(recording.json(file)).id);
    const { bus } = orgAsIn(recording, file, 'Account');
    const ours = bus.channel('/data/AccountChangeEvent')!.schema();
    if (id === newer) recording.equal(file, 'id by describe', id, ours.id);
    compareFields(recording, file, JSON.parse(ours.json));
  }
  const file = 'avro/AccountChangeEvent.avsc';
  const account = orgAsIn(recording, file, 'Account').bus.channel('/data/AccountChangeEvent')!.schema();
  recording.equal(file, 'id', identify(recording.json(file)).id, account.id);
  compareFields(recording, file, JSON.parse(account.json));
  const custom = 'avro/Some_Custom_Object__ChangeEvent.avsc';
  const { bus } = orgAsIn(recording, custom, 'Some_Custom_Object__c');
  const ours = bus.channel('/data/Some_Custom_Object__ChangeEvent')!.schema();
  recording.equal(custom, 'id', identify(recording.json(custom)).id, ours.id);
  compareFields(recording, custom, JSON.parse(ours.json));
}

function compareFields(recording: Recording, file: string, ours: AvroRecord): void {
  const recorded: AvroRecord = recording.json(file);
  const names = (schema: AvroRecord) => schema.fields.map(({ name }) => name);
  recording.equal(file, 'names', names(recorded), names(ours));
  recorded.fields.forEach((field, i) => {
    const here = ours.fields[i]!;
    recording.equal(file, `${field.name}.type`, shapeOf(field.type), shapeOf(here.type));
    recording.equal(file, `${field.name}.doc`, withoutId(field.doc), withoutId(here.doc));
    recording.equal(file, `${field.name}.default`, field.default, here.default);
  });
}

/** A type in few words: `null|Address(Street:null|string, …)`. */
function shapeOf(type: unknown): string {
  if (typeof type === 'string') return type;
  if (Array.isArray(type)) return type.map(shapeOf).join('|');
  const { name, items, symbols, fields } = type as {
    name: string;
    items?: string;
    symbols?: string[];
    fields?: AvroRecord['fields'];
  };
  if (fields) return `${name}(${fields.map((each) => `${each.name}:${shapeOf(each.type)}`).join(', ')})`;
  return symbols ? `${name}(${symbols.join(', ')})` : `list of ${items}`;
}

/** A custom field's doc ends with its id. */
const withoutId = (doc: string | undefined) => doc?.replace(/:00N\w{12}$/, ':00N');

interface Golden {
  file: string;
  schemaId: string;
  replayIdHex: string;
  header: Record<string, unknown> & { changedFields: string[] };
  changedFieldsExpanded: string[];
  nonNullBody: Record<string, unknown>;
}
interface RecordedEvent {
  event: { schemaId: string; payload: string };
  replayId: string;
}

function eventsIn(recording: Recording, file: string): RecordedEvent[] {
  const content = recording.json(`events/${file}`);
  return Array.isArray(content) ? content : content.events;
}

/** The recorded payloads mean here what they were found to mean. */
function compareGolden(recording: Recording): void {
  const golden: Golden[] = recording.json('events/pubsub-decoded-golden.json');
  const at = new Map<string, number>();
  for (const expected of golden) {
    const i = at.get(expected.file) ?? 0;
    at.set(expected.file, i + 1);
    const file = `events/${expected.file}`;
    const { event, replayId } = eventsIn(recording, expected.file)[i]!;
    const read = readPayload(recording.json(schemaFile(event.schemaId)), Buffer.from(event.payload, 'base64'));
    recording.equal(file, `[${i}].replayId`, expected.replayIdHex, Buffer.from(replayId, 'base64').toString('hex'));
    recording.equal(file, `[${i}].header`, expected.header, { ...read.header, commitNumber: Number(read.header.commitNumber) });
    recording.equal(file, `[${i}].changed`, expected.changedFieldsExpanded, read.changed);
    recording.equal(file, `[${i}].body`, expected.nonNullBody, read.body);
    recording.equal(file, `[${i}].bitmaps`, read.header.changedFields, encodeBitmaps(decodeBitmaps(read.header.changedFields)));
  }
  recording.equal('events/pubsub-decoded-golden.json', 'events', golden.length, 4);
}

interface ReadPayload {
  header: ChangeEventHeader;
  changed: string[];
  nulled: string[];
  body: EventRecord;
}

function readPayload(schema: AvroRecord, payload: Uint8Array): ReadPayload {
  const { header, end } = decodeHeader(payload);
  const body = plain(createRecordCodec(schema).decodeBody(payload, end)) as EventRecord;
  const names = (bitmaps: readonly string[]) =>
    decodeBitmaps(bitmaps).map(({ index, part }) => `${schema.fields[index]!.name}${part === undefined ? '' : `.${part}`}`);
  return {
    header: { ...header },
    changed: names(header.changedFields),
    nulled: names(header.nulledFields),
    body: Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null)),
  };
}

/** Avro's classes as plain objects. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, plain(child)]));
}

interface RecordedOrg {
  org: Org;
  bus: EventBus;
}

/** An org with the fields of one that was recorded. Its clock moves on with each transaction. */
function orgAsIn(recording: Recording, file: string, object: string): RecordedOrg {
  const blank = { label: object, keyPrefix: 'a00', custom: true };
  const system = [...identity('Record ID'), owner(['Group', 'User']), text('Name', 'Name', 80, isName, required), ...audit()];
  const known = object.endsWith('__c') ? declareObject(object, blank, system) : undefined;
  const objects = objectsAsIn(object, recording.json(file), known);
  const clock = createClock(Date.parse('2026-02-17T01:29:32.000Z'));
  clock.freeze(clock.now());
  const schema = createSchema({ now: () => clock.now(), objects });
  const org = createOrg({ schema, clock });
  const bus = createEventBus(org);
  bus.selectForChangeEvents([object]);
  return { org, bus };
}

const origin = 'com/salesforce/api/rest/66.0;client=recorded';

function write<T>({ org }: RecordedOrg, work: (transaction: ReturnType<Org['begin']>) => T): T {
  org.clock.advance(5_000);
  return org.write(work, { origin });
}

const all = ({ bus, org }: RecordedOrg, topic: string): ChannelEvent[] =>
  bus.channel(topic)!.read(0, 1000, org.adminUserId).events;

function newEvents(recorded: RecordedOrg, work: () => unknown): ReadPayload[] {
  const before = all(recorded, '/data/ChangeEvents').length;
  work();
  return all(recorded, '/data/ChangeEvents')
    .slice(before)
    .map((event) => readPayload(JSON.parse(recorded.bus.schema(event.schemaId)!.json), event.payload()));
}

function compareUpdate(recording: Recording): void {
  const org = orgAsIn(recording, schemaFile(newer), 'Account');
  const { id } = write(org, (transaction) => transaction.insert('Account', { Name: 'Acme' }));
  const [recorded] = recordedPayloads(recording, 'pubsub-AccountUpdateEvents.json');
  const ours = newEvents(org, () => write(org, (tx) => tx.update('Account', id, { Amount_Owed__c: 3233 })));
  const file = 'events/pubsub-AccountUpdateEvents.json';
  recording.equal(file, 'events', 1, ours.length);
  compareEvent(recording, file, recorded!, ours[0]!);
}

function compareCreates(recording: Recording): void {
  const file = 'events/pubsub-AccountCreationEvents.json';
  const org = orgAsIn(recording, schemaFile(older), 'Account');
  const recordType = write(org, (tx) =>
    tx.insert('RecordType', { Name: 'Business', DeveloperName: 'Business', SobjectType: 'Account' }),
  );
  const recorded = recordedPayloads(recording, 'pubsub-AccountCreationEvents.json');
  const ours = newEvents(org, () =>
    write(org, (transaction) => {
      for (const { body } of recorded) transaction.insert('Account', valuesOf(body, recordType.id));
    }),
  );
  recording.equal(file, 'events', recorded.length, ours.length);
  recorded.forEach((each, i) => {
    compareEvent(recording, file, each, ours[i]!, `[${i}].`);
    recording.equal(file, `[${i}].sequenceNumber`, each.header.sequenceNumber, ours[i]!.header.sequenceNumber);
  });
  const transactions = (events: readonly ReadPayload[]) => new Set(events.map(({ header }) => header.transactionKey)).size;
  recording.equal(file, 'transactions', transactions(recorded), transactions(ours));
}

/** What a client had to write for an event to have this body. */
function valuesOf(body: EventRecord, recordTypeId: string): Values {
  const values: Values = {};
  for (const [name, value] of Object.entries(body)) {
    if (stamped.has(name)) continue;
    if (typeof value === 'object' && value !== null) {
      const prefix = name.slice(0, -'Address'.length);
      for (const [part, content] of Object.entries(value)) if (content !== null) values[prefix + part] = content as string;
    } else values[name] = value as string;
  }
  return { ...values, RecordTypeId: recordTypeId };
}

/** By the server. */
const stamped = new Set(['OwnerId', 'CreatedDate', 'CreatedById', 'LastModifiedDate', 'LastModifiedById', 'CleanStatus']);

/** Twenty accounts that were edited alike in one transaction. Its schema was not recorded: header and bits have to do. */
function compareMerged(recording: Recording): void {
  const file = 'events/pubsub-AccountMergedUpdate.json';
  const recorded = eventsIn(recording, 'pubsub-AccountMergedUpdate.json').map(
    ({ event }) => decodeHeader(Buffer.from(event.payload, 'base64')).header,
  );
  const org = orgAsIn(recording, schemaFile(newer), 'Account');
  const ids = write(org, (tx) => recorded[0]!.recordIds.map((_, i) => tx.insert('Account', { Name: `Account ${i}` }).id));
  const ours = newEvents(org, () =>
    write(org, (transaction) => {
      for (const id of ids) transaction.update('Account', id, { CustomerPriority__c: 'Preferred' });
    }),
  );
  const union = (headers: readonly ChangeEventHeader[]) =>
    headers.flatMap(({ changedFields }) => decodeBitmaps(changedFields)).length;
  recording.equal(file, 'fields changed', union(recorded), union(ours.map(({ header }) => header)));
  recording.equal(file, 'record ids', recorded[0]!.recordIds.length, ours[0]!.header.recordIds.length);
  recording.equal(file, 'record ids, in order', true, isDeepStrictEqual(ours[0]!.header.recordIds, ids));
  recording.equal(file, 'events', recorded.length, ours.length);
  compareHeader(recording, file, recorded[0]!, ours[0]!.header);
}

function recordedPayloads(recording: Recording, file: string): ReadPayload[] {
  return eventsIn(recording, file).map(({ event }) =>
    readPayload(recording.json(schemaFile(event.schemaId)), Buffer.from(event.payload, 'base64')),
  );
}

function compareEvent(recording: Recording, file: string, recorded: ReadPayload, ours: ReadPayload, at = ''): void {
  compareHeader(recording, file, recorded.header, ours.header, at);
  recording.equal(file, `${at}changedFields`, recorded.header.changedFields, ours.header.changedFields);
  recording.equal(file, `${at}changed`, recorded.changed, ours.changed);
  recording.equal(file, `${at}nulled`, recorded.nulled, ours.nulled);
  // Which fields have a value, and which values.
  recording.alike(file, recorded.body, ours.body, `${at}body`);
  for (const [name, value] of Object.entries(recorded.body)) {
    const here = ours.body[name];
    if (here === undefined || fromTheOrg.has(name)) continue;
    for (const [part, content] of partsOf(value)) {
      recording.equal(file, `${at}body.${name}.${part}`, content ?? null, Object.fromEntries(partsOf(here))[part] ?? null);
    }
  }
}

const partsOf = (value: unknown): [string, unknown][] =>
  typeof value === 'object' && value !== null ? Object.entries(value) : [['', value]];

/** Ids and instants are each org's own. */
const fromTheOrg = new Set([...[...stamped].filter((name) => name !== 'CleanStatus'), 'RecordTypeId']);

const forms: Readonly<Record<string, RegExp>> = {
  changeOrigin: /^com\/salesforce\/api\/(soap|rest)\/\d+\.0;client=[\w/]+$/,
  transactionKey: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  commitTimestamp: /^\d{10}000$/,
  commitNumber: /^\d{12,19}$/,
  commitUser: /^005\w{15}$/,
};

function compareHeader(recording: Recording, file: string, recorded: ChangeEventHeader, ours: ChangeEventHeader, at = ''): void {
  recording.alike(file, recorded, ours, `${at}header`);
  recording.equal(file, `${at}entityName`, recorded.entityName, ours.entityName);
  recording.equal(file, `${at}changeType`, recorded.changeType, ours.changeType);
  for (const [name, form] of Object.entries(forms)) {
    const matches = (header: ChangeEventHeader) => form.test(String(header[name as keyof ChangeEventHeader]));
    recording.equal(file, `${at}${name} has its form`, matches(recorded), matches(ours));
  }
}
