import sqlite from '@tidemark/connector-sqlite';
import { type AnyConnector, type Config, Engine, parseConfig, type Random, type Store } from '@tidemark/core';
import { Life, type Scheduler, type SimulatedWorkers } from '@tidemark/testkit/simulation';
import { createConnector as createSalesforce } from '../../connectors/salesforce/connector.ts';
import { createPubSubTransport } from '../../connectors/salesforce/stream/pubsub-transport.ts';
import { textOf, withConnectors } from '../lib/engine-life.ts';
import { localDelay, type Network, simulatedFetch } from '../lib/network.ts';
import { type GrpcWorld, simulatedGrpc } from '../live/simulated-grpc.ts';
import { syncs } from './mapping.ts';
import type { OwnedTarget } from './owned-target.ts';
import { StateLine } from './state-line.ts';

/** What outlives processes. */
export interface FleetWorld {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly network: Network;
  readonly grpc: GrpcWorld;
  readonly store: Store;
  readonly workers: SimulatedWorkers;
  readonly target: OwnedTarget;
  readonly config: Config;
}

export interface ProcessOptions {
  readonly skewMs: number;
  readonly random: Random;
  /** Of its configuration: another one is another configuration of one sync. */
  readonly version: number;
}

/** A process of Tidemark on one of several machines. */
export class WorkerProcess {
  readonly life: Life;
  readonly line: StateLine;
  readonly engine: Engine;
  readonly #world: FleetWorld;
  readonly #stop = new AbortController();
  readonly version: number;
  isFrozen = false;
  isCutFromOrg = false;
  thawedAtMs = Number.NEGATIVE_INFINITY;
  /** Since when nothing has been wrong with it. */
  wellSinceMs: number;
  /** Undefined while it runs, null for an end in order. */
  ended: { readonly error: unknown } | null | undefined;

  constructor(name: string, world: FleetWorld, { skewMs, random, version }: ProcessOptions) {
    this.#world = world;
    this.version = version;
    const { scheduler, workers, network } = world;
    this.life = new Life(name);
    this.wellSinceMs = scheduler.now();
    this.line = new StateLine({ scheduler, life: this.life, random: world.random, workers });
    const say = (level: string) => (data: object, message: string) =>
      scheduler.history.add(`${scheduler.now()} ${name} ${level}: ${message} ${textOf(data)}`);
    const fetch = simulatedFetch(network, this.life);
    this.engine = new Engine({
      config: withConnectors(configOf(world.config, version), connectorsOf(world, this.life)),
      store: this.line.reach(world.store),
      clock: scheduler.clock(this.life, skewMs),
      random,
      log: { debug() {}, info: say('info'), warn: say('warn'), error: say('error') },
      fetch: async (input, init) => {
        if (!this.isCutFromOrg) return fetch(input, init);
        await scheduler.park(this.life, 'the org is out of reach', 3000, init?.signal ?? undefined);
        throw new TypeError('fetch failed', { cause: new Error('the network is unreachable') });
      },
    });
  }

  /** As `tidemark start`. */
  start(): this {
    const worker = { name: this.life.name, version: '' };
    return this.#do(() => this.engine.start({ stop: this.#stop.signal, signal: new AbortController().signal, worker }));
  }

  /** As one command, that ends by itself. */
  do(work: (engine: Engine, signal: AbortSignal) => Promise<unknown>): this {
    return this.#do(() => work(this.engine, this.#stop.signal));
  }

  /** SIGTERM. */
  stop(): void {
    this.#stop.abort();
  }

  get isStopping(): boolean {
    return this.#stop.signal.aborted;
  }

  kill(): void {
    this.ended = null;
    this.#world.scheduler.abandon(this.life);
  }

  #do(work: () => Promise<unknown>): this {
    const end = async () => {
      await work();
      await this.engine[Symbol.asyncDispose]();
    };
    end().then(
      () => {
        this.ended ??= null;
      },
      (error: unknown) => {
        this.ended ??= { error };
      },
    );
    return this;
  }
}

let read: Config | null = null;

/** As a user would write it, read once for all worlds. */
export function fleetConfig(target: OwnedTarget, everyMs: number): Config {
  read ??= parseConfig(JSON.stringify(written(target)), {
    file: '/tidemark.yaml',
    env: {},
    connectors: [createSalesforce() as AnyConnector, sqlite as AnyConnector],
  });
  const schedule = { kind: 'every', everyMs } as const;
  const own = [...read.syncs].map(
    ([name, sync]) => [name, sync.live ? { ...sync, schedule: null } : { ...sync, schedule }] as const,
  );
  return { ...read, syncs: new Map(own) };
}

/** Each version reads one of the syncs more rarely than the one before. */
function configOf(config: Config, version: number): Config {
  const { schedule, ...sync } = config.syncs.get('polled_accounts')!;
  if (schedule?.kind !== 'every') throw new Error('polled_accounts is polled');
  const later = { ...sync, schedule: { ...schedule, everyMs: schedule.everyMs + version } };
  return { ...config, syncs: new Map([...config.syncs, ['polled_accounts', later]]) };
}

function written(target: OwnedTarget): object {
  const org = {
    type: 'salesforce',
    loginUrl: 'https://org.example.com',
    stream: 'pubsub',
    pubsubEndpoint: 'pubsub.example.com:443',
    budget: { share: '100%', reserve: 0 },
    auth: { flow: 'client-credentials', ...credentials },
  };
  const syncOf = ({ mapped: { object, table, fields }, from, live }: (typeof syncs)[number]) => ({
    from: { connection: from, object },
    to: { connection: 'db', table },
    fields,
    ...(live ? { live: true } : { every: '10s' }),
    sweepMax: 1,
  });
  return {
    connections: { org, branch: org, db: target.connection },
    syncs: Object.fromEntries(syncs.map((sync) => [sync.mapped.sync, syncOf(sync)])),
  };
}

export const credentials = { clientId: 'simulation', clientSecret: 'not a secret of anybody' };

function connectorsOf(world: FleetWorld, life: Life): Readonly<Record<string, AnyConnector>> {
  const { scheduler, grpc, random, target } = world;
  const salesforce = createSalesforce({
    openTransport: (name, session, context) =>
      name === 'pubsub'
        ? createPubSubTransport('pubsub.example.com:443', session, context.clock, async () => simulatedGrpc(grpc, life))
        : null,
  });
  const database = target.connector(scheduler, life, () => localDelay(random));
  return { salesforce: salesforce as AnyConnector, [database.name]: database };
}
