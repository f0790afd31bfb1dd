import { type Problem, RequestRefusedError } from '../base/errors.ts';
import type { SyncConfig } from '../config/config.ts';
import type { Connection, Source } from '../model/connector.ts';
import type { OpenedSync } from '../pipeline/opened-sync.ts';
import type { EngineParts } from './engine-options.ts';
import type { Pairings } from './pairings.ts';
import type { Syncs } from './syncs.ts';

/** A live sync, and the dataset whose changes it wants to be told. */
export interface LiveDataset {
  readonly sync: string;
  readonly connection: string;
  readonly dataset: string;
}

/** Why a sync cannot follow a stream, whatever is set up; null when it can. */
export function liveRefusal(
  from: Pick<Connection<unknown, unknown>, 'openStream'>,
  source: Pick<Source, 'streamDataset' | 'readKeys'>,
  to: Pick<Connection<unknown, unknown>, 'openStreamWriter'>,
  target: { readonly checkpoints?: unknown },
): Pick<Problem, 'message' | 'hint'> | null {
  if (from.openStream === undefined || source.streamDataset === undefined || source.readKeys === undefined) {
    return {
      message: 'cannot be live: no stream tells of what it reads',
      hint: 'live: true takes an object of Salesforce, a collection of a replica set or a topic of Kafka; otherwise use every:',
    };
  }
  if (to.openStreamWriter === undefined || target.checkpoints === undefined) {
    return {
      message: 'cannot be live: its target has no transactions',
      hint: 'live: true writes into postgres and sqlite; otherwise use every:',
    };
  }
  return null;
}

/** What keeps streams from telling everything, each problem at the syncs that miss something by it. */
export async function checkStreams(
  live: readonly LiveDataset[],
  connection: EngineParts['connection'],
): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const [name, datasets] of byConnection(live)) {
    const found = await connection(name).checkStream?.({ channel: null, datasets });
    for (const { dataset, ...problem } of found ?? []) {
      if (dataset === undefined) problems.push(problem);
      else {
        const missing = live.filter((each) => each.connection === name && each.dataset === dataset);
        problems.push(...missing.map(({ sync }) => ({ ...problem, place: `syncs.${sync}` })));
      }
    }
  }
  return problems;
}

/** Datasets that have begun to be told of. */
export interface Captured {
  readonly connection: string;
  readonly datasets: readonly string[];
}

/** Has every connection tell what live syncs listen for. @throws what keeps one from it; those before it are done */
export async function captureStreams(
  live: readonly LiveDataset[],
  connection: EngineParts['connection'],
  signal: AbortSignal,
): Promise<readonly Captured[]> {
  const captured: Captured[] = [];
  for (const [name, datasets] of byConnection(live)) {
    const capture = connection(name).captureDatasets;
    if (capture !== undefined) captured.push({ connection: name, datasets: await capture(datasets, signal) });
  }
  return captured;
}

/** The same as files, each connection's in a folder of its own when there are several. */
export function captureFiles(live: readonly LiveDataset[], connection: EngineParts['connection']): ReadonlyMap<string, string> {
  const all = byConnection(live);
  const files = new Map<string, string>();
  for (const [name, datasets] of all) {
    const own = connection(name).captureFiles?.(datasets) ?? new Map<string, string>();
    for (const [path, text] of own) files.set(all.size > 1 ? `${name}/${path}` : path, text);
  }
  return files;
}

/** What a live sync listens for, or why it cannot. */
export function liveDataset(
  { name, from, to }: SyncConfig,
  { source, target }: OpenedSync,
  connection: EngineParts['connection'],
): LiveDataset | Pick<Problem, 'message' | 'hint'> {
  const publisher = from.kind === 'connection' ? from.connection : '';
  const refusal = liveRefusal(publisher === '' ? {} : connection(publisher), source, connection(to.connection), target);
  return refusal ?? { sync: name, connection: publisher, dataset: source.streamDataset! };
}

/** What all live syncs listen for. @throws {RequestRefusedError} a sync that cannot be live; or none is, so that nothing has to be selected */
export async function liveDatasets(
  { syncs, pairings, connection }: EngineParts & { readonly syncs: Syncs; readonly pairings: Pairings },
  signal: AbortSignal,
): Promise<readonly LiveDataset[]> {
  const live: LiveDataset[] = [];
  for (const sync of syncs.all()) {
    if (!sync.live || sync.channel !== null) continue;
    const dataset = await syncs.opening(sync, signal, async (opened) => liveDataset(sync, opened, connection));
    if ('message' in dataset) throw new RequestRefusedError(`${sync.name} ${dataset.message}`, { hint: dataset.hint });
    live.push(dataset);
  }
  for (const pairing of pairings.all()) live.push(...(await pairings.liveDatasets(pairing, signal)));
  if (live.length > 0) return live;
  throw new RequestRefusedError('no sync is live, so nothing has to be told of', { hint: 'give a sync live: true first' });
}

function byConnection(live: readonly LiveDataset[]): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>();
  for (const { connection, dataset } of live) {
    const known = names.get(connection) ?? [];
    names.set(connection, known.includes(dataset) ? known : [...known, dataset]);
  }
  return names;
}
