// Whatever a user's permissions are: describe, queries, retrieves and writes agree about them, and no write of the user
// changes what the user may not edit.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { createClock } from '../org/clock.ts';
import { createOrg } from '../org/org.ts';
import { type Org, SalesforceError, type Values } from '../org/types.ts';
import { createSchema } from '../schema/schema.ts';
import type { ObjectDescribe } from '../schema/types.ts';
import { createAccess } from './access.ts';
import type { PermissionSet } from './permission-set.ts';
import type { ProfileName } from './profiles.ts';

const objects = ['Account', 'Contact', 'Opportunity', 'OpportunityLineItem', 'Lead', 'User'];
const schema = createSchema();
const permissionable = objects.flatMap((object) =>
  schema.object(object)!.fields.flatMap((field) => (field.permissionable ? [`${object}.${field.name}`] : [])),
);
const flag = () => fc.option(fc.boolean(), { nil: undefined });
const known = <T extends object>(value: T) =>
  Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
const objectPermission = () =>
  fc.record({ read: flag(), create: flag(), edit: flag(), delete: flag(), viewAll: flag(), modifyAll: flag() }).map(known);
const fieldPermission = () => fc.record({ read: flag(), edit: flag() }).map(known);
const permissionSet = (): fc.Arbitrary<PermissionSet> =>
  fc.record({
    objects: fc.dictionary(fc.constantFrom(...objects), objectPermission()),
    fields: fc.dictionary(fc.constantFrom(...permissionable), fieldPermission(), { maxKeys: 30 }),
    system: fc.record({ viewAllData: fc.boolean(), modifyAllData: fc.boolean() }, { requiredKeys: [] }),
  });
const profile = fc.constantFrom<ProfileName>(
  'System Administrator',
  'Standard User',
  'Read Only',
  'Minimum Access - API Only Integrations',
);

function openOrg(): { org: Org; contact: string } {
  const clock = createClock();
  clock.freeze(Date.parse('2026-03-04T05:06:07Z'));
  const org = createOrg({ schema: createSchema({ now: () => clock.now() }), clock });
  const contact = org.write((transaction) => {
    const account = transaction.insert('Account', { Name: 'Acme', Phone: '1', BillingCity: 'Ulm' }).id;
    return transaction.insert('Contact', { LastName: 'Kent', AccountId: account, Email: 'k@example.com', MailingCity: 'Ulm' }).id;
  });
  return { org, contact };
}

const refusal = (work: () => unknown): string | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof SalesforceError) return error.errorCode;
    throw error;
  }
};

/** The fields that a query of the object may name, found by naming each. */
function selectable(org: Org, object: ObjectDescribe): string[] {
  return object.fields
    .map(({ name }) => name)
    .filter((name) => !refusal(() => org.query(`SELECT ${name} FROM ${object.name} LIMIT 1`)));
}

test(`reads agree with describe ${evidence('documented', 'REST API Developer Guide, sObject Describe; Salesforce Help, Field-Level Security')}`, () =>
  fc.assert(
    fc.property(profile, fc.array(permissionSet(), { maxLength: 2 }), permissionSet(), (profileName, sets, changes) => {
      const { org, contact } = openOrg();
      const access = createAccess(org);
      access.setProfile('005000000000009AAA', profileName, changes);
      for (const [i, set] of sets.entries()) {
        access.define(`set${i}`, set);
        access.assign('005000000000009AAA', `set${i}`);
      }
      const seen = access.orgAs('005000000000009AAA');
      const listed = new Set(seen.schema.objects.map(({ name }) => name));
      for (const name of objects) {
        const whole = org.schema.object(name)!;
        const described = seen.schema.object(name);
        expect(listed.has(name)).toBe(described !== undefined);
        expect(access.canRead('005000000000009AAA', name)).toBe(described !== undefined);
        if (!described) {
          expect(refusal(() => seen.query(`SELECT Id FROM ${name}`))).toBe('INVALID_TYPE');
          expect(refusal(() => seen.retrieve(name, contact, 'v62.0'))).toBe('NOT_FOUND');
          expect(refusal(() => seen.write((transaction) => transaction.insert(name, {})))).toBe('NOT_FOUND');
          // Nobody else's describe leads there.
          for (const other of seen.schema.objects) {
            expect(other.childRelationships.map(({ childSObject }) => childSObject)).not.toContain(name);
            expect(other.fields.flatMap(({ referenceTo }) => referenceTo)).not.toContain(name);
          }
          continue;
        }
        const names = described.fields.map((field) => field.name);
        expect(selectable(seen, whole)).toEqual(names);
        expect(
          whole.fields.map((field) => field.name).filter((field) => access.canSeeField('005000000000009AAA', name, field)),
        ).toEqual(names);
        for (const field of described.fields) {
          const own = org.schema.field(name, field.name)!;
          expect(field.createable && !own.createable).toBe(false);
          expect(field.createable && !described.createable).toBe(false);
          expect(field.updateable && !described.updateable).toBe(false);
        }
      }
      if (!seen.schema.object('Contact')) return;
      const row = seen.retrieve('Contact', contact, 'v62.0')!;
      expect(Object.keys(row).filter((key) => key !== 'attributes')).toEqual(
        seen.schema.object('Contact')!.fields.map(({ name }) => name),
      );
      const rows = seen.query('SELECT FIELDS(ALL) FROM Contact LIMIT 1').page(0, 1, 'v62.0');
      expect(rows).toEqual([row]);
    }),
    { numRuns: 40 },
  ));

