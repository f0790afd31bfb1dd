import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KafkaClient } from '@tidemark/connector-kafka/client';
import type { EmulatorCredentials } from '@tidemark/emulator';
import { startPostgres } from '@tidemark/testkit';
import pg from 'pg';
import { startKafka } from '../testkit/src/services/kafka.ts';
import { configuration, epochMs, equal, visible } from './lib/live-copy.ts';
import { changeAt } from './lib/live-events.ts';
import type { OrgQuestion, Produced } from './lib/live-org-process.ts';
import type { LiveQuestion } from './lib/live-process.ts';
import type { BenchOptions } from './lib/options.ts';
import { producerPerformance } from './lib/producer-performance.ts';
import { type BenchReport, say } from './lib/report.ts';
import { SpokenChild } from './lib/spoken-child.ts';
import { median, ratio, rounded } from './lib/statistics.ts';

const CONTACTS = 5000;
/** About what a contact of this bench has as JSON, with headers. */
const MESSAGE_BYTES = 350;

/**
 * A backlog of updates from an org into PostgreSQL, by way of a topic: stream, topic and table in one process, as `tidemark start` runs
 * them. Beside it the direct way, and what Kafka's own producer gets into the same broker. The clock runs from the start of the engine
 * until the last event can be read in PostgreSQL.
 */
export async function bench({ rows: events, rounds, quick }: BenchOptions): Promise<BenchReport> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-bench-'));
  const [postgres, kafka] = await Promise.all([startPostgres({ tuning: 'stock' }), startKafka()]);
  const database = new pg.Client({ connectionString: postgres.url });
  await database.connect();
  const org = new SpokenChild('./live-org-process.ts', { contacts: CONTACTS, events: events * (rounds + 2) * 2 });
  try {
    const credentials = await org.next<EmulatorCredentials>();
    const produce = (count: number) => org.ask<Produced>({ kind: 'produce', events: count } satisfies OrgQuestion);
    const ways = { direct: [] as number[], kafka: [] as number[] };
    for (const way of ['direct', 'kafka'] as const) {
      await database.query('DROP TABLE IF EXISTS contact; DROP TABLE IF EXISTS _tidemark_checkpoints');
      const plain = configuration(credentials, postgres.url, join(folder, `${way}.db`));
      const yaml = way === 'direct' ? plain : byTopic(plain, kafka.url);
      const start = () => new SpokenChild('./live-process.ts', { yaml });
      say(`${way}: ${CONTACTS} contacts first`);
      {
        await using first = start();
        await first.next();
        const one = await produce(1);
        await visible(database, changeAt(one.first, one.ids).id, one.first);
        await first.ask({ kind: 'settled' } satisfies LiveQuestion);
        await first.ask({ kind: 'stop' } satisfies LiveQuestion);
      }
      for (let round = 1; round <= rounds; round++) {
        const backlog = await produce(events);
        const startedAtMs = epochMs();
        await using child = start();
        const last = backlog.first + events - 1;
        await visible(database, changeAt(last, backlog.ids).id, last);
        ways[way].push((events * 1000) / (epochMs() - startedAtMs));
        await equalInTheEnd(database, backlog, events);
        const told = await child.ask<object>({ kind: 'stop' } satisfies LiveQuestion);
        // It may have said that it is live, and have been asked nothing before.
        if ('live' in told) await child.next();
        say(`  ${way}, round ${round}: ${ways[way].at(-1)!.toFixed(0)} events/s`);
      }
    }
    await using client = new KafkaClient({ brokers: [kafka.url], tls: null, sasl: null });
    await client.createTopic('perf', { partitions: 6, replicas: 1 });
    const producer: number[] = [];
    for (let round = 1; round <= (quick ? 0 : rounds); round++) {
      producer.push(await producerPerformance(kafka.url, 'perf', { messages: events * 10, bytes: MESSAGE_BYTES }));
    }
    return {
      bench: 'kafka',
      rows: events,
      results: [
        { name: 'org -> Kafka -> PostgreSQL, one worker', value: rounded(median(ways.kafka), 0), unit: 'events/s' },
        { name: 'org -> PostgreSQL, one worker', value: rounded(median(ways.direct), 0), unit: 'events/s' },
        ...(quick ? [] : [{ name: 'kafka-producer-perf-test', value: rounded(median(producer), 0), unit: 'messages/s' }]),
      ],
      ratios: {
        toLimit: quick ? null : ratio(ways.kafka, producer),
        toBaseline: ratio(ways.kafka, ways.direct),
      },
      notes: [
        'the emulator, Tidemark, Kafka and PostgreSQL share this machine; kafka-producer-perf-test shares it with Kafka alone',
        'a change event holds the fields that changed, and a message a whole record: each is read from the org first, in batches',
        'with two workers: not measured here',
      ],
    };
  } finally {
    await database.end();
    await org[Symbol.asyncDispose]();
    await Promise.all([postgres.stop(), kafka.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The same by way of a topic. */
function byTopic(plain: string, broker: string): string {
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
      'to-topic': { ...contacts, to: { connection: 'bus', topic: 'contacts', partitions: 6 } },
      'to-table': { from: { connection: 'bus', topic: 'contacts', key: 'id', fields }, to: contacts.to, live: true },
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
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
