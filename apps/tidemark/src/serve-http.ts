import {
  type Config,
  connectEndpoints,
  createMetrics,
  type Engine,
  getHealthz,
  getMetrics,
  getReadyz,
  type HttpServer,
  hookEndpoints,
  type Log,
  type Metrics,
  PortTakenError,
  startHttpServer,
} from '@tidemark/core';
import { UsageError } from './usage-error.ts';

/** Where it answers unless told otherwise. */
const PORT = 4600;

export interface ServeOptions {
  readonly engine: Engine;
  readonly http: Config['http'];
  readonly log: Log;
  readonly now: () => number;
  /** Why it does not run syncs at this time, if so. */
  readonly notReady: () => readonly string[];
  /** Whoever waits for an outcome is sent away then. */
  readonly stop: AbortSignal;
}

export interface Served extends AsyncDisposable {
  /** Null where nothing is answered. */
  readonly metrics: Metrics | null;
}

/** What `tidemark start` answers while it runs. The usual port may be taken; one that was asked for may not. */
export async function serveHttp({ engine, http, log, now, notReady, stop }: ServeOptions): Promise<Served> {
  const { hooks } = engine;
  const isFed = hooks.names().length > 0;
  if (http.port === 'off') {
    if (!isFed) return nothing;
    throw new UsageError(`${hooks.names().join(', ')} is fed by a hook, and nothing is answered with port off`, {
      hint: 'name a port with --port or http: { port: … }',
    });
  }
  const metrics = await createMetrics(engine, now);
  const reasons = async () => [...notReady(), ...(await storeTrouble(engine))];
  const endpoints = [getMetrics(metrics), getHealthz, getReadyz({ reasons }), hookEndpoints({ hooks, now, log, stop, metrics }), connectEndpoints({ orgs: engine.orgs, log, stop })];
  let server: HttpServer;
  try {
    server = await startHttpServer({ host: http.host, port: http.port ?? PORT, log, endpoints });
  } catch (error) {
    // Syncs are what it is there for: without metrics they run all the same, unless somebody counts on that port.
    if (isFed || http.port !== null || !(error instanceof PortTakenError)) throw error;
    log.warn({ hint: error.hint }, `${error.message}: no metrics this time`);
    return nothing;
  }
  return { metrics, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

const nothing: Served = { metrics: null, async [Symbol.asyncDispose]() {} };

async function storeTrouble(engine: Engine): Promise<readonly string[]> {
  try {
    await engine.runs({ limit: 1 });
    return [];
  } catch {
    return ['the state store does not answer'];
  }
}
