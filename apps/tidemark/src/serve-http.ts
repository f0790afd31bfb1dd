import {
  type Clock,
  type Config,
  type Configuration,
  connectEndpoints,
  createMetrics,
  dashboard,
  type Engine,
  getHealthz,
  getMetrics,
  getReadyz,
  type HttpServer,
  hookEndpoints,
  isLoopbackAddress,
  type Log,
  type Metrics,
  Operations,
  PortTakenError,
  startHttpServer,
} from '@tidemark/core';
import { dashboardFiles } from './dashboard-files.ts';
import { PORT } from './port.ts';
import { UsageError } from './usage-error.ts';
import { version } from './version.ts';

export interface ServeOptions {
  readonly engine: Engine;
  readonly configuration: Configuration;
  readonly http: Pick<Config['http'], 'port' | 'host'>;
  readonly log: Log;
  readonly clock: Clock;
  /** Where the first token is shown, to somebody who sits there; null where nobody does. */
  readonly showToken: ((dashboard: string) => void) | null;
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
export async function serveHttp(options: ServeOptions): Promise<Served> {
  const { engine, configuration, http, log, clock, notReady, stop } = options;
  const { hooks } = engine;
  const isFed = hooks.names().length > 0;
  if (http.port === 'off') {
    if (!isFed) return nothing;
    throw new UsageError(`${hooks.names().join(', ')} is fed by a hook, and nothing is answered with port off`, {
      hint: 'name a port with --port or http: { port: … }',
    });
  }
  const isOpen = http.host !== null && !isLoopbackAddress(http.host);
  if (isOpen && (await engine.tokens.list()).length === 0) {
    throw new UsageError(`nothing is answered at ${http.host} as long as nobody has a token: others could reach it`, {
      hint: 'tidemark token add <name> --role admin makes one; without --host only this machine is answered',
    });
  }
  const { now } = clock;
  // Commands that serve nothing do without it.
  const { apiV1 } = await import('@tidemark/core/api-v1');
  const operations = new Operations({ clock, log, stop });
  const metrics = await createMetrics(engine, now, version());
  const reasons = async () => [...notReady(), ...(await storeTrouble(engine))];
  const endpoints = [
    getMetrics(metrics, isOpen ? engine.tokens : null),
    getHealthz,
    getReadyz({ reasons }),
    hookEndpoints({ hooks, now, log, stop, metrics }),
    connectEndpoints({ orgs: engine.orgs, log, stop }),
    apiV1({ engine, operations, configuration, now, log, version: version(), stop }),
    dashboard(dashboardFiles(log)),
  ];
  let server: HttpServer;
  try {
    server = await startHttpServer({ host: http.host, port: http.port ?? PORT, log, endpoints });
  } catch (error) {
    // Syncs are what it is there for: without metrics they run all the same, unless somebody counts on that port.
    if (isFed || http.port !== null || !(error instanceof PortTakenError)) throw error;
    log.warn({ hint: error.hint }, `${error.message}: no metrics this time`);
    return nothing;
  }
  await showFirstToken(server.url, options);
  return {
    metrics,
    async [Symbol.asyncDispose]() {
      await operations.idle();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Whoever starts it for the first time is let in; nobody else can see what is shown. */
async function showFirstToken(url: string, { engine, showToken }: ServeOptions): Promise<void> {
  if (showToken === null || (await engine.tokens.list()).length > 0) return;
  const { token } = await engine.tokens.issue('first', 'admin');
  showToken(`${url}/#token=${token}`);
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
