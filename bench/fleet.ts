import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFetch, Engine, openStore, parseConfig, seededRandom, systemClock } from '@tidemark/core';
import { startPostgres, startTcpProxy, type TcpProxy, WatchedDatabase } from '@tidemark/testkit';
import pg from 'pg';
import { loadConnectors } from '../apps/tidemark/src/connectors.ts';
import { startKafka } from '../testkit/src/services/kafka.ts';
import { fleetDifference } from './lib/fleet-difference.ts';
import type { ManyOrgsInput, ManyOrgsReady, Truth, TruthQuestion, Writes } from './lib/many-orgs-process.ts';
import type { BenchOptions } from './lib/options.ts';
import { type BenchReport, say } from './lib/report.ts';
import { SpokenChild } from './lib/spoken-child.ts';
import { median, rounded } from './lib/statistics.ts';
import { BenchWorker } from './lib/worker.ts';

const RECORDS = 20;
const WRITES_A_SECOND = 50;
const FAULTS_A_ROUND = 8;
const CALM_MS = 4000;
const PATIENCE_MS = 300_000;
const app = { clientId: 'bench-app', clientSecret: 'bench-app-secret' };

type Fault = 'kill -9' | 'SIGSTOP' | 'database cut off' | 'Kafka frozen' | 'orgs frozen';
const FAULTS: readonly Fault[] = ['kill -9', 'SIGSTOP', 'database cut off', 'Kafka frozen', 'orgs frozen'];

interface Seat {
  worker: BenchWorker;
  readonly wire: TcpProxy;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Two workers share the streams of many orgs, and a topic of Kafka, while people write in all orgs. One fault after the other: a worker
 * is killed or frozen, or cut off from PostgreSQL; Kafka or all orgs freeze. In the end each org's records are in the table, no unit
 * had two owners that had an effect (P11), and no row was written twice for nothing.
 */
export async function bench({ rows: orgs, rounds }: BenchOptions): Promise<BenchReport> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-bench-'));
  await using ends = new AsyncDisposableStack();
  ends.defer(() => rmSync(folder, { recursive: true, force: true }));
  const [postgres, kafka] = await Promise.all([startPostgres({ tuning: 'stock' }), startKafka()]);
  ends.defer(() => postgres.stop());
  ends.defer(() => kafka.stop());
  say(`starting ${orgs} orgs of ${RECORDS} records`);
  const customers = ends.use(
    new SpokenChild('./many-orgs-process.ts', { orgs, records: RECORDS, ...app } satisfies ManyOrgsInput),
  );
  const ready = await customers.next<ManyOrgsReady>();
  const config = join(folder, 'tidemark.yaml');
  writeFileSync(config, yaml(ready));
  const shared = { KAFKA_URL: kafka.url, TIDEMARK_KEY: randomBytes(32).toString('base64') };
  await keepOrgs(config, { ...shared, STATE_URL: postgres.url, TARGET_URL: postgres.url }, ready);
  const session = new pg.Client({ connectionString: postgres.url });
  await session.connect();
  ends.defer(() => session.end());
  const database = new WatchedDatabase(session);

  const start = async (wire: TcpProxy): Promise<Seat> => {
    const own = (await database.user(postgres.url)).href;
    const env = { ...shared, STATE_URL: wire.through(own), TARGET_URL: wire.through(own) };
    return { worker: await BenchWorker.start(config, env), wire, env };
  };
  const seats: Seat[] = [];
  for (let i = 0; i < 2; i++) {
    const wire = ends.use(await startTcpProxy(postgres.url));
    seats.push(await start(wire));
  }
  ends.defer(async () => {
    for (const { worker } of seats) worker.signal('SIGKILL');
  });
  // A stream for each org, one into the topic, and the topic itself.
  const units = orgs + 2;
  say('until all is loaded, and shared by both workers');
  const share = Math.ceil(units / 2);
  await until(async () => (await owned(seats)).every((count) => count > 0 && count <= share), 'the shares have not settled');
  await equalInTheEnd(session, customers, ready);
  await database.watch({ contacts: 'last', of_topic: 'last' });

