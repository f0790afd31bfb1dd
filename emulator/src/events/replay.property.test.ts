// Whoever applies every event from the beginning, and nothing else, must end with the org's records: that is what a
// subscriber's copy rests on. Random users' random transactions are applied from both renderings of the events, each read
// with a decoder of its own.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { SalesforceError, type Transaction, type Values } from '../org/types.ts';
import { type Copy, cleaned, orgRows, replayAvro, replayJson } from './replay-copy-fixture.ts';
import { createBusOrg, eventsOf, readEvent } from './testing.ts';

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
      const rows = orgRows(test, objects);
      expect(cleaned(avro)).toEqual(rows.avro);
      expect(cleaned(json)).toEqual(rows.json);
    }),
    { numRuns: 100 },
  );
  // Otherwise the test would not have met what it is for.
  expect(diffs).toBeGreaterThan(0);
  expect(merged).toBeGreaterThan(0);
});
