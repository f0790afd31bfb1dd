import { setTimeout as wait } from 'node:timers/promises';
import { createFetch, Engine, openStore, parseConfig, systemClock } from '@tidemark/core';
import type { EmulatorCredentials } from '@tidemark/emulator';
import pg from 'pg';
import { loadConnectors } from '../../apps/tidemark/src/connectors.ts';
import { input, output } from './child.ts';
import type { TargetConnection } from './org.ts';

export interface LatencyInput {
  readonly credentials: EmulatorCredentials;
  readonly database: TargetConnection;
  /** So many rows, one after the other, each when the database has been quiet for a while. */
  readonly changes: number;
}

/** From the commit in the database to the org's answer that it has the record, of each change, in ms. */
export type LatencyOutput = readonly number[];

/** The engine of `tidemark start` with one sync from a captured table into an org; and an application that changes a row now and then. */
const { credentials, database, changes } = input<LatencyInput>();
const { loginUrl, clientId, clientSecret } = credentials;
const yaml = JSON.stringify({
  connections: {
    app: database,
    org: { type: 'salesforce', loginUrl, auth: { flow: 'client-credentials', clientId, clientSecret } },
  },
  syncs: {
    companies: {
      from: { connection: 'app', table: 'companies', capture: true },
      to: { connection: 'org', object: 'Account', key: 'Code__c' },
      fields: { Code__c: 'code', Name: 'name' },
      every: '1s',
    },
  },
});
let answered: () => void = () => {};
const plain = createFetch(process.env);
const watched: typeof fetch = async (resource, init) => {
  const reply = await plain(resource, init);
  if (/\/composite\/sobjects\//.test(String(resource)) && init?.method === 'PATCH') answered();
  return reply;
};
await using app = await openApplication();
await app.execute('CREATE TABLE companies (code varchar(40) PRIMARY KEY, name varchar(80))');
const { connectors } = await loadConnectors();
const config = parseConfig(yaml, { file: 'bench.yaml', env: {}, connectors });
const complain = (data: object, message: string) => process.stderr.write(`${message} ${JSON.stringify(data)}\n`);
const log = { debug() {}, info() {}, warn: complain, error: complain };
const latencies: number[] = [];
{
  await using store = await openStore(':memory:');
  await using engine = new Engine({ config, store, clock: systemClock, random: Math.random, log, fetch: watched });
  const signal = new AbortController().signal;
  await engine.applySchema('companies', signal);
  await engine.run('companies', { signal });
  const stopping = new AbortController();
  const ended = engine.start({ stop: stopping.signal, signal });
  for (let n = 0; n < changes; n++) {
    // Longer than `every`, and never in step with it.
    await wait(1200 + Math.random() * 300);
    const arrived = new Promise<void>((resolve) => {
      answered = resolve;
    });
    await app.execute(`INSERT INTO companies VALUES ('${database.type} ${n}', 'Company ${n}')`);
    const committedAtMs = performance.now();
    await arrived;
    latencies.push(performance.now() - committedAtMs);
  }
  stopping.abort();
  await ended;
}
output(latencies satisfies LatencyOutput);
process.exit(0);

async function openApplication(): Promise<AsyncDisposable & { execute(sql: string): Promise<unknown> }> {
  if (database.type === 'sqlite') {
    const { DatabaseSync } = await import('node:sqlite');
    const file = new DatabaseSync(database.path);
    return { execute: async (sql) => file.exec(sql), [Symbol.asyncDispose]: async () => file.close() };
  }
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  return { execute: (sql) => client.query(sql), [Symbol.asyncDispose]: () => client.end() };
}