const fieldValues: Values = {
  LastName: 'New',
  FirstName: 'F',
  Phone: '2',
  Email: 'n@example.com',
  MailingCity: 'Bonn',
  Title: 'Dr',
};

test(`writes agree with describe, and change nothing else ${evidence('documented', 'Salesforce Help, Field-Level Security; SOAP API Developer Guide, StatusCode')}`, () =>
  fc.assert(
    fc.property(
      profile,
      permissionSet(),
      fc.subarray(Object.keys(fieldValues), { minLength: 1 }),
      fc.constantFrom('insert' as const, 'update' as const, 'upsert' as const, 'delete' as const, 'purge' as const),
      (profileName, changes, names, kind) => {
        const { org, contact } = openOrg();
        const access = createAccess(org);
        access.setProfile('005000000000009AAA', profileName, changes);
        const seen = access.orgAs('005000000000009AAA');
        const described = seen.schema.object('Contact');
        const values = Object.fromEntries(names.map((name) => [name, fieldValues[name] ?? null]));
        if (kind === 'insert') values.LastName = 'New';
        const before = org.query('SELECT FIELDS(ALL) FROM Contact LIMIT 200', { all: true }).page(0, 9, 'v62.0');
        const error = refusal(() =>
          seen.write((transaction) => {
            if (kind === 'insert') return transaction.insert('Contact', values);
            if (kind === 'update') return transaction.update('Contact', contact, values);
            if (kind === 'upsert') return transaction.upsert('Contact', 'Id', contact, values);
            if (kind === 'delete') return transaction.delete('Contact', contact);
            return transaction.purge('Contact', [contact]);
          }),
        );
        const right = kind === 'insert' ? 'createable' : kind === 'delete' || kind === 'purge' ? 'deletable' : 'updateable';
        const written = kind === 'delete' || kind === 'purge' ? [] : Object.keys(values);
        const fields = written.map((name) => described && seen.schema.field('Contact', name));
        const expected = !described
          ? 'NOT_FOUND'
          : !described[right]
            ? 'INSUFFICIENT_ACCESS_OR_READONLY'
            : fields.some((field) => !field)
              ? 'INVALID_FIELD'
              : fields.some((field) => !field![right as 'createable' | 'updateable'])
                ? 'INVALID_FIELD_FOR_INSERT_UPDATE'
                : kind === 'purge' && !access.may('005000000000009AAA', 'bulkApiHardDelete')
                  ? 'INSUFFICIENT_ACCESS_OR_READONLY'
                  : undefined;
        // Who may create and not edit, or the other way round, is told of it after the fields.
        if (kind === 'upsert' && expected === 'INSUFFICIENT_ACCESS_OR_READONLY') expect(error).toBeDefined();
        else expect(error).toBe(expected);
        if (error !== undefined) {
          expect(org.query('SELECT FIELDS(ALL) FROM Contact LIMIT 200', { all: true }).page(0, 9, 'v62.0')).toEqual(before);
        }
      },
    ),
    { numRuns: 300 },
  ));
