import { afterEach, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import type { FaultSpec } from '../faults/types.ts';
import { type IngestClient, startIngest } from './ingest-testing.ts';

// A client must come through whatever may happen to a job: each fault leaves a truth behind that it can ask for.

let client: IngestClient;
afterEach(() => client.org.emulator.close());
const start = async (...faults: FaultSpec[]) => {
  client = await startIngest();
  for (const fault of faults) client.org.emulator.faults.add(fault);
  return client;
};
const people = (count: number) => `LastName\n${Array.from({ length: count }, (_, n) => `p${n}`).join('\n')}\n`;
const contacts = () => client.select('SELECT COUNT(Id) n FROM Contact')[0]?.n;

test(`retries that run out: Failed, with the rest unprocessed ${evidence('documented', 'Bulk API 2.0 Developer Guide, Limits: 20 retries; the message is assumed')}`, async () => {
  const { run, rows } = await start({ kind: 'job-failed', match: { method: 'PATCH', times: 1 }, params: { afterRecords: 400 } });
  const job = await run(people(1000));
  expect(job).toMatchObject({ state: 'Failed', retries: 20, numberRecordsProcessed: 400, errorMessage: expect.any(String) });
  const [done, rest] = [await rows(job.id, 'successfulResults'), await rows(job.id, 'unprocessedrecords')];
  expect([done.length, rest.length, contacts()]).toEqual([400, 600, 400]);
  expect(new Set([...done, ...rest].map((row) => row.LastName)).size).toBe(1000);
  expect((await run(people(1))).state).toBe('JobComplete');
});

test(`a job that the server fails or aborts before anything is done ${evidence('assumed', 'how clients see it; when it happens is the test’s')}`, async () => {
  for (const [kind, state] of [
    ['job-failed', 'Failed'],
    ['job-aborted', 'Aborted'],
  ] as const) {
    // Where the job is created, closed or asked for.
    for (const method of ['POST', 'PATCH', 'GET']) {
      const { run, rows, org } = await start({ kind, match: { method, path: /jobs\/ingest/, times: 1 } });
      if (method === 'GET') org.emulator.ingest.pace = 'manual';
      const job = await run(people(3));
      expect(job, method).toMatchObject({ state, numberRecordsProcessed: 0 });
      expect(await rows(job.id, 'unprocessedrecords')).toHaveLength(3);
      expect(contacts()).toBe(0);
      await org.emulator.close();
    }
  }
  client = await startIngest();
});

test(`a share of the rows fails ${evidence('documented', 'Bulk API 2.0 Developer Guide, General Guidelines for Data Loads: lock contention')}`, async () => {
  const { run, rows } = await start({ kind: 'row-errors', match: { times: 1 }, params: { share: 0.3, seed: 7 } });
  const job = await run(people(500));
  expect(job.state).toBe('JobComplete');
  expect(job.numberRecordsFailed).toBeGreaterThan(100);
  expect(job.numberRecordsFailed).toBeLessThan(200);
  const failed = await rows(job.id, 'failedResults');
  expect(failed).toHaveLength(job.numberRecordsFailed);
  expect(failed[0]?.sf__Error).toMatch(/^UNABLE_TO_LOCK_ROW:unable to obtain exclusive access .*:--$/);
  expect(contacts()).toBe(500 - failed.length);
});

test(`rows that fail as asked ${evidence('assumed', 'a test of the emulator')}`, async () => {
  const params = { code: 'FIELD_CUSTOM_VALIDATION_EXCEPTION', message: 'No', fields: 'LastName,Phone' };
  const { run, rows } = await start({ kind: 'row-errors', params });
  const job = await run(people(2));
  expect((await rows(job.id, 'failedResults')).map((row) => row.sf__Error)).toEqual(
    Array(2).fill('FIELD_CUSTOM_VALIDATION_EXCEPTION:No:LastName,Phone --'),
  );
});

test(`a slow job waits by the org's clock ${evidence('assumed', 'queues are not documented in numbers')}`, async () => {
  const { run, status, org } = await start({ kind: 'job-slow', match: { times: 1 }, params: { delayMs: 3600_000 } });
  const { id, state } = await run(people(2));
  expect(state).toBe('UploadComplete');
  org.emulator.org.clock.advance(3600_000 - 1);
  expect((await status(id)).state).toBe('UploadComplete');
  org.emulator.org.clock.advance(1);
  expect((await status(id)).state).toBe('JobComplete');
});

test(`an upload that fails on the way leaves nothing, and may be tried again ${evidence('assumed', 'what the server keeps of a broken upload is not documented')}`, async () => {
  const { create, upload, patch, status } = await start({
    kind: 'upload-failed',
    match: { times: 1 },
    params: { afterBytes: 4 },
  });
  const { id } = (await create()).json;
  expect(await upload(id, people(5))).toMatchObject({ status: 500, json: [{ errorCode: 'UNKNOWN_EXCEPTION' }] });
  expect((await upload(id, people(2))).status).toBe(201);
  await patch(id, 'UploadComplete');
  expect(await status(id)).toMatchObject({ state: 'JobComplete', numberRecordsProcessed: 2 });
});

test(`a lost reply: the job is there, the content is there, the job is closed ${evidence('assumed', 'a network may lose any reply')}`, async () => {
  const { create, upload, patch, org, status } = await start();
  const lose = (method: string) => org.emulator.faults.add({ kind: 'lost-response', match: { method, times: 1 } });
  lose('POST');
  await expect(create()).rejects.toThrow();
  const { records } = (await org.call('GET', '/jobs/ingest')).json;
  expect(records).toHaveLength(1);
  const { id } = records[0];
  lose('PUT');
  await expect(upload(id, people(3))).rejects.toThrow();
  expect(org.emulator.ingest.find(id)?.upload).toEqual({ bytes: 18, records: 3 });
  expect((await upload(id, people(3))).json[0].errorCode).toBe('INVALIDJOB');
  lose('PATCH');
  await expect(patch(id, 'UploadComplete')).rejects.toThrow();
  expect(await status(id)).toMatchObject({ state: 'JobComplete', numberRecordsProcessed: 3 });
});

test(`a client that breaks off its upload leaves nothing ${evidence('assumed', 'what the server keeps of a broken upload is not documented')}`, async () => {
  const { create, org, upload } = await start();
  const { id } = (await create()).json;
  const broken = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('LastName\na\n'));
    },
    pull(controller) {
      controller.error(new Error('broken'));
    },
  });
  const request = fetch(`${org.emulator.url}/services/data/v62.0/jobs/ingest/${id}/batches`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${org.emulator.credentials.accessToken}`, 'content-type': 'text/csv' },
    body: broken,
    duplex: 'half',
  } as RequestInit);
  await expect(request).rejects.toThrow();
  while ((await upload(id, people(2))).status !== 201);
  expect(org.emulator.ingest.find(id)?.upload?.records).toBe(2);
});

test('jobs are seen and moved by the backdoor', async () => {
  const { send, org } = await start();
  const { backdoor } = org;
  expect((await backdoor('POST', '/ingest', { pace: 'manual', delayMs: 5 })).json).toMatchObject({
    pace: 'manual',
    delayMs: 5,
    jobs: [],
  });
  const id = await send(people(300));
  expect((await backdoor('GET', '/ingest')).json.jobs).toMatchObject([
    { id, state: 'UploadComplete', upload: { records: 300 }, origin: 'com/salesforce/api/bulkapi/62.0' },
  ]);
  expect((await backdoor('POST', `/ingest/${id}/step`)).json.state).toBe('InProgress');
  expect((await backdoor('POST', `/ingest/${id}/step`, { records: 1 })).json).toMatchObject({ recordsProcessed: 200 });
  expect((await backdoor('POST', `/ingest/${id}/step`)).json).toMatchObject({ state: 'JobComplete', recordsProcessed: 300 });
  expect((await backdoor('GET', `/ingest/${id}`)).json.state).toBe('JobComplete');
  for (const body of [{ pace: 'fast' }, { speed: 1 }]) expect((await backdoor('POST', '/ingest', body)).status).toBe(400);
  expect((await backdoor('GET', '/ingest/750')).status).toBe(400);
});
