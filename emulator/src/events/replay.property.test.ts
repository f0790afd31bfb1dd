// Whoever applies every event from the beginning, and nothing else, must end with the org's records: that is what a
// subscriber's copy rests on. Random users' random transactions are applied from both renderings of the events, each read
// with a decoder of its own.
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { SalesforceError, type Transaction, type Values } from '../org/types.ts';
import { type BusOrg, createBusOrg, eventsOf, type ReadEvent, readEvent } from './testing.ts';

const objects = ['Account', 'Contact', 'Thing__c'] as const;
type ObjectName = (typeof objects)[number];
const lines = Array.from({ length: 40 }, (_, i) => `line ${i}: long enough for a text that is sent as a diff`);

const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });
const word = fc.constantFrom('a', 'b', 'ü and 中', 'x'.repeat(20));
const longText = fc.nat(39).map((n) => lines.with(n, `line ${n} is another`).join(n % 2 === 0 ? '\n' : '\r\n'));
const coordinate = fc.constantFrom(-12.5, 0, 48.137154);

const values: Record<ObjectName, fc.Arbitrary<Values>> = {
  Account: fc.record(
    {
      Phone: maybe(word),
      Industry: maybe(fc.constantFrom('Banking', 'Energy')),
      Description: maybe(longText),
      AnnualRevenue: maybe(fc.constantFrom(0, 1.25, 1e9)),
      NumberOfEmployees: maybe(fc.nat(99)),
      BillingStreet: maybe(word),
      BillingCity: maybe(word),
      BillingLatitude: maybe(coordinate),
      ShippingCountry: maybe(word),
      SLAExpirationDate__c: maybe(fc.constantFrom('2024-02-29', '1970-01-01')),
    },
    { requiredKeys: [] },
  ),
  Contact: fc.record(
    {
      LastName: word,
      FirstName: maybe(word),
      Salutation: maybe(fc.constant('Dr.')),
      Birthdate: maybe(fc.constant('1969-07-20')),
      MailingCity: maybe(word),
    },
    { requiredKeys: ['LastName'] },
  ),
  Thing__c: fc.record(
    {
      Text__c: maybe(word),
      Flag__c: fc.boolean(),
      Moment__c: maybe(fc.constant('2024-05-22T13:05:09.000Z')),
      Time__c: maybe(fc.constant('23:59:58.123Z')),
      Colours__c: maybe(fc.constantFrom('red', 'green;blue')),
      Money__c: maybe(fc.constant(3.5)),
      Place__Latitude__s: maybe(coordinate),
      Place__Longitude__s: maybe(coordinate),
    },
    { requiredKeys: [] },
  ),
};

/** `pick` chooses a record that is there. */
const write = fc.constantFrom(...objects).chain((object) =>
  fc.record({
    object: fc.constant(object),
    kind: fc.constantFrom(
      'insert',
      'insert',
      'update',
      'update',
      'update',
      'delete',
      'undelete',
      'purge',
      'merge',
      'link',
      'update all',
      'update all',
    ),
    pick: fc.nat(50),
    values: values[object],
  }),
);
const work = fc.record({
  writes: fc.array(write, { minLength: 1, maxLength: 6 }),
  rollback: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
  seconds: fc.nat(2),
});

interface Write {
  object: ObjectName;
  kind: string;
  pick: number;
  values: Values;
}

function apply(transaction: Transaction, known: Map<ObjectName, string[]>, { object, kind, pick, values: given }: Write): void {
  const ids = known.get(object)!;
  const id = ids[pick % (ids.length || 1)] ?? '';
  const other = ids[(pick + 1) % (ids.length || 1)] ?? '';
  const accounts = known.get('Account')!;
  if (kind === 'insert')
    ids.push(
      transaction.insert(object, {
        ...(object === 'Account' ? { Name: 'Acme' } : object === 'Thing__c' ? { Name: 't' } : {}),
        ...given,
      }).id,
    );
  else if (kind === 'update') transaction.update(object, id, given);
  else if (kind === 'update all')
    for (const each of ids.filter((one) => transaction.row(object, one)?.IsDeleted === 0))
      transaction.update(object, each, given);
  else if (kind === 'delete') transaction.delete(object, id);
  else if (kind === 'undelete') transaction.undelete(object, id);
  else if (kind === 'purge') transaction.purge(object, [id]);
  else if (kind === 'merge') transaction.merge(object, id, [other]);
  else if (object === 'Contact') transaction.update(object, id, { AccountId: accounts[pick % (accounts.length || 1)] ?? null });
}

