import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EmulatorCredentials } from '@tidemark/emulator';
import { startPostgres } from '@tidemark/testkit';
import pg from 'pg';
import { run } from './lib/child.ts';
import { changeAt, liveFields, titleOf, updatedFields } from './lib/live-events.ts';
import type { LimitInput } from './lib/live-limit-process.ts';
import type { OrgQuestion, Produced } from './lib/live-org-process.ts';
import type { LiveOutput } from './lib/live-process.ts';
import type { BenchOptions } from './lib/options.ts';
import { type BenchReport, say } from './lib/report.ts';
import { SpokenChild } from './lib/spoken-child.ts';
import { median, quantile, ratio, rounded } from './lib/statistics.ts';

const CONTACTS = 20_000;
const CLIENT_EVENTS = 5000;
const STEADY = { perSecond: 200, seconds: 10 } as const;
const WAIT_MS = 120_000;
/** `BENCH_JOURNAL=sqlite` or `postgres`: events are kept as they came as well, in a state store of that kind. */
const JOURNAL = process.env.BENCH_JOURNAL;

/**
 * A backlog of updates, from the Pub/Sub stream into PostgreSQL. It is written to the org while Tidemark is stopped; its clock runs
 * from the start of the engine, sign-in and describe included, until the last event can be read in PostgreSQL. A second rate leaves
 * out what comes before the first event. The limit takes batches of the size that Tidemark's transactions had on average.
 */
