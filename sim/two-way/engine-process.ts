import postgres from '@tidemark/connector-postgres';
import sqlite from '@tidemark/connector-sqlite';
import {
  type AnyConnector,
  type Choice,
  type Config,
  type Conflict,
  Engine,
  parseConfig,
  type Random,
  type Store,
} from '@tidemark/core';
import { Life, type Scheduler } from '@tidemark/testkit/simulation';
import { createConnector as createSalesforce } from '../../connectors/salesforce/connector.ts';
import { createPubSubTransport } from '../../connectors/salesforce/stream/pubsub-transport.ts';
import { storeOf, textOf, withConnectors } from '../lib/engine-life.ts';
import { localDelay, type Network, simulatedFetch } from '../lib/network.ts';
import { type GrpcWorld, simulatedGrpc } from '../live/simulated-grpc.ts';
import type { App } from './app.ts';
import { orgFields } from './fields.ts';
import { noReads, type OrgSide } from './org-side.ts';
import type { Plan } from './plan.ts';

/** What outlives a process of the engine. */
export interface EngineWorld {
  readonly scheduler: Scheduler;
  readonly plan: Plan;
  readonly network: Network;
  readonly grpc: GrpcWorld;
  readonly org: OrgSide;
  readonly app: App;
  readonly store: Store;
  readonly config: Config;
  /** The engine is about to read rows of the app for good. */
  readonly beforeMerge: () => Promise<void>;
}

/** One process of the engine, from its start to its death. */
export class EngineProcess {
  readonly life: Life;
  readonly startedMs: number;
  readonly #world: EngineWorld;
  readonly #engine: Engine;
  readonly #stop = new AbortController();
  readonly #kill = new AbortController();
  /** Why it ended; undefined while it runs, null for an end in order. */
  ended: { readonly error: unknown } | null | undefined;

  constructor(world: EngineWorld, name: string, random: Random) {
    this.#world = world;
    const { scheduler, plan, network, org, app } = world;
    this.life = new Life(name);
    this.startedMs = scheduler.now();
    const say = (level: string) => (data: object, message: string) =>
      scheduler.history.add(`${scheduler.now()} ${this.life.name} ${level}: ${message} ${textOf(data)}`);
    const reads = noReads();
    const own: Network = Object.defineProperty({ ...network, emulator: org.emulatorOf(reads) }, 'faults', {
      get: () => network.faults,
    });
    const { grpc } = world;
    const salesforce = createSalesforce({
      openTransport: (name, session, context) =>
        name === 'pubsub'
          ? createPubSubTransport('pubsub.example.com:443', session, context.clock, async () => simulatedGrpc(grpc, this.life))
          : null,
    });
    const database = app.connector(scheduler, this.life, () => localDelay(network.random), world.beforeMerge);
    const connectors: Record<string, AnyConnector> = {
      salesforce: salesforce as AnyConnector,
      [database.name]: database,
    };
    this.#engine = new Engine({
      config: withConnectors(world.config, connectors),
      store: storeOf(world, this.life),
      clock: scheduler.clock(this.life, plan.machineSkewMs),
      random,
      log: { debug() {}, info: say('info'), warn: say('warn'), error: say('error') },
      fetch: org.noting(simulatedFetch(own, this.life), reads),
    });
  }

  /** As `tidemark start`. */
  start(): this {
    return this.#until(() => this.#engine.start({ stop: this.#stop.signal, signal: this.#kill.signal }));
  }

  /** As `tidemark schema apply`. */
  applySchema(): this {
    return this.#until(() => this.#engine.applySchema(undefined, this.#kill.signal));
  }

  /** As `tidemark conflicts resolve` in a process of its own. */
  resolving(conflict: Conflict, choice: Choice): this {
    return this.#until(() => this.resolve(conflict, choice));
  }

  /** As `tidemark run --full --sweep-max 100%` of somebody who has seen that what is missing is meant to be gone. */
  sweeping(): this {
    return this.#until(() => this.#engine.run(sync, { full: true, sweepMax: 1, signal: this.#kill.signal }));
  }

  /** Somebody decides in this process. What is refused is refused: they may try again. */
  async resolve({ id }: Conflict, choice: Choice): Promise<void> {
    const { scheduler } = this.#world;
    const say = (what: string) => scheduler.history.add(`${scheduler.now()} ${this.life.name} ${what}`);
    try {
      const {
        runs: [report],
      } = await this.#engine.resolveConflicts([id], choice, { signal: this.#kill.signal });
      say(`resolved ${id}: ${report?.state}`);
    } catch (error) {
      say(`did not resolve ${id}: ${(error as Error).message}`);
    }
  }

  /** As SIGTERM. `ended` tells when it is done. */
  stop(): void {
    this.#stop.abort();
  }

  /** Kill -9. */
  kill(): void {
    this.#world.scheduler.abandon(this.life);
    this.ended = null;
  }

  #until(work: () => Promise<unknown>): this {
    const end = async () => {
      await work();
      await this.#engine[Symbol.asyncDispose]();
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

const configs = new Map<string, Config>();
export const sync = 'accounts';
export const credentials = { clientId: 'simulation', clientSecret: 'not a secret of anybody' };

/** The configuration of a world, as a user would write it. Read once for all worlds that have the same. */
export function configOf(plan: Plan, app: App): Config {
  const { conflicts, deletes, match, oneWay, live, everyMs, fullMs } = plan;
  const name = JSON.stringify([conflicts, deletes, match, oneWay, live, app.connection]);
  const config = configs.get(name) ?? readConfig(plan, app);
  configs.set(name, config);
  const every = (ms: number | null) => (ms === null ? null : ({ kind: 'every', everyMs: ms } as const));
  const schedules = { schedule: every(everyMs), full: every(fullMs) };
  return { ...config, pairings: new Map([...config.pairings].map(([key, pairing]) => [key, { ...pairing, ...schedules }])) };
}

function readConfig({ conflicts, deletes, match, oneWay, live }: Plan, app: App): Config {
  const yaml = JSON.stringify({
    connections: {
      crm: {
        type: 'salesforce',
        loginUrl: 'https://org.example.com',
        stream: 'pubsub',
        pubsubEndpoint: 'pubsub.example.com:443',
        budget: { share: '100%', reserve: 0 },
        auth: { flow: 'client-credentials', ...credentials },
      },
      app: app.connection,
    },
    syncs: {
      [sync]: {
        between: [
          { connection: 'crm', object: 'Account', link: 'App_Id__c' },
          { connection: 'app', table: 'customers', link: 'crm_id' },
        ],
        fields: { ...orgFields, ...(oneWay ? { site: { field: 'Site', to: 'app' } } : {}) },
        conflicts: conflicts === 'module' ? './decide.ts' : conflicts,
        deletes,
        live,
        ...(match ? { match: 'name' } : {}),
      },
    },
  });
  return parseConfig(yaml, {
    file: `${import.meta.dirname}/tidemark.yaml`,
    env: {},
    connectors: [createSalesforce() as AnyConnector, sqlite as AnyConnector, postgres as AnyConnector],
  });
}