/** Records by object and id, fields and parts by name. */
type Copy = Map<string, Record<string, unknown>>;
const keyOf = (object: string, id: string) => `${object} ${id}`;

function replayAvro(copy: Copy, { header, body, changed, nulled, diffs }: ReadEvent): void {
  for (const id of header.recordIds) {
    const key = keyOf(header.entityName, id);
    if (header.changeType === 'DELETE') copy.delete(key);
    else if (header.changeType === 'UPDATE') {
      const row = copy.get(key)!;
      for (const name of changed) {
        const value = nulled.includes(name) ? null : at(body, name);
        if (!nulled.includes(name)) expect(value).not.toBeNull();
        row[name] = diffs.includes(name) ? patched(String(row[name]), String(value)) : value;
      }
    } else copy.set(key, flat(body));
  }
}

/** CometD's form: what is there changed; what is null was cleared. */
function replayJson(copy: Copy, payload: Record<string, unknown>): void {
  const { ChangeEventHeader: header, ...body } = payload as {
    ChangeEventHeader: { entityName: string; recordIds: string[]; changeType: string; changedFields: string[] };
  };
  for (const id of header.recordIds) {
    const key = keyOf(header.entityName, id);
    if (header.changeType === 'DELETE') copy.delete(key);
    else {
      const row = header.changeType === 'UPDATE' ? copy.get(key)! : {};
      const told = flat(body);
      if (header.changeType === 'UPDATE') {
        const names = Object.keys(told).map((name) => name.replace(/\.diff$/, ''));
        expect([...header.changedFields].sort()).toEqual(names.sort());
      }
      for (const [name, value] of Object.entries(told)) {
        const field = name.replace(/\.diff$/, '');
        row[field] = name === field ? value : patched(String(row[field]), String(value));
      }
      copy.set(key, row);
    }
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
const at = (body: Record<string, unknown>, name: string): unknown =>
  name.split('.').reduce<unknown>((value, key) => (isRecord(value) ? (value[key] ?? null) : null), body);

function flat(body: Record<string, unknown>): Record<string, unknown> {
  const parts = Object.entries(body).flatMap(([name, value]) =>
    isRecord(value) ? Object.entries(value).map(([part, content]) => [`${name}.${part}`, content]) : [[name, value]],
  );
  return Object.fromEntries(parts);
}

/** Splits the text at line ends, patches, and joins with the line end that gives the hash of the new text. */
function patched(before: string, diff: string): string {
  const rows = before.split(/\r?\n/);
  let shift = 0;
  for (const hunk of diff.split(/^@@ /m).slice(1)) {
    const [range = '', ...edits] = hunk.replace(/\n$/, '').split('\n');
    const [, start = 0, count = 0] = /^-(\d+),(\d+)/.exec(range)!.map(Number);
    const added = edits.filter((line) => line.startsWith('+')).map((line) => line.slice(1));
    rows.splice((count === 0 ? start : start - 1) + shift, count, ...added);
    shift += added.length - count;
  }
  const hash = /^\+\+\+ (\w+)$/m.exec(diff)![1];
  const texts = [rows.join('\n'), rows.join('\r\n')];
  const found = texts.find((text) => createHash('sha256').update(text).digest('hex') === hash);
  if (found === undefined) throw new Error('the diff does not lead to the text of its hash');
  return found;
}

interface AvroField {
  name: string;
  type: unknown[];
  doc: string;
}

/** The org's living records in the shape of the copies, made from REST replies and the schemas' docs. */
function orgRows({ org, bus }: BusOrg): { avro: Copy; json: Copy } {
  const avro: Copy = new Map();
  const json: Copy = new Map();
  for (const object of objects) {
    const channel = bus.channel(`/data/${object.replace(/__c$/, '__')}ChangeEvent`)!;
    const { fields } = JSON.parse(channel.schema().json) as { fields: AvroField[] };
    const columns = fields.slice(1).flatMap((field) => columnsOf(field));
    const found = org.query(`SELECT Id, ${columns.map(({ column }) => column).join(', ')} FROM ${object}`);
    for (const record of found.page(0, found.totalSize, 'v62.0') as Record<string, unknown>[]) {
      const key = keyOf(object, record.Id as string);
      avro.set(key, notNull(columns.map(({ name, doc, column }) => [name, avroValue(doc, record[column])])));
      json.set(key, notNull(columns.map(({ name, doc, column }) => [name, jsonValue(doc, record[column])])));
    }
  }
  return { avro, json };
}

function columnsOf({ name, doc }: AvroField): { name: string; doc: string; column: string }[] {
  const kind = doc.split(':')[1]!;
  const parts: Record<string, string[]> = {
    Address: ['Street', 'City', 'State', 'PostalCode', 'Country', 'Latitude', 'Longitude', 'GeocodeAccuracy'],
    Location: ['Latitude', 'Longitude'],
    PersonName: ['Salutation', 'FirstName', 'LastName'],
  };
  if (!parts[kind]) return [{ name, doc: kind, column: name }];
  return parts[kind].map((part) => {
    const column =
      kind === 'Address' ? name.replace(/Address$/, part) : kind === 'Location' ? name.replace(/__c$/, `__${part}__s`) : part;
    return { name: `${name}.${part}`, doc: 'Text', column };
  });
}

function avroValue(doc: string, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (doc === 'DateTime' || doc === 'DateOnly') return BigInt(Date.parse(String(value)));
  if (doc === 'TimeOnly') return BigInt(Date.parse(`1970-01-01T${value}`));
  return value;
}
const jsonValue = (doc: string, value: unknown): unknown =>
  doc === 'DateTime' && value ? new Date(String(value)).toISOString() : value;

const notNull = (entries: [string, unknown][]) =>
  Object.fromEntries(entries.filter(([, value]) => value !== null && value !== undefined));
const cleaned = (copy: Copy): Copy => new Map([...copy].map(([key, row]) => [key, notNull(Object.entries(row))]));

test(`events from the beginning, applied to an empty copy, give the org's records ${evidence('documented', 'Change Data Capture guide, Replicate Data')}`, () => {
  let diffs = 0;
  let merged = 0;
  fc.assert(
    fc.property(fc.array(work, { minLength: 8, maxLength: 25 }), (transactions) => {
      const test = createBusOrg(objects);
      const known = new Map<ObjectName, string[]>(objects.map((object) => [object, []]));
      for (const { writes, rollback, seconds } of transactions) {
        test.clock.freeze(test.clock.now() + seconds * 1000);
        const transaction = test.org.begin();
        for (const one of writes) {
          try {
            apply(transaction, known, one);
          } catch (error) {
            if (!(error instanceof SalesforceError)) throw error;
          }
        }
        if (rollback) transaction.rollback();
        else transaction.commit();
      }
      const avro: Copy = new Map();
      const json: Copy = new Map();
      for (const event of eventsOf(test, '/data/ChangeEvents')) {
        const read = readEvent(test.bus, event);
        diffs += read.diffs.length;
        if (read.header.recordIds.length > 1) merged++;
        replayAvro(avro, read);
        replayJson(json, JSON.parse(JSON.stringify(event.json())));
      }
      const rows = orgRows(test);
      expect(cleaned(avro)).toEqual(rows.avro);
      expect(cleaned(json)).toEqual(rows.json);
    }),
    { numRuns: 100 },
  );
  // Otherwise the test would not have met what it is for.
  expect(diffs).toBeGreaterThan(0);
  expect(merged).toBeGreaterThan(0);
});
