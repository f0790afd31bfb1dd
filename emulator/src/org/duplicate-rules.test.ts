import { beforeEach, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { createTestOrg, records, refusal } from './testing.ts';
import type { Org, Values } from './types.ts';

// A duplicate rule refuses records that no key clashes with: a failure of its own kind, which a sync must tell apart (P2).

let org: Org;
beforeEach(() => {
  ({ org } = createTestOrg());
});
const insert = (values: Values, allowDuplicates = false) =>
  org.write((t) => t.insert('Lead', { Company: 'c', ...values }).id, { allowDuplicates });
const guide = evidence('documented', 'REST API Developer Guide, Duplicate Rule Header');

test(`a rule refuses what equals another in all its fields, without regard to case, and names what it found ${guide}`, () => {
  expect(org.duplicateRules.define({ object: 'lead', fields: ['lastname', 'Email'], action: 'block' })).toBe(
    'Standard_Lead_Duplicate_Rule',
  );
  const id = insert({ LastName: 'Löwe', Email: 'a@x.org' });
  const error = refusal(() => insert({ LastName: 'LÖWE', Email: 'A@x.org' }));
  expect(error).toMatchObject({
    errorCode: 'DUPLICATES_DETECTED',
    message: 'Use one of these records?',
    duplicates: { rule: 'Standard_Lead_Duplicate_Rule', object: 'Lead', allowSave: false, ids: [id] },
  });
  insert({ LastName: 'Löwe', Email: 'b@x.org' });
  insert({ LastName: 'Löwe' });
  insert({ LastName: 'Löwe' });
  expect(records(org, 'SELECT Id FROM Lead')).toHaveLength(4);
});

test(`a rule that allows lets pass who insists, one that blocks does not ${guide}`, () => {
  org.duplicateRules.define({ name: 'soft', object: 'Lead', fields: ['LastName'], action: 'allow' });
  insert({ LastName: 'x' });
  expect(refusal(() => insert({ LastName: 'x' })).duplicates).toMatchObject({ rule: 'soft', allowSave: true });
  insert({ LastName: 'x' }, true);
  org.duplicateRules.define({ name: 'hard', object: 'Lead', fields: ['LastName'], action: 'block', message: 'No.' });
  expect(refusal(() => insert({ LastName: 'x' }, true))).toMatchObject({ message: 'No.', duplicates: { rule: 'hard' } });
  expect(org.duplicateRules.remove('hard')).toBe(true);
  insert({ LastName: 'x' }, true);
});

test(`an edit is looked at when it changes what is compared; the record itself and the recycle bin do not count ${evidence('assumed', 'Salesforce Help, Things to Know About Duplicate Rules')}`, () => {
  const [first, second] = [insert({ LastName: 'x' }), insert({ LastName: 'x' })];
  org.duplicateRules.define({ object: 'Lead', fields: ['LastName'], action: 'block' });
  const edit = (values: Values) => org.write((t) => t.update('Lead', second, values));
  edit({ Phone: '1', LastName: 'x' });
  edit({ LastName: 'y' });
  edit({ LastName: 'Y' });
  expect(refusal(() => edit({ LastName: 'x' })).errorCode).toBe('DUPLICATES_DETECTED');
  org.write((t) => t.delete('Lead', first));
  edit({ LastName: 'x' });
});

test('records of the same transaction count, in their newest form', () => {
  org.duplicateRules.define({ object: 'Lead', fields: ['LastName'], action: 'block' });
  const old = insert({ LastName: 'old' });
  org.write((t) => {
    t.insert('Lead', { LastName: 'x', Company: 'c' });
    expect(refusal(() => t.insert('Lead', { LastName: 'x', Company: 'c' })).errorCode).toBe('DUPLICATES_DETECTED');
    t.update('Lead', old, { LastName: 'new' });
    t.insert('Lead', { LastName: 'old', Company: 'c' });
  });
  expect(records(org, 'SELECT Id FROM Lead')).toHaveLength(3);
});

test('a rule that cannot be meant is refused', () => {
  const define = (rule: object) => () =>
    org.duplicateRules.define({ object: 'Lead', fields: ['LastName'], action: 'block', ...rule });
  expect(define({ object: 'Nope' })).toThrow("no object 'Nope'");
  expect(define({ fields: ['Nope'] })).toThrow("no field 'Nope'");
  expect(define({ fields: ['Address'] })).toThrow('made of other fields');
  expect(define({ fields: [] })).toThrow('at least one');
  expect(define({ action: 'report' })).toThrow("'block' or 'allow'");
  expect(org.duplicateRules.list()).toEqual([]);
});

test('a rule whose field was removed compares nothing any more', () => {
  org.duplicateRules.define({ object: 'Lead', fields: ['LastName', 'Title'], action: 'block' });
  insert({ LastName: 'x', Title: 't' });
  org.schema.removeField('Lead', 'Title');
  insert({ LastName: 'x' });
  expect(records(org, 'SELECT Id FROM Lead')).toHaveLength(2);
});
