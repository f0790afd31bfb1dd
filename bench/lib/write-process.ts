import { setTimeout as wait } from 'node:timers/promises';
import salesforce from '@tidemark/connector-salesforce';
import { type Change, createFetch, NO_STAMP, type Row, systemClock, type TargetSpec } from '@tidemark/core';
import type { EmulatorCredentials } from '@tidemark/emulator';
import jsforce from 'jsforce';
import { config, to } from '../../connectors/salesforce/config.ts';
import { input, output } from './child.ts';

export interface WriteInput {
  readonly credentials: EmulatorCredentials;
  /**
   * `single`: jsforce, one record a call, as many users do it; `bulk2`: its `loadAndWaitForResults`; `limit`: a finished file is posted,
   * the org asked all the time, and the results thrown away unread.
   */
  readonly how: 'tidemark' | 'single' | 'bulk2' | 'limit';
  readonly records: number;
  /** So often, for the time of a small write. */
  readonly repeat: number;
  /** Begins their keys. */
  readonly prefix: string;
}

export interface WriteOutput {
  /** Of one write; the median of them. */
  readonly times: readonly number[];
  readonly calls: number;
  readonly written: number;
}

/** Records in hand become records in the org, each with its outcome known. The login is no part of it. */
const { credentials, how, records, repeat, prefix } = input<WriteInput>();
const names = ['Code__c', 'Name', 'Phone', 'Website', 'NumberOfEmployees', 'Description'];
const rows = (round: number): Row[] =>
  Array.from({ length: records }, (_, i) => ({
    Code__c: `${prefix}-${i}`,
    Name: `Company ${i}`,
    Phone: `+1 555 ${round}`,
    Website: `https://example.com/${i}`,
    NumberOfEmployees: i,
    Description: `Founded by "somebody", in\nthe year ${i}`,
  }));

const write = await (how === 'tidemark' ? tidemark() : how === 'limit' ? limit() : script());
const times: number[] = [];
let written = 0;
let calls = 0;
for (let round = 0; round < repeat; round++) {
  const ready = await write(rows(round));
  const before = await callsSoFar();
  const startedAtMs = performance.now();
  written += await ready();
  times.push(performance.now() - startedAtMs);
  calls = (await callsSoFar()) - before;
}
output({ times, calls, written } satisfies WriteOutput);
process.exit(0);

async function callsSoFar(): Promise<number> {
  const reply = await fetch(`${credentials.backdoorUrl}/requests`);
  return ((await reply.json()) as { apiCalls: number }).apiCalls;
}

/** What is done before the clock runs: nothing, but for the limit. Answers how many were written. */
type Writer = (given: readonly Row[]) => Promise<() => Promise<number>>;

async function tidemark(): Promise<Writer> {
  const { loginUrl, clientId, clientSecret } = credentials;
  const settings = config.parse({ loginUrl, auth: { flow: 'client-credentials', clientId, clientSecret } });
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const context = {
    connection: 'org',
    clock: systemClock,
    random: Math.random,
    log,
    fetch: createFetch(process.env),
    baseDir: '/',
  };
  const fields = names.map((name) => ({
    name,
    type: name === 'NumberOfEmployees' ? ('integer' as const) : ('text' as const),
    nullable: true,
  }));
  const spec: TargetSpec<ReturnType<typeof to.parse>> = {
    to: to.parse({ object: 'Account' }),
    unit: 'bench',
    schema: { name: 'companies', key: ['Code__c'], fields },
    deletes: 'mirror',
  };
  const never = new AbortController().signal;
  const target = await salesforce.open(settings, context).openTarget!(spec, never);
  return async (given) => async () => {
    let done = 0;
    for (let at = 0; at < given.length; at += target.batchSizeMax) {
      const changes = given.slice(at, at + target.batchSizeMax).map((row): Change => {
        return { op: 'upsert', key: String(row.Code__c), row, stampMs: NO_STAMP };
      });
      const results = await target.write(changes, { epoch: 1, settle: async () => null }, never);
      done += results.filter(({ status }) => status !== 'rejected').length;
    }
    return done;
  };
}

/** The org's own time, as nearly as it can be had. */
async function limit(): Promise<Writer> {
  const { instanceUrl, accessToken } = credentials;
  const ask = async (method: string, path: string, body: string | undefined, type: string) => {
    const reply = await fetch(`${instanceUrl}/services/data/v62.0/jobs/ingest${path}`, {
      method,
      headers: { authorization: `Bearer ${accessToken}`, 'content-type': type, 'accept-encoding': 'identity' },
      ...(body === undefined ? {} : { body }),
    });
    if (!reply.ok) throw new Error(`${method} ${path}: ${await reply.text()}`);
    return reply;
  };
  const json = 'application/json';
  const cell = (value: unknown) => `"${String(value).replaceAll('"', '""')}"`;
  return async (given) => {
    const csv = [names, ...given.map((row) => names.map((name) => row[name]))]
      .map((cells) => `${cells.map(cell).join()}\n`)
      .join('');
    return async () => {
      const spec = {
        object: 'Account',
        operation: 'upsert',
        externalIdFieldName: 'Code__c',
        contentType: 'CSV',
        lineEnding: 'LF',
      };
      const { id } = (await (await ask('POST', '', JSON.stringify(spec), json)).json()) as { id: string };
      await ask('PUT', `/${id}/batches`, csv, 'text/csv');
      await ask('PATCH', `/${id}`, JSON.stringify({ state: 'UploadComplete' }), json);
      for (;;) {
        const job = (await (await ask('GET', `/${id}`, undefined, json)).json()) as {
          state: string;
          numberRecordsProcessed: number;
        };
        if (job.state === 'JobComplete') {
          for await (const _ of (await ask('GET', `/${id}/successfulResults`, undefined, json)).body!);
          return job.numberRecordsProcessed;
        }
        await wait(20);
      }
    };
  };
}

async function script(): Promise<Writer> {
  const { instanceUrl, accessToken } = credentials;
  const org = new jsforce.Connection({ instanceUrl, accessToken, version: '62.0' });
  if (how === 'single') {
    return async (given) => async () => {
      let done = 0;
      for (const row of given) if ((await org.sobject('Account').upsert(row, 'Code__c')).success) done++;
      return done;
    };
  }
  return async (given) => async () => {
    const job = { object: 'Account', operation: 'upsert', externalIdFieldName: 'Code__c' } as const;
    // biome-ignore lint/suspicious/noExplicitAny: its types want a mutable record of strings
    const { successfulResults } = await org.bulk2.loadAndWaitForResults({ ...job, input: given as any, pollTimeout: 600_000 });
    return successfulResults.length;
  };
}
