import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EmulatorCredentials } from '@tidemark/emulator';
import { startPostgres } from '@tidemark/testkit';
import pg from 'pg';
import { run } from './lib/child.ts';
import { busyMs } from './lib/cpu.ts';
import { bareTables, configuration, epochMs, equal, limit, visible } from './lib/live-copy.ts';
import { changeAt, eventsPerTransaction } from './lib/live-events.ts';
import { pacedLags, steadyLags } from './lib/live-lag.ts';
import { memoryOver } from './lib/live-memory.ts';
import type { OrgQuestion, Produced } from './lib/live-org-process.ts';
import type { LiveMemory, LiveOutput, LiveQuestion } from './lib/live-process.ts';
import type { BenchOptions } from './lib/options.ts';
import type { PacedBusInput, PacedBusReady } from './lib/paced-bus-process.ts';
import { type BenchReport, say } from './lib/report.ts';
import { SpokenChild } from './lib/spoken-child.ts';
import { median, quantile, ratio, rounded } from './lib/statistics.ts';

const CONTACTS = 20_000;
const CLIENT_EVENTS = 5000;
const STEADY = { perSecond: 200, seconds: 10 } as const;
/** How long half of the rate is kept up, and how much of that is left out: the process has just started, and compiles itself. */
const PACED_SECONDS = 12;
const WARM_SECONDS = 4;
/** 1.8 million events by default, an hour of 500 a second. */
const MEMORY_BACKLOGS = 18;
const MEMORY_EVENTS_MAX = 100_000;

/**
 * A backlog of updates, from the Pub/Sub stream into PostgreSQL. It is written to the org while Tidemark is stopped; its clock runs
 * from the start of the engine, sign-in and describe included, until the last event can be read in PostgreSQL. A second rate leaves
 * out what comes before the first event. The limit takes batches of the size that Tidemark's transactions had on average.
 */
