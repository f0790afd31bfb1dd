import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { type Emulator, evidence, startEmulator } from '@tidemark/emulator';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type Answer, Workplace } from '../src/testing.ts';
import { ManyOrgsWorld } from './many-orgs-world.ts';

let emulator: Emulator;
let place: Workplace;
beforeAll(async () => {
  emulator = await startEmulator({ records: 40 });
});
afterAll(() => emulator.close());
beforeEach(() => {
  place = new Workplace({ SF_SECRET: emulator.credentials.clientSecret });
});
afterEach(() => place[Symbol.dispose]());

function configure(sync: object, to: object = { connection: 'db', table: 'leads' }, others: object = {}): void {
  const { loginUrl, clientId } = emulator.credentials;
  const auth = { flow: 'client-credentials', clientId, clientSecret: '$' + '{SF_SECRET}' };
  const connections = {
    crm: { type: 'salesforce', loginUrl, auth },
    db: { type: 'sqlite', path: './copy.db' },
    files: { type: 'file' },
  };
  const syncs = { leads: { from: { connection: 'crm', object: 'Lead' }, to, ...sync }, ...others };
  place.write('tidemark.yaml', JSON.stringify({ connections, syncs }));
}

/** A field of the org, made like one that it has. */
function addField(like: string, changes: { readonly name: string; readonly [key: string]: unknown }): void {
  const { schema } = emulator.org;
  const lead = schema.object('Lead')!;
  schema.add({ ...lead, fields: [{ ...schema.field('Lead', like)!, label: changes.name, custom: true, ...changes }] });
}

function copy<T>(sql: string): T[] {
  const database = new DatabaseSync(place.path('copy.db'));
  try {
    return database.prepare(sql).all() as T[];
  } finally {
    database.close();
  }
}

const ok = (answer: Answer): Answer => {
  expect(answer.exitCode, answer.err).toBe(0);
  return answer;
};

describe(`tidemark schema types (002-4) ${evidence('recorded', 'describe of Lead, API 42')}`, () => {
  const fields = { id: 'Id', Status: 'Status', source: 'LeadSource', notes: 'Description', owner: 'Owner.Name', made: '= 1' };

  test('tells what the org says of each field, the same each time, into a file that is left alone while nothing changes', async () => {
    configure({ fields: { ...fields, made: "= 'x'" } });
    const { out } = ok(await place.call('schema', 'types'));
    expect(out).toContain(`/** Lead of crm, in table leads of db: the sync leads. */
export interface Leads {
  /** Lead ID (Id). Identifies the row. */
  id: string;
  /** Status (Status). Other values may occur. */
  Status: 'Open - Not Contacted' | 'Working - Contacted' | 'Closed - Converted' | 'Closed - Not Converted' | (string & {}) | null;
  /** Made by the sync. */
  made: string | null;
`);
    expect(out).toMatch(/\/\*\* Description \(Description\)\. Up to \d+ characters\. \*\/\n {2}notes: string \| null;/);
    expect(out).toMatch(/\(Owner\.Name\)\..*\n {2}owner: string \| null;/);
    expect(ok(await place.call('schema', 'types', 'leads')).out).toBe(out);
    const file = place.path('types.ts');
    expect(ok(await place.call('schema', 'types', '--out', file)).out).toBe(`${file} is written\n`);
    expect(readFileSync(file, 'utf8')).toBe(out);
    expect(JSON.parse(ok(await place.call('schema', 'types', '--out', file, '--json')).out)).toEqual({
      format: 'ts',
      path: file,
      changed: false,
    });
  });

  test('every record of the org is what the JSON Schema says of it', async () => {
    configure({}, { connection: 'files', file: 'leads.jsonl' });
    const schema = JSON.parse(ok(await place.call('schema', 'types', '--format', 'json-schema')).out);
    const rule = z.fromJSONSchema({ ...schema, $ref: '#/$defs/Leads' });
    ok(await place.call('run', 'leads'));
    const lines = readFileSync(place.path('leads.jsonl'), 'utf8').trim().split('\n');
    const rows = lines.map((line) => (JSON.parse(line) as { readonly row: object }).row);
    for (const row of rows) expect(rule.safeParse(row).error).toBeUndefined();
    const [row] = rows;
    expect(row).toHaveProperty('Id');
    expect(rule.safeParse({ ...row, CreatedDate: 'yesterday' }).success).toBe(false);
    expect(rule.safeParse({ ...row, Id: null }).success).toBe(false);
  });

  test('bad input: a folder that is not there, a format that nobody knows and a two-way sync are refused with the remedy', async () => {
    const between = [
      { connection: 'crm', object: 'Account', link: 'Site' },
      { connection: 'db', table: 'accounts', link: 'crm_id' },
    ];
    configure({ fields }, undefined, { accounts: { between, fields: { Name: 'Name' } } });
    const both = await place.call('schema', 'types', 'accounts');
    expect([both.exitCode, both.err]).toEqual([2, expect.stringContaining('one-way syncs leave in their targets')]);
    const lost = await place.call('schema', 'types', '--out', place.path('no/such/types.ts'));
    expect([lost.exitCode, lost.err]).toEqual([2, expect.stringContaining('cannot be written')]);
    const odd = await place.call('schema', 'types', '--format', 'graphql');
    expect([odd.exitCode, odd.err]).toEqual([2, expect.stringMatching(/ts, json-schema/)]);
  });
});

