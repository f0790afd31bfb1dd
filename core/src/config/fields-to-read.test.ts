import { expect, test } from 'vitest';
import type { FieldMapping, LookupConfig, StepConfig } from './config.ts';
import { fieldsToRead } from './fields-to-read.ts';

// A source is asked for what the sync needs, and never for what a lookup brings: it would refuse a field that it does not have.

const field = (name: string): FieldMapping => ({ kind: 'field', field: name });
const mapping = (names: Record<string, string>) => new Map(Object.entries(names).map(([to, from]) => [to, field(from)]));

const lookup = (changes: Partial<LookupConfig> = {}): LookupConfig => ({
  kind: 'lookup',
  name: 'firm',
  connection: 'app',
  spec: {},
  key: 'domain',
  by: field('Domain__c'),
  fields: new Map([['firmId', 'id']]),
  match: null,
  missing: 'keep',
  several: 'fail',
  batch: 100,
  cacheMs: 0,
  notes: null,
  ...changes,
});

const filter = (reads: readonly string[] | null): StepConfig => ({
  kind: 'filter',
  name: 'f',
  expression: '',
  reads,
  notes: null,
});

test('what a lookup looks at is read, and what it brings is not', () => {
  const fields = mapping({ id: 'Id', firm: 'FirmID' });
  const match = { expression: null, equal: new Map([['country', 'Country']]), found: ['country'], record: ['Country'] };
  expect(fieldsToRead({ steps: [lookup({ match })], fields })).toEqual(['Domain__c', 'Country', 'Id']);
  expect(fieldsToRead({ steps: [lookup(), filter(['firmId', 'Email'])], fields })).toEqual(['Domain__c', 'Email', 'Id']);
  const second = lookup({ by: field('firmId'), fields: new Map([['owner', 'owner']]) });
  expect(fieldsToRead({ steps: [lookup(), second], fields: mapping({ id: 'Id', owner: 'owner' }) })).toEqual(['Domain__c', 'Id']);
});

test('a field that is looked at before a lookup takes its place is read', () => {
  const steps = [filter(['Firm']), lookup({ fields: new Map([['Firm', 'id']]) })];
  expect(fieldsToRead({ steps, fields: mapping({ id: 'Id', firm: 'Firm' }) })).toEqual(['Firm', 'Domain__c', 'Id']);
});

test('behind a mapping nothing more of the source is read; an expression that tells nothing needs all of it', () => {
  const map: StepConfig = { kind: 'map', name: 'm', fields: mapping({ id: 'Id', domain: 'Site' }), notes: null };
  expect(fieldsToRead({ steps: [map, lookup({ by: field('domain') })], fields: null })).toEqual(['Id', 'Site']);
  const by: FieldMapping = { kind: 'expression', expression: '$', reads: null };
  expect(fieldsToRead({ steps: [lookup({ by })], fields: mapping({ id: 'Id' }) })).toBeNull();
  expect(fieldsToRead({ steps: [lookup()], fields: null })).toBeNull();
});