export async function bench({ rows: events, rounds, quick }: BenchOptions): Promise<BenchReport> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-bench-'));
  const postgres = await startPostgres({ tuning: 'stock' });
  const { url } = postgres;
  const database = new pg.Client({ connectionString: url });
  await database.connect();
  say(`filling an org with ${CONTACTS} contacts`);
  const org = new SpokenChild('./live-org-process.ts', { contacts: CONTACTS, events: events * (rounds + MEMORY_BACKLOGS) });
  try {
    const credentials = await org.next<EmulatorCredentials>();
    const store = join(folder, 'state.db');
    const produce = (question: OrgQuestion) => org.ask<Produced>(question);
    const tidemark = (execArgv: readonly string[] = [], pubsubEndpoint = credentials.pubsubEndpoint) =>
      new SpokenChild('./live-process.ts', { yaml: configuration({ ...credentials, pubsubEndpoint }, url, store) }, execArgv);
    {
      await using first = tidemark();
      await first.next();
      // A quiet stream has no position to keep: one change makes it tell one.
      const one = await produce({ kind: 'produce', events: 1 });
      await visible(database, changeAt(one.first, one.ids).id, one.first);
      // What is read once more, because the stream was silent when it began, is not read by the first one that is measured.
      await first.ask({ kind: 'settled' } satisfies LiveQuestion);
      await first.ask({ kind: 'stop' } satisfies LiveQuestion);
    }
    await bareTables(database);
    // What the backlogs have left to be flushed to disk is not to be waited for, nor that WAL files are made: there are used ones then.
    const flushed = () => database.query('CHECKPOINT');
    const figures: Round[] = [];
    for (let round = 1; round <= rounds; round++) {
      const backlog = await produce({ kind: 'produce', events });
      // BENCH_EXEC_ARGV='--cpu-prof --cpu-prof-dir=/tmp/profiles' tells where the time of the backlogs goes.
      const execArgv = (process.env.BENCH_EXEC_ARGV ?? '').split(' ').filter(Boolean);
      const took = await takeBacklog(() => tidemark(execArgv), org, database, backlog, events);
      const { ids, first, after } = backlog;
      const bare = await limit(folder, { url, ids, first, events, batch: took.batch, perSecond: null });
      const clientEvents = Math.min(CLIENT_EVENTS, events);
      const client = quick
        ? { wallMs: Number.NaN }
        : await run<{ wallMs: number }>('./pubsub-client-process.ts', { url, credentials, after, events: clientEvents });
      const each = (ms: number) => (ms * 1000) / events;
      figures.push({
        ...took,
        limit: (events * 1000) / bare.wallMs,
        limitCpu: each(bare.cpuMs),
        limitOtherCpu: each(bare.otherCpuMs),
        client: (clientEvents * 1000) / client.wallMs,
      });
      const { rate, streamRate, batch } = took;
      say(
        `  round ${round}: limit ${figures.at(-1)!.limit.toFixed(0)}/s, tidemark ${rate.toFixed(0)}/s (${streamRate.toFixed(0)}/s once connected, ${batch} a transaction), client ${figures.at(-1)!.client.toFixed(0)}/s`,
      );
    }
    const all = <Name extends keyof Round>(name: Name) => figures.map((round) => round[name]);
    const middle = (name: keyof Round, digits = 0) => rounded(median(all(name)), digits);

    say(`one change at a time, ${STEADY.perSecond} a second`);
    const slow = await steadyLags(tidemark(), url, database, produce, STEADY);
    const lone = { url, ids: slow.ids, first: 0, events: STEADY.perSecond * STEADY.seconds, batch: 1 };
    const bareSlow = await limit(folder, { ...lone, perSecond: STEADY.perSecond });

    const half = Math.round(middle('rate') / 2 / eventsPerTransaction) * eventsPerTransaction;
    say(`half of the rate, ${half} a second`);
    const paced = await produce({ kind: 'produce', events: half * PACED_SECONDS });
    const recording = { credentials, topic: '/data/ContactChangeEvent', after: paced.after, events: half * PACED_SECONDS };
    await using bus = new SpokenChild('./paced-bus-process.ts', recording satisfies PacedBusInput);
    const ready = await bus.next<PacedBusReady>();
    const pace = { perSecond: half, perTransaction: eventsPerTransaction };
    await flushed();
    const fast = await pacedLags(tidemark([], ready.endpoint), bus, ready, url, pace);
    const steady = fast.ms.slice((WARM_SECONDS * half) / eventsPerTransaction);
    const many = { url, ids: paced.ids, first: 0, events: half * PACED_SECONDS, batch: eventsPerTransaction };
    await flushed();
    const bareFast = await limit(folder, { ...many, perSecond: half });

    let memory: LiveMemory[] = [];
    const each = Math.min(events, MEMORY_EVENTS_MAX);
    if (!quick) {
      say(`memory over ${(each * MEMORY_BACKLOGS).toLocaleString('en')} events`);
      memory = await memoryOver(tidemark(['--expose-gc']), database, produce, { backlogs: MEMORY_BACKLOGS, events: each });
    }
    const held = (name: string, at: number) => [
      { name: `heap after ${name} events`, value: rounded(memory.at(at)!.heapMb, 0), unit: 'MB' },
      { name: `peak memory after ${name} events`, value: rounded(memory.at(at)!.maxRssMb, 0), unit: 'MB' },
    ];
    const lag = (name: string, ms: readonly number[]) =>
      ([50, 99] as const).map((share) => ({
        name: `${name} p${share}`,
        value: rounded(quantile(ms, share / 100), 1),
        unit: 'ms',
      }));
    return {
      bench: 'live',
      rows: events,
      results: [
        { name: 'bare loop', value: middle('limit'), unit: 'events/s' },
        { name: 'Tidemark', value: middle('rate'), unit: 'events/s' },
        { name: 'Tidemark, once connected', value: middle('streamRate'), unit: 'events/s' },
        ...(quick ? [] : [{ name: 'public client', value: middle('client'), unit: 'events/s' }]),
        { name: 'events per transaction', value: middle('batch'), unit: 'events' },
        { name: "Tidemark's CPU", value: middle('cpu', 1), unit: 'µs/event' },
        { name: "emulator's CPU", value: middle('orgCpu', 1), unit: 'µs/event' },
        { name: 'CPU of all else, PostgreSQL mostly', value: middle('otherCpu', 1), unit: 'µs/event' },
        { name: "bare loop's CPU", value: middle('limitCpu', 1), unit: 'µs/event' },
        { name: 'CPU of all else beside the bare loop', value: middle('limitOtherCpu', 1), unit: 'µs/event' },
        ...lag(`lag at ${half}/s`, steady),
        ...lag(`lag at ${half}/s, the first ${WARM_SECONDS} s after the start too`, fast.ms),
        { name: `events per transaction at ${half}/s`, value: rounded(fast.batch, 0), unit: 'events' },
        ...lag(`bare loop's lag at ${half}/s`, bareFast.lagMs.slice(fast.ms.length - steady.length)),
        ...lag(`bare transaction at ${half}/s`, bareFast.ms),
        ...lag(`lag at ${STEADY.perSecond}/s`, slow.ms),
        ...lag(`bare transaction at ${STEADY.perSecond}/s`, bareSlow.ms),
        { name: 'peak memory', value: rounded(Math.max(...all('maxRssMb')), 0), unit: 'MB' },
        ...(quick ? [] : [...held(each.toLocaleString('en'), 0), ...held((each * MEMORY_BACKLOGS).toLocaleString('en'), -1)]),
      ],
      ratios: {
        toLimit: ratio(all('rate'), all('limit')),
        toBaseline: quick ? null : ratio(all('rate'), all('client')),
        toLimitOnceConnected: ratio(all('streamRate'), all('limit')),
      },
      notes: [
        'the emulator, Tidemark and PostgreSQL share this machine; the bare loop shares it with PostgreSQL alone',
        `the public client takes the first ${Math.min(CLIENT_EVENTS, events)} events of each backlog, and the rate is taken to stay`,
        `lag at ${STEADY.perSecond}/s: from the commit in the org until another connection is notified of the change, for ${STEADY.seconds} s, a change a transaction`,
        `lag at ${half}/s: from the moment a transaction of ${eventsPerTransaction} changes was due until another connection is notified that it is there, for ${PACED_SECONDS} s of which the first ${WARM_SECONDS} are left out; events recorded from the emulator; after a CHECKPOINT, as for the bare loop`,
        `bare loop's lag: from the same moments until it has committed them; like Tidemark it takes all that is due in one transaction`,
      ],
    };
  } finally {
    await database.end();
    await org[Symbol.asyncDispose]();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Events a second, µs of CPU an event. */
interface Taken {
  readonly rate: number;
  readonly streamRate: number;
  readonly batch: number;
  readonly cpu: number;
  readonly orgCpu: number;
  readonly otherCpu: number;
  readonly maxRssMb: number;
}
type Round = Taken & {
  readonly limit: number;
  readonly limitCpu: number;
  readonly limitOtherCpu: number;
  readonly client: number;
};

async function takeBacklog(
  start: () => SpokenChild,
  org: SpokenChild,
  database: pg.Client,
  backlog: Produced,
  events: number,
): Promise<Taken> {
  const orgCpuMs = async () => (await org.ask<{ cpuMs: number }>({ kind: 'cpu' } satisfies OrgQuestion)).cpuMs;
  const last = backlog.first + events - 1;
  const orgBefore = await orgCpuMs();
  await using child = start();
  await visible(database, changeAt(last, backlog.ids).id, last);
  const visibleAtMs = epochMs();
  const [orgMs, busyAfter] = [(await orgCpuMs()) - orgBefore, busyMs()];
  const told = await child.ask<LiveOutput | { live: true }>({ kind: 'stop' } satisfies LiveQuestion);
  const output = 'live' in told ? await child.next<LiveOutput>() : told;
  if (output.events !== events) throw new Error(`${output.events} events came, not ${events}: ${JSON.stringify(output)}`);
  await equal(database, backlog, events);
  const each = (ms: number) => (ms * 1000) / events;
  return {
    rate: (events * 1000) / (visibleAtMs - output.startedAtMs),
    streamRate: (events * 1000) / (visibleAtMs - output.connectedAtMs),
    batch: Math.ceil(events / output.transactions),
    cpu: each(output.cpuMs),
    orgCpu: each(orgMs),
    otherCpu: each(busyAfter - output.busyAtStartMs - orgMs - output.cpuMs),
    maxRssMb: output.maxRssMb,
  };
}
