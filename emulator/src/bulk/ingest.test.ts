import { parse } from 'csv-parse/sync';
import { afterEach, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import type { EmulatorOptions } from '../http/start-emulator.ts';
import { type Answer, startTestOrg, type TestOrg } from '../http/testing.ts';

// What a client uploads is written or refused record by record, nothing is lost between the two, and each way in which a
// job can go is told as Salesforce tells it.

let org: TestOrg;
afterEach(() => org.emulator.close());

const start = async (options: EmulatorOptions = {}) => {
  org = await startTestOrg({ ingest: { pace: 'immediate' }, ...options });
  return org;
};

const create = (body: Record<string, unknown>, options = {}) =>
  org.call('POST', '/jobs/ingest', { body: { object: 'Contact', operation: 'insert', contentType: 'CSV', ...body }, ...options });
const upload = (id: string, csv: string, headers: Record<string, string> = {}) =>
  org.call('PUT', `/jobs/ingest/${id}/batches/`, { body: csv, headers: { 'content-type': 'text/csv', ...headers } });
const patch = (id: string, state: string) => org.call('PATCH', `/jobs/ingest/${id}`, { body: { state } });
const status = async (id: string) => (await org.call('GET', `/jobs/ingest/${id}`)).json;
const results = (id: string, which: string) => org.call('GET', `/jobs/ingest/${id}/${which}`);
const rows = async (id: string, which: string, options = {}): Promise<Record<string, string>[]> =>
  parse((await results(id, which)).text, { columns: true, ...options });

/** Creates, uploads and closes. */
async function send(csv: string, body: Record<string, unknown> = {}): Promise<string> {
  const { json, status: created } = await create(body);
  expect(created, JSON.stringify(json)).toBe(200);
  expect((await upload(json.id, csv)).status).toBe(201);
  expect((await patch(json.id, 'UploadComplete')).status).toBe(200);
  return json.id;
}
/** The same, until the job has ended. */
async function run(csv: string, body: Record<string, unknown> = {}): Promise<{ id: string; job: Answer['json'] }> {
  const id = await send(csv, body);
  return { id, job: await status(id) };
}
const select = (soql: string) => {
  const result = org.emulator.org.query(soql);
  return result.page(0, result.totalSize, 'v62.0') as Record<string, unknown>[];
};

test(`the replies of a job's life, key by key ${evidence('recorded', 'upsert job of Opportunity: created, closed, complete')}`, async () => {
  await start();
  const { json: created } = await create({ operation: 'upsert', externalIdFieldName: 'ext__c', object: 'account' });
  const brief = {
    id: expect.stringMatching(/^750\w{15}$/),
    operation: 'upsert',
    object: 'Account',
    createdById: org.emulator.org.adminUserId,
    createdDate: '2026-03-04T05:06:07.000+0000',
    systemModstamp: '2026-03-04T05:06:07.000+0000',
    state: 'Open',
    externalIdFieldName: 'ext__c',
    concurrencyMode: 'Parallel',
    contentType: 'CSV',
    apiVersion: 62,
  };
  const contentUrl = `services/data/v62.0/jobs/ingest/${created.id}/batches`;
  const format = { lineEnding: 'LF', columnDelimiter: 'COMMA' };
  expect(JSON.stringify(created)).toBe(JSON.stringify({ ...brief, id: created.id, contentUrl, ...format }));
  expect(created).toEqual({ ...brief, contentUrl, ...format });
  const uploaded = await org.call('PUT', `/${contentUrl}`, {
    body: 'Ext__c,Name\n1,a\n',
    headers: { 'content-type': 'text/csv; charset=UTF-8' },
  });
  expect([uploaded.status, uploaded.text]).toEqual([201, '']);
  const { json: closed } = await patch(created.id, 'UploadComplete');
  expect(JSON.stringify(closed)).toBe(JSON.stringify({ ...brief, id: created.id, state: 'UploadComplete' }));
  const job = await status(created.id);
  const counters = {
    numberRecordsProcessed: 1,
    numberRecordsFailed: 0,
    retries: 0,
    totalProcessingTime: 0,
    apiActiveProcessingTime: 0,
    apexProcessingTime: 0,
  };
  expect(JSON.stringify(job)).toBe(
    JSON.stringify({ ...brief, id: created.id, state: 'JobComplete', jobType: 'V2Ingest', ...format, ...counters }),
  );
});
