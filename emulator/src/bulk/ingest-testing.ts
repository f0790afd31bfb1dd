import { parse } from 'csv-parse/sync';
import type { EmulatorOptions } from '../http/start-emulator.ts';
import { type Answer, startTestOrg, type TestOrg } from '../http/testing.ts';

/** For tests of ingest: an org that works on jobs at once, and the steps of a client. */
export interface IngestClient {
  readonly org: TestOrg;
  create(body?: Record<string, unknown>, options?: { headers?: Record<string, string>; version?: string }): Promise<Answer>;
  upload(id: string, csv: string, headers?: Record<string, string>): Promise<Answer>;
  patch(id: string, state: string): Promise<Answer>;
  status(id: string): Promise<Answer['json']>;
  results(id: string, which: string): Promise<Answer>;
  /** Results as records. */
  rows(id: string, which: string, options?: object): Promise<Record<string, string>[]>;
  /** Creates, uploads and closes; the job's id. */
  send(csv: string, body?: Record<string, unknown>): Promise<string>;
  /** `send`, and the job's state. */
  run(csv: string, body?: Record<string, unknown>): Promise<Answer['json']>;
  select(soql: string): Record<string, unknown>[];
}

export async function startIngest(options: EmulatorOptions = {}): Promise<IngestClient> {
  const org = await startTestOrg({ ingest: { pace: 'immediate' }, ...options });
  const expectStatus = (answer: Answer, status: number): Answer => {
    if (answer.status !== status) throw new Error(`${answer.status} instead of ${status}: ${answer.text}`);
    return answer;
  };
  const client: IngestClient = {
    org,
    create: (body = {}, given = {}) =>
      org.call('POST', '/jobs/ingest', {
        body: { object: 'Contact', operation: 'insert', contentType: 'CSV', ...body },
        ...given,
      }),
    upload: (id, csv, headers = {}) =>
      org.call('PUT', `/jobs/ingest/${id}/batches`, { body: csv, headers: { 'content-type': 'text/csv', ...headers } }),
    patch: (id, state) => org.call('PATCH', `/jobs/ingest/${id}`, { body: { state } }),
    status: async (id) => expectStatus(await org.call('GET', `/jobs/ingest/${id}`), 200).json,
    results: (id, which) => org.call('GET', `/jobs/ingest/${id}/${which}`),
    rows: async (id, which, given = {}) =>
      parse(expectStatus(await client.results(id, which), 200).text, { columns: true, ...given }),
    async send(csv, body = {}) {
      const { json } = expectStatus(await client.create(body), 200);
      expectStatus(await client.upload(json.id, csv), 201);
      expectStatus(await client.patch(json.id, 'UploadComplete'), 200);
      return json.id;
    },
    run: async (csv, body = {}) => client.status(await client.send(csv, body)),
    select(soql) {
      const result = org.emulator.org.query(soql);
      return result.page(0, result.totalSize, 'v62.0') as Record<string, unknown>[];
    },
  };
  return client;
}
