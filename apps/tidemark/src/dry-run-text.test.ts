import { type DryRun, noCalls, type PlannedWrite } from '@tidemark/core';
import { expect, test } from 'vitest';
import { FirstOf, renderDryRun } from './dry-run-text.ts';

// What a dry run tells is read by a person who decides by it: each record in a line of its own, and as many lines as they asked for.

const plain = (_: string, text: string) => text;
const none = { create: 0, update: 0, send: 0, delete: 0, unchanged: 0, refused: 0 };
const counts = { read: 5, created: 1, updated: 2, unchanged: 0, deleted: 1, failed: 1, dropped: 0 };
const result: DryRun = {
  ...{ kind: 'delta', reason: null, counts, effects: none },
  calls: { ...noCalls(), reads: 1, collections: 2, bulkJobs: 2, bulkRequests: 10 },
};

function render(writes: Iterable<PlannedWrite>, max = 20): string {
  const shown = new FirstOf<PlannedWrite>(max);
  for (const write of writes) shown.add(write);
  return renderDryRun('companies', result, shown, plain);
}

test('few records: every one of them, with what it has and what it gets', () => {
  const writes: PlannedWrite[] = [
    { key: 'a', effect: 'create', resent: 0, fields: [{ field: 'Name', after: 'Acme' }] },
    { key: 'b', effect: 'update', resent: 2, fields: [{ field: 'Name', before: 'Acme', after: null }] },
    { key: 'c', effect: 'update', resent: 1, fields: [] },
    { key: 'd', effect: 'delete', resent: 0, fields: [] },
    { key: 'e', effect: 'refused', resent: 0, fields: [], reason: { code: 'VALUE_REFUSED', message: 'Staff takes a number' } },
    { key: 'f', effect: 'send', resent: 0, fields: [{ field: 'Notes', after: 'long '.repeat(30) }] },
    { key: 'g', effect: 'create', resent: 0, fields: Array.from({ length: 9 }, (_, i) => ({ field: `F${i}`, after: i })) },
  ];
  expect(render(writes)).toBe(`companies: a delta run would come to this; nothing was written
  5 read, 1 created, 2 updated, 1 deleted, 1 failed
  API calls to write: 13: 1 to read, 2 by sObject Collections, 10 for 2 Bulk jobs
  + create a: Name "Acme"
  ~ update b: Name "Acme" -> null; 2 fields are sent as the record has them
  ~ update c: 1 field is sent as the record has it
  - delete d
  x refused e: VALUE_REFUSED: Staff takes a number
  > send f: Notes "long long long long long long long lon…
  + create g: F0 0, F1 1, F2 2, F3 3, F4 4, F5 5, 3 more
`);
});

test('a hundred thousand: the first of them, and how to get the others', () => {
  const many = function* () {
    for (let i = 0; i < 100_000; i++) yield { key: `k${i}`, effect: 'delete', resent: 0, fields: [] } satisfies PlannedWrite;
  };
  const lines = render(many(), 3).trimEnd().split('\n');
  expect(lines).toHaveLength(7);
  expect(lines.at(-1)).toBe('  and 99,997 more records: --show all lists them, --json too');
  expect(render(many(), Number.POSITIVE_INFINITY).trimEnd().split('\n')).toHaveLength(100_003);
});
