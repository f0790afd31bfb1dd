import { ConfigError, type Problem, SyncError } from '../base/errors.ts';
import type { SyncConfig } from '../config/config.ts';
import type { OpenedSync } from '../pipeline/opened-sync.ts';
import { allowanceProblems, readAllowances } from './allowances.ts';
import { checkStreams, type LiveDataset, liveDataset } from './check-streams.ts';
import { driftProblems } from './drift-problems.ts';
import type { EngineParts } from './engine-options.ts';
import type { Pairings } from './pairings.ts';
import { problemsAt } from './problems-at.ts';
import { streamed } from './streamed.ts';
import type { Syncs } from './syncs.ts';

/** Connections and syncs, looked at and not touched: what is missing, and what to do about it. */
export async function checkConfig(
  parts: EngineParts & { readonly syncs: Syncs; readonly pairings: Pairings },
  signal: AbortSignal,
): Promise<readonly Problem[]> {
  const { config, store, connection, syncs, pairings } = parts;
  const problems: Problem[] = [...config.warnings, ...(await store.workers.check())];
  const broken = new Set<string>();
  const live: LiveDataset[] = [];
  for (const name of config.connections.keys()) {
    const found = await connection(name).check();
    problems.push(...found);
    if (found.some((problem) => problem.severity === 'error')) broken.add(name);
    else problems.push(...(await budgetProblems(name, parts)));
  }
  for (const sync of syncs.all()) {
    const needs = [sync.to.connection, ...(sync.from.kind === 'connection' ? [sync.from.connection] : [])];
    if (needs.some((name) => broken.has(name))) continue;
    const found = syncs
      .opening(sync, signal, (opened) => checkSync(sync, opened, parts, live, signal))
      .catch((error) => asProblems(error, `syncs.${sync.name}`));
    problems.push(...(await found));
  }
  for (const pairing of pairings.all()) {
    if (broken.has(pairing.left.connection) || broken.has(pairing.right.connection)) continue;
    const found = pairings.check(pairing, live, signal).catch((error) => asProblems(error, `syncs.${pairing.name}`));
    problems.push(...(await found));
  }
  problems.push(...(await checkStreams(live, connection)));
  for (const name of streamed(syncs.all())) {
    if (broken.has(name)) continue;
    const found = await readAllowances(name, parts, signal).catch(() => []);
    // Of what is nearly used up the connection has told already.
    problems.push(...allowanceProblems(found.filter(({ used, max }) => used < max * 0.9)));
  }
  return problems;
}

/** A connection whose calls are short already. */
async function budgetProblems(name: string, { budgets }: EngineParts): Promise<readonly Problem[]> {
  const wait = await budgets.shortage([name], 'delta');
  if (wait === null) return [];
  const hint = 'Syncs wait until fewer have been made; raise budget: in the connection if they should not';
  return [{ place: `connections.${name}`, message: wait.reason, hint, severity: 'warning' }];
}

/** What it listens for is added to `live`: whether it is told is asked once for all syncs. */
async function checkSync(
  sync: SyncConfig,
  opened: OpenedSync,
  { connection }: EngineParts,
  live: LiveDataset[],
  signal: AbortSignal,
): Promise<readonly Problem[]> {
  const { source, target } = opened;
  const place = `syncs.${sync.name}`;
  // A filter that the source refuses shows only when it is used.
  await source.estimate(signal);
  // What only takes what is published is never read in full.
  const lacking = (await target.lackingRights?.(sync.channel === null)) ?? [];
  // Without them it may fail, and would tell the same once more.
  if (lacking.length === 0) await target.plan();
  const warnings = [...(source.warnings ?? []), ...(target.warnings ?? [])];
  const problems = [...problemsAt(place, lacking, warnings), ...driftProblems(sync, source)];
  if (!sync.live) return problems;
  if (sync.channel !== null) return [...problems, ...(await checkTopic(sync, opened, connection))];
  const dataset = liveDataset(sync, opened, connection);
  if ('message' in dataset) return [...problems, { place, severity: 'error', ...dataset }];
  live.push(dataset);
  return problems;
}

/** Whether the user may subscribe, and how much of the allowance is left. */
async function checkTopic(
  { name, from, channel }: SyncConfig,
  { source: { streamDataset } }: OpenedSync,
  connection: EngineParts['connection'],
): Promise<readonly Problem[]> {
  const publisher = from.kind === 'connection' ? connection(from.connection) : null;
  const found = await publisher?.checkStream?.({ channel, datasets: [streamDataset!] });
  return (found ?? []).map(({ message, hint, severity }) => ({ place: `syncs.${name}`, message, hint, severity }));
}

function asProblems(error: unknown, place: string): readonly Problem[] {
  if (error instanceof ConfigError) return error.problems;
  if (!(error instanceof SyncError)) throw error;
  return [{ place, message: error.message, hint: error.hint, severity: 'error' }];
}
