import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KafkaClient } from '@tidemark/connector-kafka/client';
import type { EmulatorCredentials } from '@tidemark/emulator';
import { startPostgres } from '@tidemark/testkit';
import pg from 'pg';
import { startKafka } from '../testkit/src/services/kafka.ts';
import { configuration, epochMs, equal, visible } from './lib/live-copy.ts';
import { changeAt } from './lib/live-events.ts';
import type { OrgQuestion, Produced } from './lib/live-org-process.ts';
import type { BenchOptions } from './lib/options.ts';
import { producerPerformance } from './lib/producer-performance.ts';
import { type BenchReport, say } from './lib/report.ts';
import { SpokenChild } from './lib/spoken-child.ts';
import { median, ratio, rounded } from './lib/statistics.ts';
import { BenchWorker } from './lib/worker.ts';

const CONTACTS = 5000;
/** About what a contact of this bench has as JSON, with headers. */
const MESSAGE_BYTES = 350;

/** How long the shares of workers may take to settle. */
const SETTLED_MS = 60_000;

type Way = 'direct' | 'one worker' | 'two workers';

/**
 * Updates of an org into PostgreSQL, by way of a topic: stream and topic in one worker, or one in each of two. Beside it the direct way,
 * and what Kafka's own producer gets into the same broker. The clock runs from the first update in the org until the last can be read in
 * PostgreSQL.
 */
export async function bench({ rows: events, rounds, quick }: BenchOptions): Promise<BenchReport> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-bench-'));
  const [postgres, kafka] = await Promise.all([startPostgres({ tuning: 'stock' }), startKafka()]);
  const database = new pg.Client({ connectionString: postgres.url });
  await database.connect();
  const org = new SpokenChild('./live-org-process.ts', { contacts: CONTACTS, events: events * (rounds + 2) * 3 });
  try {
    const credentials = await org.next<EmulatorCredentials>();
    const produce = (count: number) => org.ask<Produced>({ kind: 'produce', events: count } satisfies OrgQuestion);
    const rates: Record<Way, number[]> = { direct: [], 'one worker': [], 'two workers': [] };
    const plain = configuration(credentials, postgres.url, postgres.url);
    for (const way of Object.keys(rates) as Way[]) {
      await database.query('DROP TABLE IF EXISTS contact; DROP TABLE IF EXISTS _tidemark_checkpoints');
      const config = join(folder, `${way}.yaml`);
      writeFileSync(config, way === 'direct' ? plain : byTopic(plain, kafka.url, way.replace(' ', '-')));
      say(`${way}: ${CONTACTS} contacts first`);
      await using workers = new AsyncDisposableStack();
      const started: BenchWorker[] = [];
      for (let i = 0; i < (way === 'two workers' ? 2 : 1); i++) started.push(workers.use(await BenchWorker.start(config)));
      await settled(started, way === 'direct' ? 1 : 2);
      const one = await produce(1);
      await visible(database, changeAt(one.first, one.ids).id, one.first);
      for (let round = 1; round <= rounds; round++) {
        const startedAtMs = epochMs();
        const backlog = await produce(events);
        const last = backlog.first + events - 1;
        await visible(database, changeAt(last, backlog.ids).id, last);
        await equalInTheEnd(database, backlog, events);
        rates[way].push((events * 1000) / (epochMs() - startedAtMs));
        say(`  ${way}, round ${round}: ${rates[way].at(-1)!.toFixed(0)} events/s`);
      }
    }
    await using client = new KafkaClient({ brokers: [kafka.url], tls: null, sasl: null });
    await client.createTopic('perf', { partitions: 6, replicas: 1 });
    const producer: number[] = [];
    for (let round = 1; round <= (quick ? 0 : rounds); round++) {
      producer.push(await producerPerformance(kafka.url, 'perf', { messages: events * 10, bytes: MESSAGE_BYTES }));
    }
    const rate = (name: string, values: readonly number[], unit = 'events/s') => ({
      name,
      value: rounded(median(values), 0),
      unit,
    });
    return {
      bench: 'kafka',
      rows: events,
      results: [
        rate('org -> Kafka -> PostgreSQL, one worker', rates['one worker']),
        rate('org -> Kafka -> PostgreSQL, two workers', rates['two workers']),
        rate('org -> PostgreSQL, one worker', rates.direct),
        ...(quick ? [] : [rate('kafka-producer-perf-test', producer, 'messages/s')]),
      ],
      ratios: {
        toLimit: quick ? null : ratio(rates['two workers'], producer),
        toBaseline: ratio(rates['two workers'], rates['one worker']),
      },
      notes: [
        'the emulator, Tidemark, Kafka and PostgreSQL share this machine; kafka-producer-perf-test shares it with Kafka alone',
        'a change event holds the fields that changed, and a message a whole record: each is read from the org first, in batches',
        'toLimit: two workers beside the producer; toBaseline: two workers beside one',
      ],
    };
  } finally {
    await database.end();
    await org[Symbol.asyncDispose]();
    await Promise.all([postgres.stop(), kafka.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Until every unit has its owner, every worker its share, and the streams are followed. */
async function settled(workers: readonly BenchWorker[], units: number): Promise<void> {
  const deadlineMs = epochMs() + SETTLED_MS;
  for (;;) {
    const shares = await Promise.all(workers.map((worker) => worker.share()));
    const owned = shares.reduce((sum, share) => sum + share.units, 0);
    const live = shares.reduce((sum, share) => sum + share.live, 0);
    if (owned === units && live === 1 && shares.every((share) => share.units > 0)) return;
    if (epochMs() > deadlineMs) throw new Error(`the workers have not settled: ${JSON.stringify(shares)}`);
    await sleep(200);
  }
}

/** The same by way of a topic. */
function byTopic(plain: string, broker: string, topic: string): string {
  const config = JSON.parse(plain) as {
    connections: object;
    syncs: { contacts: { to: object; fields: Record<string, string> } };
  };
  const { contacts } = config.syncs;
  const fields = Object.fromEntries(Object.keys(contacts.fields).map((name) => [name, name === 'birthdate' ? 'date' : 'text']));
  return JSON.stringify({
    ...config,
    connections: { ...config.connections, bus: { type: 'kafka', brokers: broker } },
    syncs: {
      'to-topic': { ...contacts, to: { connection: 'bus', topic, partitions: 6 } },
      'to-table': { from: { connection: 'bus', topic, key: 'id', fields }, to: contacts.to, live: true },
    },
  });
}

/** The last event may be there before one that lies in another partition. */
async function equalInTheEnd(database: pg.Client, backlog: Produced, events: number): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await equal(database, backlog, events);
    } catch (error) {
      if (tries === 100) throw error;
      await sleep(50);
    }
  }
}
