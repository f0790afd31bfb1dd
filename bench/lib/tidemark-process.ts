import {
  type AnyConnector,
  type Batch,
  type Change,
  type Commit,
  createFetch,
  Engine,
  openStore,
  parseConfig,
  type RunReport,
  type Source,
  systemClock,
  type WriteResult,
} from '@tidemark/core';
import { loadConnectors } from '../../apps/tidemark/src/connectors.ts';
import { input, output } from './child.ts';

export interface TidemarkInput {
  /** With one sync, `contacts`. */
  readonly yaml: string;
  readonly full: boolean;
  /** Everything but the writes: changes are read and go through the steps, and then nothing is written and no checkpoint kept. */
  readonly readOnly?: boolean;
  /** All that a delta brings is read before any of it is written, in one page. */
  readonly readFirst?: boolean;
}

export interface TidemarkOutput {
  readonly report: RunReport;
  /**
   * From the reply that said JobComplete to data that is committed, counted and swept; and to the end of the run, with lookup
   * indexes and closing delta. Null when no Bulk job was used.
   */
  readonly loadedMs: number | null;
  readonly sinceJobCompleteMs: number | null;
  /** Spent in the target's `write`: from changes in hand to changes committed with their checkpoint. */
  readonly writeMs: number;
  readonly wallMs: number;
  readonly maxRssMb: number;
}

/** The engine as it ships: checkpoints, counted pages, failures and all. Only the moment of JobComplete is looked at. */
const { yaml, full, readOnly = false, readFirst = false } = input<TidemarkInput>();
let completedAtMs: number | null = null;
const plain = createFetch(process.env);
const watched: typeof fetch = async (resource, init) => {
  const reply = await plain(resource, init);
  const url = String(resource instanceof Request ? resource.url : resource);
  if (/\/jobs\/query\/[^/]+$/.test(url) && (init?.method ?? 'GET') === 'GET') {
    const { state } = (await reply.clone().json()) as { state?: string };
    if (state === 'JobComplete') completedAtMs ??= performance.now();
  }
  return reply;
};
let writeMs = 0;
let loadedAtMs: number | null = null;
const { connectors } = await loadConnectors();
const config = parseConfig(yaml, { file: 'bench.yaml', env: {}, connectors: connectors.map(timed) });
const log = { debug() {}, info() {}, warn: complain, error: complain };
{
  await using store = await openStore(config.store.kind === 'sqlite' ? config.store.file : config.store.url);
  await using engine = new Engine({ config, store, clock: systemClock, random: Math.random, log, fetch: watched });
  const startedAtMs = performance.now();
  const report = await engine.run('contacts', { full, signal: new AbortController().signal });
  const endedAtMs = performance.now();
  output({
    report,
    loadedMs: completedAtMs === null || loadedAtMs === null ? null : loadedAtMs - completedAtMs,
    sinceJobCompleteMs: completedAtMs === null ? null : endedAtMs - completedAtMs,
    writeMs,
    wallMs: endedAtMs - startedAtMs,
    maxRssMb: process.resourceUsage().maxRSS / 1024,
  } satisfies TidemarkOutput);
}

/** The connector as it is, with a stopwatch on its target's `write` and on the end of its loads, and a source that may read first. */
function timed(connector: AnyConnector): AnyConnector {
  return {
    ...connector,
    open(settings, context) {
      const connection = connector.open(settings, context);
      const openSource = connection.openSource?.bind(connection);
      if (openSource !== undefined && readFirst) {
        connection.openSource = async (...args) => inOnePage(await openSource(...args));
      }
      const openTarget = connection.openTarget?.bind(connection);
      if (openTarget === undefined) return connection;
      connection.openTarget = async (spec, signal) => {
        const target = await openTarget(spec, signal);
        const write = target.write.bind(target);
        target.write = async (...args) => {
          const startedAtMs = performance.now();
          const results = readOnly ? await pretend(args[0], args[1]) : await write(...args);
          writeMs += performance.now() - startedAtMs;
          return results;
        };
        const beginLoad = target.beginLoad?.bind(target);
        if (beginLoad !== undefined) {
          target.beginLoad = async (...args) => {
            const load = await beginLoad(...args);
            const finish = load.finish.bind(load);
            load.finish = async (...end) => {
              const counts = await finish(...end);
              loadedAtMs = performance.now();
              return counts;
            };
            return load;
          };
        }
        return target;
      };
      return connection;
    },
  };
}

function inOnePage(source: Source): Source {
  const readDelta = source.readDelta!.bind(source);
  source.readDelta = async function* (...args) {
    const batches: Batch[] = [];
    for await (const batch of readDelta(...args)) batches.push(batch);
    const last = batches.at(-1);
    if (last !== undefined) yield { ...last, changes: batches.flatMap(({ changes }) => changes) };
  };
  return source;
}

async function pretend(changes: readonly Change[], commit: Commit): Promise<WriteResult[]> {
  const results = changes.map(() => ({ status: 'updated' as const }));
  await commit.settle(results);
  return results;
}

function complain(data: object, message: string): void {
  process.stderr.write(`${message} ${JSON.stringify(data)}\n`);
}
