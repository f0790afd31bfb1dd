import { declareObject } from '../schema/declare.ts';
import {
  checkbox,
  currency,
  custom,
  date,
  datetime,
  field,
  int,
  isName,
  notNull,
  picklist,
  reference,
  required,
  restricted,
  system,
  text,
  textarea,
} from '../schema/fields.ts';
import { createSchema } from '../schema/schema.ts';
import { standardObjects } from '../schema/standard/index.ts';
import { audit, identity, owner } from '../schema/system-fields.ts';
import type { Schema } from '../schema/types.ts';
import { createClock } from './clock.ts';
import { createOrg } from './org.ts';
import type { Org, OrgClock, SalesforceError } from './types.ts';

/** An org for tests: the standard objects, `Thing__c`, which has a field of every kind, and `Line__c`, its detail. Its clock stands. */

export const testNow = '2024-05-22T13:05:09.000Z';

const colours = ['red', 'green', 'blue'].map((value) => ({
  active: true,
  defaultValue: false,
  label: `${value}!`,
  validFor: null,
  value,
}));

export const thing = declareObject('Thing__c', { label: 'Thing', keyPrefix: 'a00', custom: true }, [
  ...identity('Record ID'),
  owner(['Group', 'User']),
  text('Name', 'Thing Name', 80, isName, required),
  ...audit(),
  text('Text__c', 'Text', 20, custom),
  textarea('Long__c', 'Long', 32_768, custom),
  textarea('Long2__c', 'Second Long', 32_768, custom),
  text('Ext__c', 'External Id', 40, custom, { externalId: true, unique: true }),
  text('Case__c', 'Case', 40, custom, { externalId: true, unique: true, caseSensitive: true }),
  text('Loose__c', 'Loose', 40, custom, { externalId: true }),
  field('Number__c', 'Number', 'double', custom, { precision: 6, scale: 2 }),
  int('Int__c', 'Int', 9, custom),
  currency('Money__c', 'Money', 2, custom),
  checkbox('Flag__c', 'Flag', custom),
  date('Day__c', 'Day', custom),
  datetime('Moment__c', 'Moment', custom),
  field('Time__c', 'Time', 'time', custom),
  picklist('Stage__c', 'Stage', 'Zeta|Alpha=Alpha label|Mid', custom, restricted),
  field('Colours__c', 'Colours', 'multipicklist', custom, restricted, { picklistValues: colours, length: 4099 }),
  field('Number_Name__c', 'Number Name', 'string', custom, system, notNull, { autoNumber: true, length: 30 }),
  field('Email__c', 'Email', 'email', custom, { length: 80 }),
  text('Fixed__c', 'Fixed', 20, custom, { updateable: false }),
  reference('Account__c', 'Account', 'Account', { children: 'Things__r' }, custom, { relationshipName: 'Account__r' }),
  reference('Master__c', 'Master', 'Thing__c', { children: 'Parts__r', onDelete: 'cascade' }, custom, {
    relationshipName: 'Master__r',
  }),
  field('Place__c', 'Place', 'location', custom),
  field('Place__Latitude__s', 'Place (Latitude)', 'double', custom, { precision: 18, scale: 15, compoundFieldName: 'Place__c' }),
  field('Place__Longitude__s', 'Place (Longitude)', 'double', custom, {
    precision: 18,
    scale: 15,
    compoundFieldName: 'Place__c',
  }),
]);

const master = (name: string, label: string, children: string, updateable: boolean) =>
  reference(name, label, 'Thing__c', { children, onDelete: 'cascade' }, custom, notNull, {
    relationshipName: name.replace(/__c$/, '__r'),
    cascadeDelete: true,
    updateable,
  });

/** A detail of two things: one it stays with, one it may leave. And a lookup that keeps its thing from being deleted. */
export const line = declareObject('Line__c', { label: 'Line', keyPrefix: 'a01', custom: true }, [
  ...identity('Record ID'),
  text('Name', 'Line Name', 80, isName, required),
  ...audit(),
  text('Text__c', 'Text', 20, custom),
  master('Fixed__c', 'Fixed', 'Lines__r', false),
  master('Moving__c', 'Moving', 'MovingLines__r', true),
  reference('Guarded__c', 'Guarded', 'Thing__c', { children: 'GuardLines__r', onDelete: 'restrict' }, custom, {
    relationshipName: 'Guarded__r',
    restrictedDelete: true,
  }),
  reference('Loose__c', 'Loose', 'Thing__c', { children: 'LooseLines__r' }, custom, { relationshipName: 'Loose__r' }),
]);

export interface TestOrg {
  org: Org;
  clock: OrgClock;
  schema: Schema;
}

export function createTestOrg(options: { path?: string; seed?: number } = {}): TestOrg {
  const clock = createClock(Date.parse(testNow));
  clock.freeze(Date.parse(testNow));
  const schema = createSchema({ now: () => clock.now(), objects: [...standardObjects, thing, line] });
  return { org: createOrg({ schema, clock, ...options }), clock, schema };
}

/** The records of a query, whole. */
export function records(org: Org, soql: string, options: { all?: boolean } = {}): Record<string, unknown>[] {
  const result = org.query(soql, options);
  return result.page(0, result.totalSize, 'v62.0') as Record<string, unknown>[];
}

/** What a call was refused with; fails the test when it was not. */
export function refusal(work: () => unknown): SalesforceError {
  try {
    work();
  } catch (error) {
    return error as SalesforceError;
  }
  throw new Error('nothing was refused');
}