export async function bench({ rows: events, rounds, quick }: BenchOptions): Promise<BenchReport> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-bench-'));
  const postgres = await startPostgres({ tuning: 'stock' });
  const database = new pg.Client({ connectionString: postgres.url });
  await database.connect();
  say(`filling an org with ${CONTACTS} contacts`);
  const org = new SpokenChild('./live-org-process.ts', { contacts: CONTACTS, events: events * rounds });
  try {
    const credentials = await org.next<EmulatorCredentials>();
    const yaml = configuration(credentials, postgres.url, join(folder, 'state.db'));
    const produce = (question: OrgQuestion) => org.ask<Produced>(question);
    // BENCH_EXEC_ARGV='--cpu-prof --cpu-prof-dir=/tmp/profiles' tells where the time of the backlogs goes.
    const tidemark = (profile = false) =>
      new SpokenChild(
        './live-process.ts',
        { yaml },
        profile ? (process.env.BENCH_EXEC_ARGV ?? '').split(' ').filter(Boolean) : [],
      );
    {
      await using first = tidemark();
      await first.next();
      // A quiet stream has no position to keep: one change makes it tell one.
      const one = await produce({ kind: 'produce', events: 1 });
      await visible(database, changeAt(one.first, one.ids).id, one.first);
      await first.ask({ stop: true });
    }
    await bareTables(database);
    const limits: number[] = [];
    const rates: number[] = [];
    const streamRates: number[] = [];
    const clientRates: number[] = [];
    const batches: number[] = [];
    const cpu: number[] = [];
    let memoryMb = 0;
    for (let round = 1; round <= rounds; round++) {
      const backlog = await produce({ kind: 'produce', events });
      const last = backlog.first + events - 1;
      await using child = tidemark(true);
      await visible(database, changeAt(last, backlog.ids).id, last);
      const visibleAtMs = epochMs();
      const told = await child.ask<LiveOutput | { live: true }>({ stop: true });
      const output = 'live' in told ? await child.next<LiveOutput>() : told;
      if (output.events !== events) throw new Error(`${output.events} events came, not ${events}: ${JSON.stringify(output)}`);
      await equal(database, backlog, events);
      const batch = Math.ceil(events / output.transactions);
      const { ids, first } = backlog;
      const bare = await limit(folder, { url: postgres.url, ids, first, events, batch, perSecond: null });
      const clientEvents = Math.min(CLIENT_EVENTS, events);
      if (!quick) {
        const given = { url: postgres.url, credentials, after: backlog.after, events: clientEvents };
        const client = await run<{ wallMs: number }>('./pubsub-client-process.ts', given);
        clientRates.push((clientEvents * 1000) / client.wallMs);
      }
      limits.push((events * 1000) / bare.wallMs);
      rates.push((events * 1000) / (visibleAtMs - output.startedAtMs));
      streamRates.push((events * 1000) / (visibleAtMs - output.connectedAtMs));
      batches.push(batch);
      cpu.push((output.cpuMs * 1000) / events);
      memoryMb = Math.max(memoryMb, output.maxRssMb);
      say(
        `  round ${round}: limit ${limits.at(-1)!.toFixed(0)}/s, tidemark ${rates.at(-1)!.toFixed(0)}/s (${streamRates.at(-1)!.toFixed(0)}/s once connected, ${batch} a transaction), client ${clientRates.at(-1)?.toFixed(0) ?? '-'}/s`,
      );
    }

    say(`one change at a time, ${STEADY.perSecond} a second`);
    const lags = await steadyLags(tidemark(), postgres.url, database, produce);
    const { ids } = lags;
    const input = { url: postgres.url, ids, first: 0, events: STEADY.perSecond * STEADY.seconds, batch: 1 };
    const { ms: bare } = await limit(folder, { ...input, perSecond: STEADY.perSecond });
    return {
      bench: 'live',
      rows: events,
      results: [
        { name: 'bare loop', value: rounded(median(limits), 0), unit: 'events/s' },
        { name: 'Tidemark', value: rounded(median(rates), 0), unit: 'events/s' },
        { name: 'Tidemark, once connected', value: rounded(median(streamRates), 0), unit: 'events/s' },
        ...(quick ? [] : [{ name: 'public client', value: rounded(median(clientRates), 0), unit: 'events/s' }]),
        { name: 'events per transaction', value: rounded(median(batches), 0), unit: 'events' },
        { name: "Tidemark's CPU", value: rounded(median(cpu), 1), unit: 'µs/event' },
        { name: 'peak memory', value: rounded(memoryMb, 0), unit: 'MB' },
        { name: 'lag p50', value: rounded(quantile(lags.ms, 0.5), 1), unit: 'ms' },
        { name: 'lag p99', value: rounded(quantile(lags.ms, 0.99), 1), unit: 'ms' },
        { name: 'bare transaction p50', value: rounded(quantile(bare, 0.5), 1), unit: 'ms' },
        { name: 'bare transaction p99', value: rounded(quantile(bare, 0.99), 1), unit: 'ms' },
      ],
      ratios: {
        toLimit: ratio(rates, limits),
        toBaseline: quick ? null : ratio(rates, clientRates),
        toLimitOnceConnected: ratio(streamRates, limits),
      },
      notes: [
        'the emulator, Tidemark and PostgreSQL share this machine; the bare loop shares it with PostgreSQL alone',
        `the public client takes the first ${Math.min(CLIENT_EVENTS, events)} events of each backlog, and the rate is taken to stay`,
        `lag: from the commit in the org until another connection is notified of the change, at ${STEADY.perSecond} changes a second for ${STEADY.seconds} s`,
      ],
    };
  } finally {
    await database.end();
    await org[Symbol.asyncDispose]();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function configuration({ loginUrl, clientId, clientSecret, pubsubEndpoint }: EmulatorCredentials, url: string, store: string) {
  return JSON.stringify({
    store: { url: JOURNAL === 'postgres' ? url : store },
    connections: {
      org: {
        type: 'salesforce',
        loginUrl,
        stream: 'pubsub',
        pubsubEndpoint: `http://${pubsubEndpoint}`,
        auth: { flow: 'client-credentials', clientId, clientSecret },
      },
      db: { type: 'postgres', url },
    },
    syncs: {
      contacts: {
        from: { connection: 'org', object: 'Contact' },
        to: { connection: 'db', table: 'contact' },
        fields: Object.fromEntries(liveFields.map((name) => [name.toLowerCase(), name])),
        every: '1h',
        live: true,
        ...(JOURNAL === undefined ? {} : { journal: '1d' }),
      },
    },
  });
}

/** The same rows for the others, without what Tidemark keeps beside them. */
async function bareTables(database: pg.Client): Promise<void> {
  const columns = liveFields.map((name) => name.toLowerCase()).join(', ');
  for (const table of ['limit_contact', 'client_contact']) {
    await database.query(`CREATE TABLE ${table} AS SELECT ${columns} FROM contact`);
    await database.query(`ALTER TABLE ${table} ADD PRIMARY KEY (id)`);
    await database.query(`CREATE INDEX ON ${table} (accountid)`);
  }
  await database.query('CREATE TABLE limit_position AS SELECT NULL::text AS replay_id');
  await database.query('VACUUM ANALYZE');
}

async function visible(database: pg.Client, id: string, event: number): Promise<void> {
  const deadlineMs = epochMs() + WAIT_MS;
  for (;;) {
    const { rows } = await database.query({ name: 'look', text: 'SELECT title FROM contact WHERE id = $1', values: [id] });
    if (rows[0]?.title === titleOf(event)) return;
    if (epochMs() > deadlineMs) throw new Error(`event ${event} has not come: ${JSON.stringify(rows)}`);
    await sleep(5);
  }
}

/** Every record of a backlog is as its events left it, in each field that they set. */
async function equal(database: pg.Client, { first, ids }: Produced, events: number): Promise<void> {
  const expected = new Map<string, Record<string, string>>();
  for (let n = first; n < first + events; n++) {
    const { id, fields } = changeAt(n, ids);
    expected.set(id, { ...expected.get(id), ...fields });
  }
  const columns = ['id', ...updatedFields.map((name) => name.toLowerCase())].join(', ');
  const { rows } = await database.query<Record<string, string | null>>(`SELECT ${columns} FROM contact`);
  const found = new Map(rows.map((row) => [row.id, row]));
  for (const [id, fields] of expected) {
    for (const [name, value] of Object.entries(fields)) {
      const held = found.get(id)?.[name.toLowerCase()];
      if (held !== value) throw new Error(`${name} of ${id} is ${held} and should be ${value}`);
    }
  }
}

/** The ids go by file: an argument does not hold them. */
function limit(folder: string, { ids, ...given }: Omit<LimitInput, 'idsFile'> & { ids: readonly string[] }) {
  const idsFile = join(folder, 'ids.json');
  writeFileSync(idsFile, JSON.stringify(ids));
  return run<{ wallMs: number; ms: number[] }>('./live-limit-process.ts', { ...given, idsFile } satisfies LimitInput);
}

async function steadyLags(
  child: SpokenChild,
  url: string,
  database: pg.Client,
  produce: (question: OrgQuestion) => Promise<Produced>,
): Promise<{ ms: number[]; ids: readonly string[] }> {
  await using tidemark = child;
  await tidemark.next();
  await database.query(`CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_notify('changed', NEW.title); RETURN NULL; END $$`);
  await database.query('CREATE TRIGGER tell AFTER UPDATE ON contact FOR EACH ROW EXECUTE FUNCTION tell()');
  const listener = new pg.Client({ connectionString: url });
  await listener.connect();
  const seenAtMs = new Map<string, number>();
  listener.on('notification', ({ payload }) => void seenAtMs.set(payload!, epochMs()));
  await listener.query('LISTEN changed');
  const { first, ids, committedAtMs } = await produce({ kind: 'steady', ...STEADY });
  const last = first + committedAtMs.length - 1;
  await visible(database, changeAt(last, ids).id, last);
  await listener.query('SELECT 1');
  await listener.end();
  await tidemark.ask({ stop: true });
  const ms = committedAtMs.map((at, i) => (seenAtMs.get(titleOf(first + i)) ?? Number.NaN) - at);
  if (ms.some(Number.isNaN)) throw new Error('changes were joined or lost: the lag cannot be told');
  return { ms, ids };
}

function epochMs(): number {
  return performance.timeOrigin + performance.now();
}
