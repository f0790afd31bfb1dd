import postgres from '@tidemark/connector-postgres';
import sqlite from '@tidemark/connector-sqlite';
import { type AnyConnector, type Config, Engine, parseConfig, type Random, type Store } from '@tidemark/core';
import { Life, type Scheduler } from '@tidemark/testkit/simulation';
import { createConnector as createSalesforce } from '../../connectors/salesforce/connector.ts';
import { createPubSubTransport } from '../../connectors/salesforce/stream/pubsub-transport.ts';
import { storeOf, textOf, withConnectors } from '../lib/engine-life.ts';
import { localDelay, type Network, simulatedFetch } from '../lib/network.ts';
import { type Mapped, syncOf } from './mapping.ts';
import type { Plan } from './plan.ts';
import { type GrpcWorld, simulatedGrpc } from './simulated-grpc.ts';
import type { SimulatedTarget } from './simulated-target.ts';

/** What outlives a process of the engine. */
export interface EngineWorld {
  readonly scheduler: Scheduler;
  readonly plan: Plan;
  readonly network: Network;
  readonly grpc: GrpcWorld;
  readonly store: Store;
  readonly target: SimulatedTarget;
  readonly config: Config;
}

/** One process of the engine, from its start to its death. */
export class EngineProcess {
  readonly life: Life;
  readonly #world: EngineWorld;
  readonly #engine: Engine;
  readonly #stop = new AbortController();
  readonly #kill = new AbortController();
  /** Why its stream had to be opened anew, as the log tells. */
  readonly interruptions: string[] = [];
  /** Why it ended; undefined while it runs, null for an end in order. */
  ended: { readonly error: unknown } | null | undefined;

  constructor(world: EngineWorld, number: number, random: Random) {
    this.#world = world;
    const { scheduler, plan } = world;
    this.life = new Life(`engine ${number}`);
    const say = (level: string) => (data: object, message: string) => {
      const text = `${message} ${textOf(data)}`;
      scheduler.history.add(`${scheduler.now()} ${this.life.name} ${level}: ${text}`);
      if (message.startsWith('the stream was interrupted')) this.interruptions.push(text);
    };
    this.#engine = new Engine({
      config: withConnectors(world.config, connectorsOf(world, this.life)),
      store: storeOf(world, this.life),
      clock: scheduler.clock(this.life, plan.engineSkewMs),
      random,
      log: { debug() {}, info: say('info'), warn: say('warn'), error: say('error') },
      fetch: simulatedFetch(world.network, this.life),
    });
    const end = async () => {
      await this.#engine.start({ stop: this.#stop.signal, signal: this.#kill.signal });
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

  get status(): ReturnType<Engine['liveStatus']> {
    return this.#engine.liveStatus();
  }

  /** As the user does from another process: through the store. */
  setPaused(sync: string, paused: boolean): Promise<void> {
    return this.#engine.setPaused(sync, paused);
  }
}

const configs = new Map<string, Config>();

/** The configuration of a world, as a user would write it. Read once for all worlds that have the same. */
export function configOf(mappings: readonly Mapped[], plan: Plan, target: SimulatedTarget): Config {
  const { strict, filtered, deletes, startsLate, everyMs } = plan;
  const name = JSON.stringify([strict, filtered, deletes, startsLate, target.connection]);
  const config = configs.get(name) ?? readConfig(mappings, target);
  configs.set(name, config);
  const schedule = everyMs === null ? null : ({ kind: 'every', everyMs } as const);
  return { ...config, syncs: new Map([...config.syncs].map(([sync, settings]) => [sync, { ...settings, schedule }])) };
}

function readConfig(mappings: readonly Mapped[], target: SimulatedTarget): Config {
  const yaml = JSON.stringify({
    connections: {
      org: {
        type: 'salesforce',
        loginUrl: 'https://org.example.com',
        stream: 'pubsub',
        pubsubEndpoint: 'pubsub.example.com:443',
        budget: { share: '100%', reserve: 0 },
        auth: { flow: 'client-credentials', ...credentials },
      },
      db: target.connection,
    },
    syncs: Object.fromEntries(mappings.map((mapped) => [mapped.sync, { ...syncOf(mapped), sweepMax: 1 }])),
  });
  return parseConfig(yaml, {
    file: '/tidemark.yaml',
    env: {},
    connectors: [createSalesforce() as AnyConnector, sqlite as AnyConnector, postgres as AnyConnector],
  });
}

export const credentials = { clientId: 'simulation', clientSecret: 'not a secret of anybody' };

function connectorsOf(world: EngineWorld, life: Life): Readonly<Record<string, AnyConnector>> {
  const { scheduler, grpc } = world;
  const salesforce = createSalesforce({
    openTransport: (name, session, context) =>
      name === 'pubsub'
        ? createPubSubTransport('pubsub.example.com:443', session, context.clock, async () => simulatedGrpc(grpc, life))
        : null,
  });
  const database = world.target.connector(scheduler, life, () => localDelay(world.network.random));
  return { salesforce: salesforce as AnyConnector, [database.name]: database };
}