  const random = seededRandom(Date.now() % 2 ** 31);
  let writing = true;
  let changes = 0;
  let areOrgsFrozen = false;
  const writes = (async () => {
    while (writing) {
      if (!areOrgsFrozen) {
        await customers.ask({ kind: 'write', writes: WRITES_A_SECOND / 2 } satisfies Writes);
        changes += WRITES_A_SECOND / 2;
      }
      await sleep(500);
    }
  })();
  const takeOvers: number[] = [];
  const counts = Object.fromEntries(FAULTS.map((fault) => [fault, 0])) as Record<Fault, number>;
  const goneOver = async (survivor: Seat) => {
    const from = performance.now();
    await until(async () => (await owned([survivor]))[0] === units, 'the other worker has not taken over');
    takeOvers.push(performance.now() - from);
  };
  for (let n = 1; n <= rounds * FAULTS_A_ROUND; n++) {
    await sleep(random() * CALM_MS);
    const fault = FAULTS[n % FAULTS.length]!;
    const at = Math.floor(random() * 2);
    const [seat, other] = [seats[at]!, seats[1 - at]!];
    counts[fault]++;
    say(`  ${fault} (${n} of ${rounds * FAULTS_A_ROUND})`);
    if (fault === 'kill -9') {
      seat.worker.signal('SIGKILL');
      await goneOver(other);
      seats[at] = await start(seat.wire);
    } else if (fault === 'SIGSTOP') {
      seat.worker.signal('SIGSTOP');
      await goneOver(other);
      seat.worker.signal('SIGCONT');
    } else if (fault === 'database cut off') {
      seat.wire.cut();
      await goneOver(other);
      seat.wire.mend();
    } else if (fault === 'Kafka frozen') {
      process.kill(kafka.pid, 'SIGSTOP');
      await sleep(3000 + random() * 12_000);
      process.kill(kafka.pid, 'SIGCONT');
    } else {
      areOrgsFrozen = true;
      customers.signal('SIGSTOP');
      await sleep(3000 + random() * 12_000);
      customers.signal('SIGCONT');
      areOrgsFrozen = false;
    }
    await until(async () => (await owned(seats)).every((count) => count > 0 && count <= share), 'the shares have not settled');
  }
  writing = false;
  await writes;
  say('until both sides are equal');
  const startedAtMs = performance.now();
  const records = await equalInTheEnd(session, customers, ready);
  const { twoOwners, writtenAgain } = await database.seen();
  if (twoOwners.length > 0) throw new Error(`moved by two owners of one epoch: ${JSON.stringify(twoOwners)}`);
  return {
    bench: 'fleet',
    rows: orgs * RECORDS,
    results: [
      { name: 'orgs', value: orgs, unit: 'orgs' },
      ...FAULTS.map((fault) => ({ name: fault, value: counts[fault], unit: 'times' })),
      { name: 'changes meanwhile', value: changes, unit: 'changes' },
      { name: 'take-over of all units, p50', value: rounded(median(takeOvers) / 1000, 1), unit: 's' },
      { name: 'take-over of all units, longest', value: rounded(Math.max(...takeOvers) / 1000, 1), unit: 's' },
      { name: 'equal after the last change', value: rounded((performance.now() - startedAtMs) / 1000, 1), unit: 's' },
      { name: 'records compared', value: records, unit: 'records' },
      { name: 'checkpoints with two effective owners', value: twoOwners.length, unit: 'checkpoints' },
      { name: 'rows written again with what they held', value: writtenAgain.length, unit: 'rows' },
    ],
    ratios: { toLimit: null, toBaseline: null, 'longest take-over to the goal of 10 s': Math.max(...takeOvers) / 10_000 },
    notes: ['a take-over counts from the fault until the other worker owns every unit'],
  };
}

function yaml({ pubsubEndpoint, orgs }: ManyOrgsReady): string {
  const fields = { id: 'Id', last: 'LastName' };
  return JSON.stringify({
    connections: {
      customers: { type: 'salesforce', orgs: true, pubsubEndpoint, auth: { flow: 'web-server', ...app } },
      first: { type: 'salesforce', loginUrl: orgs[0]!.url, pubsubEndpoint, auth: { flow: 'client-credentials', ...app } },
      bus: { type: 'kafka', brokers: variable('KAFKA_URL') },
      db: { type: 'postgres', url: variable('TARGET_URL') },
    },
    store: { url: variable('STATE_URL') },
    syncs: {
      contacts: {
        forEach: 'org',
        from: { connection: 'customers', object: 'Contact' },
        to: { connection: 'db', table: 'contacts', orgColumn: 'org_id' },
        fields,
        live: true,
        every: '1h',
      },
      'to-topic': {
        from: { connection: 'first', object: 'Contact' },
        to: { connection: 'bus', topic: 'contacts', partitions: 4 },
        fields,
        live: true,
        every: '1h',
      },
      'from-topic': {
        from: { connection: 'bus', topic: 'contacts', key: 'id', fields: { id: 'text', last: 'text' } },
        to: { connection: 'db', table: 'of_topic' },
        live: true,
      },
    },
  });
}

const variable = (name: string) => `\${${name}}`;

/** As customers are once they have connected their orgs. */
async function keepOrgs(file: string, env: Record<string, string>, { orgs, pubsubEndpoint }: ManyOrgsReady): Promise<void> {
  const { connectors } = await loadConnectors();
  const config = parseConfig(yaml({ orgs, pubsubEndpoint }), { file, env, connectors });
  await using store = await openStore(env.STATE_URL!);
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const parts = { config, store, clock: systemClock, random: Math.random, log, fetch: createFetch(process.env) };
  await using engine = new Engine(parts);
  for (const [i, { orgId, url, credential }] of orgs.entries()) {
    await engine.orgs.keep({ connection: 'customers', name: `org-${i}` }, url, { orgId, url, credential });
  }
}

/** How many units each of them runs; none where it does not answer. */
function owned(seats: readonly Seat[]): Promise<readonly number[]> {
  return Promise.all(
    seats.map(({ worker }) =>
      worker.share().then(
        ({ units }) => units,
        () => 0,
      ),
    ),
  );
}

/** @returns how many records were compared */
async function equalInTheEnd(session: pg.Client, customers: SpokenChild, ready: ManyOrgsReady): Promise<number> {
  const { contacts } = await customers.ask<Truth>({ kind: 'truth' } satisfies TruthQuestion);
  const expected = new Map<string, string>();
  for (const [i] of ready.orgs.entries()) {
    for (const [id, last] of Object.entries(contacts[i]!)) expected.set(`org-${i} ${id}`, last);
  }
  for (const [id, last] of Object.entries(contacts[0]!)) expected.set(`topic ${id}`, last);
  let difference = '';
  await until(
    async () => {
      difference = await fleetDifference(session, expected);
      return difference === '';
    },
    () => `the copies are not equal: ${difference}`,
  );
  return expected.size;
}

async function until(isSo: () => Promise<boolean>, otherwise: string | (() => string)): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error(typeof otherwise === 'string' ? otherwise : otherwise());
    await sleep(200);
  }
}