test('of a sync for each org there is one type, which names none of them, and says whose a row is', async () => {
  const to = { connection: 'db', table: 'contacts', orgColumn: 'org_id' };
  const fields = { id: 'Id', last: 'LastName' };
  await using world = new ManyOrgsWorld({
    contacts: { forEach: 'org', from: { connection: 'customers', object: 'Contact' }, to, fields },
  });
  for (const org of ['acme', 'globex']) await world.connect(org);
  const { out } = ok(await world.place.call('schema', 'types'));
  expect(out.match(/export interface/g)).toHaveLength(1);
  expect(out).toContain('Contact of customers, in table contacts of db: the sync contacts.');
  expect(out).toMatch(/export interface Contacts \{[\s\S]*org_id: string;/);
  expect(out).not.toMatch(/acme|globex/);
});

// The org changes under a table that follows it: nothing stops, nothing is lost, and what will be done is shown before it is done. (P12)
describe(`tidemark schema diff and apply (002-4) ${evidence('documented', 'REST API guide, sObject Describe')}`, () => {
  test('a new field is shown, added and filled; one that goes is kept and told; both stand in the history from then on', async () => {
    configure({ exclude: ['Jigsaw'], history: true });
    const first = ok(await place.call('schema', 'diff'));
    expect(first.out).toMatch(/create table leads[\s\S]*create table leads_history[\s\S]*CREATE TRIGGER/);
    ok(await place.call('schema', 'apply'));
    expect(ok(await place.call('schema', 'diff')).out).toContain('the target needs no change');
    ok(await place.call('run', 'leads'));
    const [{ n }] = copy<{ n: number }>('SELECT count(*) AS n FROM leads') as [{ n: number }];

    addField('Company', { name: 'Tier__c', nillable: true });
    emulator.org.write((t) => {
      for (const { Id } of copy<{ Id: string }>('SELECT Id FROM leads LIMIT 2')) t.update('Lead', Id, { Tier__c: 'gold' });
    });
    const drift = ok(await place.call('schema', 'diff'));
    expect(drift.out).toContain('ALTER TABLE "leads" ADD COLUMN "Tier__c" TEXT;');
    expect(copy('SELECT * FROM leads LIMIT 1')[0]).not.toHaveProperty('Tier__c');
    expect(JSON.parse(ok(await place.call('run', 'leads', '--json')).out)).toMatchObject({ kind: 'full', state: 'succeeded' });
    expect(copy("SELECT count(*) AS n FROM leads WHERE Tier__c = 'gold'")).toEqual([{ n: 2 }]);
    expect(copy('SELECT operation, count(*) AS n FROM leads_history GROUP BY 1 ORDER BY 1')).toEqual([
      { operation: 'insert', n },
      { operation: 'update', n: 2 },
    ]);

    emulator.org.schema.removeField('Lead', 'Tier__c');
    const gone = ok(await place.call('schema', 'diff'));
    expect(gone.out).toContain('field Tier__c no longer arrives; column Tier__c of leads is kept');
    expect(gone.out).not.toContain('ALTER TABLE');
    const dry = JSON.parse(ok(await place.call('run', 'leads', '--full', '--dry-run', '--json')).out);
    expect(dry).toMatchObject({ counts: { created: 0, updated: 0, deleted: 0 } });
    ok(await place.call('run', 'leads', '--full'));
    expect(copy("SELECT count(*) AS n FROM leads WHERE Tier__c = 'gold'")).toEqual([{ n: 2 }]);
  });

  test('a field of another type is refused by name before anything is written, with the ways out', async () => {
    addField('NumberOfEmployees', { name: 'Score__c' });
    configure({ fields: { Id: 'Id', Score__c: 'Score__c' } });
    ok(await place.call('run', 'leads'));
    emulator.org.schema.removeField('Lead', 'Score__c');
    addField('AnnualRevenue', { name: 'Score__c' });
    const refused = await place.call('schema', 'diff');
    expect(refused.exitCode).not.toBe(0);
    expect(refused.err).toMatch(/Score__c[\s\S]*map the field to another column, or exclude it/);
    configure({ fields: { Id: 'Id', Scored: 'Score__c' } });
    expect(ok(await place.call('schema', 'diff')).out).toContain('add column Scored to leads');
    emulator.org.write((t) => t.update('Lead', copy<{ Id: string }>('SELECT Id FROM leads')[0]!.Id, { Score__c: 5 }));
    ok(await place.call('run', 'leads'));
    expect(copy('SELECT Scored, Score__c AS before FROM leads WHERE Scored IS NOT NULL')).toEqual([{ Scored: 5, before: null }]);
  });
});
