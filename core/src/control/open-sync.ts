import { InvariantError } from '../base/errors.ts';
import { type SyncConfig, startAtMs } from '../config/config.ts';
import { neighboursOf } from '../config/datasets.ts';
import { fieldsToRead } from '../config/fields-to-read.ts';
import type { Source, Target } from '../model/connector.ts';
import type { DatasetSchema } from '../model/schema.ts';
import { refuseBlindComparison } from '../pipeline/compare-target.ts';
import { openCustomSource } from '../pipeline/custom-source.ts';
import type { WriteGate } from '../pipeline/live/write-gate.ts';
import type { OpenedSync } from '../pipeline/opened-sync.ts';
import { createSteps, type Steps } from '../pipeline/steps.ts';
import type { Store } from '../store/store.ts';
import type { EngineParts } from './engine-options.ts';
import { openLookupIn } from './open-lookup.ts';

/** A sync with its sides open. Nothing of them is changed. */
export async function openSync(
  sync: SyncConfig,
  parts: EngineParts,
  gate: WriteGate | null,
  signal: AbortSignal,
): Promise<OpenedSync> {
  const { store, clock, random, log } = parts;
  const openLookup = openLookupIn((name) => parts.connection(name), signal);
  const source = await openSource(sync, parts, signal);
  let steps: Steps | undefined;
  try {
    steps = await createSteps(sync, source, { clock, random, log, signal, store, openLookup });
    const target = await openTarget(sync, steps.schema, parts, signal);
    refuseBlindComparison(sync, target);
    const checkpoints = target.checkpoints ?? store.checkpoints;
    const outcomes = parts.hooks.outcomesOf(sync, steps.ownKey);
    const paused = () => parts.pauses.has(sync.name);
    const neighbours = () => neighboursOf(sync, parts.config.syncs.values());
    return { config: sync, source, target, steps, checkpoints, store, clock, random, log, paused, gate, outcomes, neighbours };
  } catch (error) {
    await source[Symbol.asyncDispose]();
    await steps?.[Symbol.asyncDispose]();
    throw error;
  }
}

/** What comes to a sync's target, which need not be there yet. */
export async function arrivingSchema(sync: SyncConfig, parts: EngineParts, signal: AbortSignal): Promise<DatasetSchema> {
  const { store, clock, random, log } = parts;
  const openLookup = openLookupIn((name) => parts.connection(name), signal);
  await using source = await openSource(sync, parts, signal);
  await using steps = await createSteps(sync, source, { clock, random, log, signal, store, openLookup });
  return steps.schema;
}

export function openTarget(
  { to, watermarkKey, deletes, history }: SyncConfig,
  schema: DatasetSchema,
  { connection, store }: EngineParts,
  signal: AbortSignal,
): Promise<Target> {
  const opened = connection(to.connection);
  if (opened.openTarget === undefined) throw new InvariantError(`${to.connection} is no target`);
  const name = `target memory of ${watermarkKey}`;
  const memory = { get: () => store.getValue(name), set: (value: string | null) => store.setValue(name, value) };
  return opened.openTarget(
    { to: to.spec, unit: watermarkKey, schema, deletes, scope: to.scope, history: history ?? undefined, memory },
    signal,
  );
}

async function openSource(sync: SyncConfig, parts: EngineParts, signal: AbortSignal): Promise<Source> {
  const { clock, random, log, fetch, store } = parts;
  if (sync.from.kind === 'run') {
    const lastSuccess = async () => (await store.lastSuccess(sync.name))?.startedAtMs ?? null;
    return openCustomSource(sync.from, sync.name, { clock, random, log, signal, fetch, lastSuccess });
  }
  const connection = parts.connection(sync.from.connection);
  if (connection.openSource === undefined) throw new InvariantError(`${sync.from.connection} is no source`);
  return connection.openSource(
    {
      from: sync.from.spec,
      unit: sync.watermarkKey,
      ...(sync.part !== undefined && { part: sync.part }),
      where: sync.where ?? undefined,
      fields: fieldsToRead(sync),
      exclude: sync.exclude,
      startAtMs: await startOf(sync, parts),
      overlapMs: sync.overlapMs,
    },
    signal,
  );
}

/**
 * `startAt: -P1D` is counted from the first run. Counted from each, a later full run would not find the records that earlier
 * ones have brought, and take them for gone (P4).
 */
async function startOf(sync: SyncConfig, { store, clock }: EngineParts): Promise<number | null> {
  const kept = sync.startAt?.kind === 'ago' ? await store.getValue(startName(sync)) : null;
  return kept === null ? startAtMs(sync.startAt, clock.now()) : Number(kept);
}

/** To be called before the first run. */
export async function keepStart(sync: SyncConfig, parts: EngineParts): Promise<void> {
  const { store } = parts;
  if (sync.startAt?.kind !== 'ago' || (await store.getValue(startName(sync))) !== null) return;
  await store.setValue(startName(sync), String(await startOf(sync, parts)));
}

export async function forgetStart(sync: SyncConfig, store: Store): Promise<void> {
  await store.setValue(startName(sync), null);
}

function startName({ name, startAt }: SyncConfig): string {
  return `start of ${name}${startAt?.kind === 'ago' ? ` (${startAt.agoMs} ms before its first run)` : ''}`;
}
