import { Agent, request } from 'node:http';
import { input, output } from './child.ts';

/** Asks an org over REST as clients do, on connections that are kept, and loads rows by Bulk ingest. */
export type RestClientInput = { readonly instanceUrl: string; readonly accessToken: string } & (
  | { readonly kind: 'queries'; readonly queries: number; readonly concurrency: number; readonly soql: readonly string[] }
  | { readonly kind: 'ingest'; readonly rows: number; readonly jobRows: number }
);

export interface RestClientOutput {
  readonly ms: number;
  readonly records: number;
}

const given = input<RestClientInput>();
const agent = new Agent({ keepAlive: true });
const data = '/services/data/v62.0';

const startedAtMs = performance.now();
const records =
  given.kind === 'queries'
    ? await runQueries(given.queries, given.concurrency, given.soql)
    : await runIngest(given.rows, given.jobRows);
output({ ms: performance.now() - startedAtMs, records } satisfies RestClientOutput);
process.exit(0);

async function runQueries(queries: number, concurrency: number, soql: readonly string[]): Promise<number> {
  let next = 0;
  let found = 0;
  const client = async () => {
    while (next < queries) {
      const query = soql[next++ % soql.length]!;
      const { records: page } = JSON.parse(await ask('GET', `/query?q=${encodeURIComponent(query)}`)) as { records: unknown[] };
      found += page.length;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, client));
  return found;
}

async function runIngest(rows: number, jobRows: number): Promise<number> {
  let done = 0;
  for (let first = 0; first < rows; first += jobRows) {
    const job = await json('POST', '/jobs/ingest', { object: 'Contact', operation: 'insert', contentType: 'CSV' });
    await ask('PUT', `/jobs/ingest/${job.id}/batches`, csv(first, Math.min(jobRows, rows - first)), 'text/csv');
    await json('PATCH', `/jobs/ingest/${job.id}`, { state: 'UploadComplete' });
    for (;;) {
      const state = await json('GET', `/jobs/ingest/${job.id}`);
      if (state.state === 'JobComplete') {
        if (state.numberRecordsFailed !== 0) throw new Error(`rows failed: ${JSON.stringify(state)}`);
        done += state.numberRecordsProcessed as number;
        break;
      }
      if (state.state === 'Failed' || state.state === 'Aborted') throw new Error(JSON.stringify(state));
    }
    // The results are part of what a client waits for.
    await ask('GET', `/jobs/ingest/${job.id}/successfulResults`);
  }
  return done;
}

function csv(first: number, rows: number): string {
  const lines = ['LastName,FirstName,Email,Phone,MailingCity,MailingCountry,Title,Description'];
  for (let i = first; i < first + rows; i++) {
    lines.push(`Loaded ${i},Given,bulk.${i}@example.com,+49 731 ${i},Ulm,Germany,Engineer,"a text, with ""quotes"" ${i}"`);
  }
  return `${lines.join('\n')}\n`;
}

async function json(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  return JSON.parse(await ask(method, path, body && JSON.stringify(body))) as Record<string, unknown>;
}

function ask(method: string, path: string, body?: string, type = 'application/json'): Promise<string> {
  const headers = { authorization: `Bearer ${given.accessToken}`, ...(body === undefined ? {} : { 'content-type': type }) };
  return new Promise((resolve, reject) => {
    const sent = request(given.instanceUrl + data + path, { method, headers, agent }, (reply) => {
      const chunks: Buffer[] = [];
      reply.on('data', (chunk: Buffer) => chunks.push(chunk));
      reply.on('error', reject);
      reply.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if ((reply.statusCode ?? 500) < 300) resolve(text);
        else reject(new Error(`${method} ${path}: ${reply.statusCode} ${text}`));
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
