import { beforeEach, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { createTestOrg, refusal } from './testing.ts';
import type { Org, OrgClock } from './types.ts';

// `latestDateCovered` is what "no gaps" rests on: whoever asks again from there meets every record, however late it was
// committed.

let org: Org;
let clock: OrgClock;
beforeEach(() => {
  ({ org, clock } = createTestOrg());
});

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const at = (time: string) => Date.parse(`2024-05-22T${time}Z`);
const insert = (name: string) => org.write((t) => t.insert('Thing__c', { Name: name }).id);
const guide = evidence('documented', 'REST API Developer Guide, sObject Get Updated');

test(`created, changed and undeleted records are updated ones; deleted ones are not ${evidence('assumed', 'sObject Get Updated; that the end is not included')}`, () => {
  const [created, changed, deleted, undeleted] = ['a', 'b', 'c', 'd'].map(insert) as [string, string, string, string];
  org.write((t) => t.delete('Thing__c', undeleted));
  clock.advance(2 * minuteMs);
  org.write((t) => t.update('Thing__c', changed, { Text__c: 'x' }));
  org.write((t) => t.delete('Thing__c', deleted));
  org.write((t) => t.undelete('Thing__c', undeleted));
  expect(org.updated('Thing__c', at('13:05:00'), at('13:06:00')).ids).toEqual([created]);
  expect(org.updated('Thing__c', at('13:07:00'), at('13:08:00')).ids.sort()).toEqual([changed, undeleted].sort());
  const { deletedRecords } = org.deleted('Thing__c', at('13:00:00'), at('13:08:00'));
  expect(deletedRecords).toEqual([{ id: deleted, deletedDate: '2024-05-22T13:07:09.000+0000' }]);
});

test(`seconds are ignored ${guide}`, () => {
  const id = insert('a');
  expect(org.updated('Thing__c', at('13:05:59'), at('13:06:59')).ids).toEqual([id]);
  expect(org.updated('Thing__c', at('13:04:59'), at('13:05:59')).ids).toEqual([]);
  clock.advance(10 * minuteMs);
  expect(org.updated('Thing__c', at('13:04:59'), at('13:06:59')).latestDateCovered).toBe('2024-05-22T13:06:00.000+0000');
});

test(`a span that is empty, upside down or too old is refused ${evidence('assumed', 'the limits are documented; the error code is not')}`, () => {
  const now = clock.now();
  const code = (startMs: number, endMs: number, call: 'updated' | 'deleted' = 'updated') =>
    refusal(() => org[call]('Thing__c', startMs, endMs)).errorCode;
  expect(code(now, now)).toBe('INVALID_REPLICATION_DATE');
  expect(code(at('13:05:10'), at('13:05:50'))).toBe('INVALID_REPLICATION_DATE');
  expect(code(now, now - minuteMs)).toBe('INVALID_REPLICATION_DATE');
  expect(code(now - 31 * dayMs, now)).toBe('INVALID_REPLICATION_DATE');
  expect(org.updated('Thing__c', now - 29 * dayMs, now).ids).toEqual([]);
  expect(code(now - 16 * dayMs, now, 'deleted')).toBe('INVALID_REPLICATION_DATE');
  expect(code(Number.NaN, now)).toBe('INVALID_REPLICATION_DATE');
});

test(`what has not happened yet is not covered ${evidence('documented', 'REST API Developer Guide, Get Updated: the example ends in the future')}`, () => {
  expect(org.updated('Thing__c', at('13:00:00'), at('18:00:00')).latestDateCovered).toBe('2024-05-22T13:05:00.000+0000');
});

test(`an open transaction holds latestDateCovered back until it ends; asked again from there, its records appear ${evidence('assumed', 'that it stays behind is documented (getUpdated(), latestDateCovered); by how much is not')}`, () => {
  const slow = org.begin();
  const { id } = slow.insert('Thing__c', { Name: 'slow' });
  clock.advance(30 * minuteMs);
  const quick = insert('quick');
  clock.advance(5 * minuteMs);
  const before = org.updated('Thing__c', at('13:00:00'), clock.now());
  expect(before).toEqual({ ids: [quick], latestDateCovered: '2024-05-22T13:05:09.000+0000' });
  slow.commit();
  const after = org.updated('Thing__c', Date.parse(before.latestDateCovered.replace('+0000', 'Z')), clock.now());
  expect(after.ids.sort()).toEqual([id, quick].sort());
  expect(after.latestDateCovered).toBe('2024-05-22T13:40:00.000+0000');
});

test(`late deletes are late in the same way ${evidence('assumed', 'as getUpdated')}`, () => {
  const id = insert('a');
  const slow = org.begin();
  slow.delete('Thing__c', id);
  clock.advance(10 * minuteMs);
  const before = org.deleted('Thing__c', at('13:00:00'), clock.now());
  expect(before).toMatchObject({ deletedRecords: [], latestDateCovered: '2024-05-22T13:05:09.000+0000' });
  slow.commit();
  expect(org.deleted('Thing__c', at('13:05:09'), clock.now()).deletedRecords).toEqual([
    { id, deletedDate: '2024-05-22T13:05:09.000+0000' },
  ]);
});

test(`more than 600,000 ids are refused ${guide}`, () => {
  org.load(
    'Thing__c',
    Array.from({ length: 600_000 }, () => ({ Name: 'x' })),
  );
  expect(org.updated('Thing__c', at('13:00:00'), at('13:06:00')).ids).toHaveLength(600_000);
  insert('one more');
  expect(refusal(() => org.updated('Thing__c', at('13:00:00'), at('13:06:00'))).errorCode).toBe('EXCEEDED_ID_LIMIT');
});

test(`objects that are not replicated are refused ${evidence('assumed', 'replicateable is documented; the error code is not')}`, () => {
  const plain = org.schema.objects.find((object) => !object.replicateable);
  if (plain) expect(refusal(() => org.updated(plain.name, at('13:00:00'), at('13:06:00'))).errorCode).toBe('INVALID_TYPE');
  expect(refusal(() => org.updated('Nope', at('13:00:00'), at('13:06:00'))).httpStatus).toBe(404);
});
