import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { evidence } from '../evidence.ts';
import type { EmulatorOptions } from '../http/start-emulator.ts';
import { type IngestClient, startIngest } from './ingest-testing.ts';

// The life of a job: each state and each refusal is told as Salesforce tells it, and what was done stays done.

let client: IngestClient;
afterEach(() => client.org.emulator.close());
const start = async (options: EmulatorOptions = {}) => {
  client = await startIngest(options);
  return client;
};
const people = (count: number) => `LastName\n${Array.from({ length: count }, (_, n) => `p${n}`).join('\n')}\n`;
const refusal = (errorCode: string, status = 400) => ({ status, json: [{ errorCode }] });

test(`the replies of a job's life, key by key ${evidence('recorded', 'upsert job of Opportunity: created, closed, complete')}`, async () => {
  const { org, create, patch, status } = await start();
  const { json: created } = await create({ operation: 'upsert', externalIdFieldName: 'ext__c', object: 'account' });
  const brief = {
    id: created.id,
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
  expect(created.id).toMatch(/^750\w{15}$/);
  const contentUrl = `services/data/v62.0/jobs/ingest/${created.id}/batches`;
  const format = { lineEnding: 'LF', columnDelimiter: 'COMMA' };
  // As text: the order counts.
  expect(JSON.stringify(created)).toBe(JSON.stringify({ ...brief, contentUrl, ...format }));
  const uploaded = await org.call('PUT', `/${contentUrl}/`.replace('//', '/'), {
    body: 'Ext__c,Name\n1,a\n',
    headers: { 'content-type': 'text/csv; charset=UTF-8' },
  });
  expect([uploaded.status, uploaded.text]).toEqual([201, '']);
  const { json: closed } = await patch(created.id, 'UploadComplete');
  expect(JSON.stringify(closed)).toBe(JSON.stringify({ ...brief, state: 'UploadComplete' }));
  const counters = {
    numberRecordsProcessed: 1,
    numberRecordsFailed: 0,
    retries: 0,
    totalProcessingTime: 0,
    apiActiveProcessingTime: 0,
    apexProcessingTime: 0,
  };
  expect(JSON.stringify(await status(created.id))).toBe(
    JSON.stringify({ ...brief, state: 'JobComplete', jobType: 'V2Ingest', ...format, ...counters }),
  );
});

test(`a job asked for while it moves on: UploadComplete, InProgress with counters, JobComplete ${evidence('recorded', 'job of Opportunity in progress')}`, async () => {
  const { send, status, org } = await start({ ingest: { pace: 'poll', delayMs: 60_000 } });
  const id = await send(people(10_001));
  expect(await status(id)).toMatchObject({ state: 'UploadComplete', numberRecordsProcessed: 0 });
  org.emulator.org.clock.advance(60_000);
  expect(await status(id)).toMatchObject({ state: 'InProgress', numberRecordsProcessed: 0 });
  // One batch at a time: which of the two comes first is the server's business.
  const first = await status(id);
  expect(first).toMatchObject({ state: 'InProgress', numberRecordsFailed: 0 });
  expect(first.numberRecordsProcessed).toBeLessThan(10_001);
  expect(await status(id)).toMatchObject({ state: 'JobComplete', numberRecordsProcessed: 10_001, totalProcessingTime: 60_000 });
});

test(`in the background others are answered meanwhile, and a delay ends when the clock moves ${evidence('assumed', 'how quickly jobs are worked on is not documented')}`, async () => {
  const { send, status, org, select } = await start({ ingest: { pace: 'background', delayMs: 1000 } });
  const id = await send(people(10_000));
  expect((await status(id)).state).toBe('UploadComplete');
  // Nobody asks: the clock alone sets it going.
  org.emulator.org.clock.advance(1000);
  const counts = new Set<number>();
  while (org.emulator.ingest.find(id)?.state !== 'JobComplete') {
    counts.add((await org.call('GET', '/query?q=SELECT+COUNT()+FROM+Contact')).json.totalSize);
  }
  expect(counts.size).toBeGreaterThan(1);
  expect(select('SELECT Id FROM Contact')).toHaveLength(10_000);
});

test(`by hand, in steps ${evidence('assumed', 'a test of the emulator: no client can do so')}`, async () => {
  const { send, org, select, status } = await start({ ingest: { pace: 'manual' } });
  const { ingest } = org.emulator;
  const id = await send(people(500));
  expect((await status(id)).state).toBe('UploadComplete');
  expect(ingest.step(id).state).toBe('InProgress');
  expect(ingest.step(id, 1)).toMatchObject({ state: 'InProgress', recordsProcessed: 200 });
  expect(select('SELECT Id FROM Contact')).toHaveLength(200);
  expect(ingest.step(id)).toMatchObject({ state: 'JobComplete', recordsProcessed: 500 });
  // Who moves jobs on may change in the middle of one.
  const other = await send(people(500));
  ingest.step(other);
  ingest.step(other, 1);
  ingest.pace = 'background';
  while ((await status(other)).state === 'InProgress');
  expect(await status(other)).toMatchObject({ state: 'JobComplete', numberRecordsProcessed: 500 });
});

test(`what is wrong with a new job is refused ${evidence('documented', 'Bulk API 2.0 Developer Guide, Create a Job; codes and messages assumed but for the permission')}`, async () => {
  const { create, org } = await start();
  expect(await create({ object: 'Nothing__c' })).toMatchObject(refusal('INVALIDENTITY'));
  expect(await create({ object: undefined })).toMatchObject(refusal('INVALIDJOB'));
  expect(await create({ operation: 'merge' })).toMatchObject(refusal('INVALIDJOB'));
  expect(await create({ operation: undefined })).toMatchObject(refusal('INVALIDJOB'));
  expect(await create({ contentType: 'JSON' })).toMatchObject(refusal('INVALIDJOB'));
  expect(await create({ columnDelimiter: 'COLON' })).toMatchObject(refusal('INVALIDJOB'));
  expect(await create({ lineEnding: 'CR' })).toMatchObject(refusal('INVALIDJOB'));
  expect(await create({ operation: 'upsert' })).toMatchObject(refusal('INVALIDJOB'));
  expect(await create({ operation: 'upsert', externalIdFieldName: 'Phone' })).toMatchObject(refusal('INVALIDJOB'));
  expect(await create({ assignmentRuleId: '001000000000001' })).toMatchObject(refusal('INVALIDJOB'));
  expect(await create({ assignmentRuleId: '01Q000000000001' }, { version: 'v48.0' })).toMatchObject(refusal('JSON_PARSER_ERROR'));
  expect((await create({ assignmentRuleId: '01Q000000000001' })).json.assignmentRuleId).toBe('01Q000000000001');
  expect(await create({ colour: 'red' })).toMatchObject(refusal('JSON_PARSER_ERROR'));
  expect(await org.call('POST', '/jobs/ingest', { body: 'a,b', headers: { 'content-type': 'text/csv' } })).toMatchObject(
    refusal('UNSUPPORTED_MEDIA_TYPE', 415),
  );
  // A body that is no JSON gets nowhere else either.
  expect(await org.call('POST', '/sobjects/Contact', { body: 'a,b', headers: { 'content-type': 'text/csv' } })).toMatchObject(
    refusal('UNSUPPORTED_MEDIA_TYPE', 415),
  );
});

test(`job and content in one request ${evidence('documented', 'Bulk API 2.0 Developer Guide, Create a Job, multipart')}`, async () => {
  const { org, status, select } = await start();
  const send = (
    content: string,
    job: unknown = { object: 'Contact', operation: 'insert', contentType: 'CSV', lineEnding: 'LF' },
  ) =>
    org.call('POST', '/jobs/ingest', {
      body: [
        '--BOUNDARY',
        'Content-Type: application/json',
        'Content-Disposition: form-data; name="job"',
        '',
        JSON.stringify(job),
        '--BOUNDARY',
        'Content-Type: text/csv',
        'Content-Disposition: form-data; name="content"; filename="content"',
        '',
        content,
        '--BOUNDARY--',
        '',
      ].join('\r\n'),
      headers: { 'content-type': 'multipart/form-data; boundary=BOUNDARY' },
    });
  const reply = await send('LastName\nKé\n');
  expect(reply).toMatchObject({ status: 200, json: { state: 'UploadComplete', object: 'Contact' } });
  expect(await status(reply.json.id)).toMatchObject({ state: 'JobComplete', numberRecordsProcessed: 1 });
  expect(select('SELECT LastName FROM Contact')).toMatchObject([{ LastName: 'Ké' }]);
  const fits = `LastName,Description\nx,${'é'.repeat(100_000 - 23)}`;
  expect([fits.length, (await send(fits)).status]).toEqual([100_000, 200]);
  expect(await send(`${fits}x`)).toMatchObject(refusal('CLIENTINPUTERROR'));
  expect(await send('LastName\nx', { object: 'Nothing__c' })).toMatchObject(refusal('INVALIDENTITY'));
});

test(`the content comes once, as CSV, while the job is open ${evidence('assumed', 'reports quote the message for a second PUT; 415 and the state are guesses')}`, async () => {
  const { create, upload, patch, org } = await start();
  const { id } = (await create()).json;
  expect(await upload(id, 'LastName\na', { 'content-type': 'application/json' })).toMatchObject(
    refusal('UNSUPPORTED_MEDIA_TYPE', 415),
  );
  expect((await upload(id, 'LastName\na')).status).toBe(201);
  const again = await upload(id, 'LastName\nb');
  expect(again).toMatchObject(refusal('INVALIDJOB'));
  expect(again.json[0].message).toMatch(/^Found multiple contents for job: <750/);
  await patch(id, 'UploadComplete');
  expect(await upload(id, 'LastName\nc')).toMatchObject(refusal('INVALIDJOBSTATE'));
  expect(await upload('750000000000000AAA', 'LastName\nc')).toMatchObject(refusal('NOT_FOUND', 404));
  expect(org.emulator.requests.totals().byKind).toMatchObject({ 'ingest.create': 1, 'ingest.upload': 5, 'ingest.close': 1 });
});

test(`an upload beyond the limit is refused, announced or not, and the job stays open ${evidence('documented', 'Bulk API 2.0 Developer Guide, Limits: 150 MB; the reply is that of Bulk API 1.0')}`, async () => {
  const { create, org, upload } = await start({ ingest: { bytesMax: 1000, pace: 'immediate' } });
  expect((await startLimit()).bytesMax).toBe(150_000_000);
  const { id } = (await create()).json;
  const large = `LastName\n${'x\n'.repeat(600)}`;
  expect(await upload(id, large)).toMatchObject(refusal('CLIENTINPUTERROR'));
  const chunked = await fetch(`${org.emulator.url}/services/data/v62.0/jobs/ingest/${id}/batches`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${org.emulator.credentials.accessToken}`, 'content-type': 'text/csv' },
    body: new Blob([large]).stream(),
    duplex: 'half',
  } as RequestInit);
  expect(chunked.status).toBe(400);
  expect(org.emulator.ingest.find(id)).toMatchObject({ state: 'Open', upload: undefined });
  expect((await upload(id, 'LastName\nsmall\n')).status).toBe(201);

  async function startLimit() {
    const other = await startIngest({ listen: false });
    const { bytesMax } = other.org.emulator.ingest;
    await other.org.emulator.close();
    return { bytesMax };
  }
});

test(`a large upload that is refused unread is still answered ${evidence('assumed', 'a server may answer before it has read all')}`, async () => {
  const { create, upload, org } = await start();
  const { id } = (await create()).json;
  const large = `LastName\n${'x'.repeat(200)}\n`.repeat(50_000);
  expect(await upload(id, large, { authorization: 'Bearer nothing' })).toMatchObject(refusal('INVALID_SESSION_ID', 401));
  expect(await upload('750000000000000AAA', large)).toMatchObject(refusal('NOT_FOUND', 404));
  org.emulator.faults.add({ kind: 'unavailable', match: { method: 'PUT', times: 1 } });
  expect((await upload(id, large)).status).toBe(503);
  expect((await upload(id, large)).status).toBe(201);
});

test(`aborting keeps what was done, the rest is unprocessed ${evidence('documented', 'Bulk API 2.0 Developer Guide, Close or Abort a Job, Get Job Unprocessed Record Results')}`, async () => {
  const { send, patch, rows, select, org, status } = await start({ ingest: { pace: 'manual' } });
  const id = await send(people(450));
  org.emulator.ingest.step(id);
  org.emulator.ingest.step(id, 200);
  expect((await patch(id, 'Aborted')).json.state).toBe('Aborted');
  expect(await status(id)).toMatchObject({ state: 'Aborted', numberRecordsProcessed: 200 });
  const [done, failed, rest] = [
    await rows(id, 'successfulResults'),
    await rows(id, 'failedResults'),
    await rows(id, 'unprocessedrecords'),
  ];
  expect([done.length, failed.length, rest.length]).toEqual([200, 0, 250]);
  expect(new Set([...done, ...rest].map((row) => row.LastName)).size).toBe(450);
  expect(
    select('SELECT LastName FROM Contact')
      .map((row) => row.LastName)
      .sort(),
  ).toEqual(done.map((row) => row.LastName).sort());
});

test(`an open job is aborted with nothing done ${evidence('documented', 'Bulk API 2.0 Developer Guide, Close or Abort a Job')}`, async () => {
  const { create, upload, patch, rows, results } = await start();
  const { id } = (await create()).json;
  expect(await results(id, 'failedResults')).toMatchObject(refusal('INVALIDJOBSTATE'));
  await upload(id, 'LastName\na\nb\n');
  await patch(id, 'Aborted');
  expect((await rows(id, 'unprocessedrecords')).map((row) => row.LastName).sort()).toEqual(['a', 'b']);
  expect((await results(id, 'successfulResults')).text).toBe('"sf__Id","sf__Created",LastName\n');
});

test(`a job that has ended can be neither closed nor aborted ${evidence('assumed', 'the message for aborting is reported for query jobs')}`, async () => {
  const { send, patch } = await start();
  const id = await send('LastName\na');
  const message = (what: string) => [{ errorCode: 'INVALIDJOBSTATE', message: `${what} already Completed Job not allowed` }];
  expect((await patch(id, 'Aborted')).json).toEqual(message('Aborting'));
  expect((await patch(id, 'UploadComplete')).json).toEqual(message('Closing'));
  expect(await patch(id, 'JobComplete')).toMatchObject(refusal('INVALIDJOBSTATE'));
});

test(`a job without content fails ${evidence('assumed', 'the guide only says to upload first')}`, async () => {
  const { create, patch, status, rows } = await start();
  const { id } = (await create()).json;
  await patch(id, 'UploadComplete');
  expect(await status(id)).toMatchObject({ state: 'Failed', numberRecordsProcessed: 0 });
  expect(await rows(id, 'unprocessedrecords')).toEqual([]);
});

test(`deleting: not while open or in progress, and the files go with the job ${evidence('documented', 'Bulk API 2.0 Developer Guide, Delete a Job')}`, async () => {
  const { create, upload, org, status, patch } = await start({ ingest: { pace: 'manual' } });
  const { id } = (await create()).json;
  const remove = () => org.call('DELETE', `/jobs/ingest/${id}`);
  expect(await remove()).toMatchObject(refusal('API_ERROR'));
  await upload(id, 'LastName\na\nb\n');
  await patch(id, 'UploadComplete');
  org.emulator.ingest.step(id);
  expect(await remove()).toMatchObject(refusal('API_ERROR'));
  org.emulator.ingest.step(id);
  expect((await status(id)).state).toBe('JobComplete');
  expect((await remove()).status).toBe(204);
  expect(await org.call('GET', `/jobs/ingest/${id}`)).toMatchObject(refusal('NOT_FOUND', 404));
});

test(`all jobs, 1,000 a page, by type ${evidence('documented', 'Bulk API 2.0 Developer Guide, Get All Jobs')}`, async () => {
  const { create, org } = await start();
  const { json: one } = await create();
  const { userId, writes, ...spec } = org.emulator.ingest.find(one.id)!;
  for (let n = 0; n < 1000; n++) org.emulator.ingest.create({ ...spec, userId, writes });
  const { json: first } = await org.call('GET', '/jobs/ingest?jobType=V2Ingest&isPkChunkingEnabled=false');
  expect([first.done, first.records.length]).toEqual([false, 1000]);
  expect(first.records[0]).toMatchObject({ id: one.id, jobType: 'V2Ingest', state: 'Open', contentUrl: one.contentUrl });
  const { json: second } = await org.call('GET', first.nextRecordsUrl);
  expect([second.done, second.records.length, second.nextRecordsUrl]).toEqual([true, 1, null]);
  expect(new Set([...first.records, ...second.records].map((job) => job.id)).size).toBe(1001);
  expect((await org.call('GET', '/jobs/ingest?jobType=Classic')).json.records).toEqual([]);
  expect((await org.call('GET', '/jobs/ingest?isPkChunkingEnabled=true')).json.records).toEqual([]);
});

test(`open for a day, kept for seven ${evidence('documented', 'Bulk API 2.0 Developer Guide, Limits; how an open job ends is assumed')}`, async () => {
  const { org, create, send } = await start();
  const { ingest, org: records } = org.emulator;
  const open = (await create()).json.id;
  const done = await send('LastName\na');
  records.clock.advance(24 * 3600_000 - 1);
  expect(ingest.find(open)?.state).toBe('Open');
  records.clock.advance(1);
  expect(ingest.find(open)?.state).toBe('Failed');
  records.clock.advance(6 * 24 * 3600_000 - 1);
  expect(ingest.find(done)?.state).toBe('JobComplete');
  records.clock.advance(1);
  expect(ingest.find(done)).toBeUndefined();
});

test(`each batch of 10,000 records is taken off the day's batches; without one the job fails and the rest is nowhere ${evidence('documented', 'Bulk API 2.0 Developer Guide, Limits; the message is assumed')}`, async () => {
  const { run, rows, org, select } = await start({ limits: { DailyBulkApiBatches: 2 } });
  const job = await run(people(20_001));
  expect(job).toMatchObject({ state: 'Failed', errorMessage: expect.stringMatching(/^ExceededQuota : /) });
  expect(await rows(job.id, 'unprocessedrecords')).toEqual([]);
  const done = await rows(job.id, 'successfulResults');
  expect(done).toHaveLength(job.numberRecordsProcessed);
  expect(select('SELECT COUNT(Id) n FROM Contact')[0]?.n).toBe(done.length);
  expect((await org.call('GET', '/limits')).json.DailyBulkApiBatches).toEqual({ Max: 2, Remaining: 0 });
});

test(`results zipped when asked for ${evidence('documented', 'Bulk API 2.0 Developer Guide, Use Compression')}`, async () => {
  const { run, org } = await start();
  const { id } = await run(people(200));
  const get = (encoding: string) =>
    org.call('GET', `/jobs/ingest/${id}/successfulResults`, { headers: { 'accept-encoding': encoding } });
  const [zipped, plain] = [await get('gzip'), await get('identity')];
  expect([zipped.headers.get('content-encoding'), plain.headers.get('content-encoding')]).toEqual(['gzip', null]);
  expect(zipped.headers.get('content-type')).toBe('text/csv');
  expect(zipped.text).toBe(plain.text);
});

test(`results come in an order of their own ${evidence('documented', 'Bulk API 2.0 Developer Guide, Get Job Successful Record Results: order is not guaranteed')}`, async () => {
  const { run, rows } = await start();
  for (const count of [2, 3, 50]) {
    const { id } = await run(people(count));
    const names = (await rows(id, 'successfulResults')).map((row) => row.LastName);
    const uploaded = Array.from({ length: count }, (_, n) => `p${n}`);
    expect(names).not.toEqual(uploaded);
    expect([...names].sort()).toEqual([...uploaded].sort());
  }
});

test(`two orgs of one seed give the same results in the same order ${evidence('assumed', 'a test of the emulator: worlds must be repeatable')}`, async () => {
  const texts: string[] = [];
  for (let n = 0; n < 2; n++) {
    const one = await start();
    const { id } = await one.run(people(300));
    texts.push((await one.results(id, 'successfulResults')).text);
    if (n === 0) await one.org.emulator.close();
  }
  expect(texts[0]).toBe(texts[1]);
});

test(`change events show the client as it named itself ${evidence('documented', 'Change Data Capture Developer Guide, Change Event Header Fields')}`, async () => {
  const { org, create, upload, patch } = await start();
  const commits: { origin: string; changes: number }[] = [];
  org.emulator.org.onCommit(({ origin, changes }) => commits.push({ origin, changes: changes.length }));
  const { id } = (await create({}, { headers: { 'sforce-call-options': 'client=tm/1, defaultNamespace=x' } })).json;
  await upload(id, people(250));
  await patch(id, 'UploadComplete');
  const origin = 'com/salesforce/api/bulkapi/62.0;client=tm/1';
  // 200 records are one transaction.
  expect(commits).toEqual([
    { origin, changes: 200 },
    { origin, changes: 50 },
  ]);
});

test('without a socket it is the same', async () => {
  const { org } = await start({ listen: false, ingest: { pace: 'poll' } });
  const { fetch, credentials } = org.emulator;
  const call = async (method: string, path: string, type: string, body?: string) => {
    const headers = { authorization: `Bearer ${credentials.accessToken}`, 'content-type': type };
    const reply = await fetch(`${credentials.instanceUrl}/services/data/v62.0/jobs/ingest${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    return reply.text();
  };
  const json = 'application/json';
  const { id } = JSON.parse(await call('POST', '', json, '{"object":"Contact","operation":"insert","contentType":"CSV"}'));
  await call('PUT', `/${id}/batches`, 'text/csv', people(300));
  await call('PATCH', `/${id}`, json, '{"state":"UploadComplete"}');
  const states = [];
  for (let n = 0; n < 2; n++) states.push(JSON.parse(await call('GET', `/${id}`, json)).state);
  expect(states).toEqual(['InProgress', 'JobComplete']);
  expect((await call('GET', `/${id}/successfulResults`, json)).split('\n')).toHaveLength(302);
});

test('closing the emulator stops the work and leaves no file behind', async () => {
  // A folder of this test's own: others run beside it.
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-test-'));
  vi.stubEnv('TMPDIR', folder);
  const { send, org, create } = await start({ ingest: { pace: 'background' } });
  await send(people(5000));
  await create();
  expect(readdirSync(folder)).not.toEqual([]);
  await org.emulator.close();
  expect(readdirSync(folder)).toEqual([]);
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
  client = await startIngest({ listen: false });
});
