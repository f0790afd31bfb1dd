import { RequestRefusedError } from '../base/errors.ts';
import type { SyncConfig } from '../config/config.ts';
import { fieldsToRead } from '../config/fields-to-read.ts';
import type { Connection, Source, Target } from '../model/connector.ts';
import type { DatasetSchema } from '../model/schema.ts';
import type { EventReader } from '../model/stream.ts';
import { closeSync, type OpenedSync } from '../pipeline/opened-sync.ts';
import { planReplay } from '../pipeline/replay/replay-plan.ts';
import type { OpenedReplay } from '../pipeline/replay/replay-sync.ts';
import { createSteps } from '../pipeline/steps.ts';
import { PlainWriter } from '../pipeline/topic/plain-writer.ts';
import { liveUnit } from './follow-streams.ts';
import { openLookupIn } from './open-lookup.ts';

export interface OpenReplayOptions extends Pick<OpenedSync, 'store' | 'clock' | 'random' | 'log' | 'gate'> {
  readonly sync: SyncConfig;
  readonly signal: AbortSignal;
  connection(name: string): Connection<unknown, unknown>;
  openTarget(schema: DatasetSchema): Promise<Target>;
  /** Nothing is changed, in the target neither. */
  readonly dry: boolean;
}

/**
 * Opens a sync with its journal in place of its source.
 * @throws {RequestRefusedError} it has none, or its target cannot take single fields.
 */
export async function openReplay(options: OpenReplayOptions): Promise<OpenedReplay> {
  const { sync, signal, store, clock, random, log, gate } = options;
  const reader = await openJournal(sync, options, signal);
  const to = options.connection(sync.to.connection);
  const stream = liveUnit(sync);
  const context = { clock, random, log, signal };
  const source = sourceOf(reader, sync);
  const steps = await createSteps(sync, source, { ...context, store, openLookup: openLookupIn(options.connection, signal) });
  const plan = planReplay({ config: sync, reader, steps, context });
  const target = await options.openTarget(steps.schema);
  try {
    await prepare(target, reader, sync, options.dry);
    const checkpoints = target.checkpoints ?? store.checkpoints;
    const inTransactions = to.openStreamWriter !== undefined && target.checkpoints !== undefined;
    if (!inTransactions && reader.eventsOnly === undefined) {
      throw new RequestRefusedError(`${sync.name} cannot be replayed: its target has no transactions`);
    }
    const opened: OpenedSync = {
      config: sync,
      source,
      target,
      steps,
      checkpoints,
      paused: () => store.paused(sync.name),
      store,
      clock,
      random,
      log,
      gate,
    };
    return {
      sync: opened,
      journal: store.journal,
      stream,
      reader,
      plan,
      openWriter: async (epoch) => (inTransactions ? to.openStreamWriter!([target]) : new PlainWriter(checkpoints, epoch)),
      [Symbol.asyncDispose]: () => closeSync(opened),
    };
  } catch (error) {
    await closeSync({ source, target, steps });
    throw error;
  }
}

/** Reads the events that are kept of a sync, without asking its source. @throws {RequestRefusedError} none are */
export async function openJournal(
  sync: SyncConfig,
  { store, connection }: Pick<OpenReplayOptions, 'store' | 'connection'>,
  signal: AbortSignal,
): Promise<EventReader> {
  const from = sync.from.kind === 'connection' ? connection(sync.from.connection) : null;
  if (!sync.live || sync.from.kind !== 'connection' || from?.openEvents === undefined) {
    throw new RequestRefusedError(`${sync.name} cannot be replayed: only events of a live sync are kept`, {
      hint: 'with live: true and journal: 7d those of the last seven days are',
    });
  }
  return from.openEvents(
    {
      from: sync.from.spec,
      where: sync.where ?? undefined,
      fields: fieldsToRead(sync),
      exclude: sync.exclude,
      startAtMs: null,
      overlapMs: null,
    },
    await store.journal.schemas(liveUnit(sync)),
    signal,
  );
}

/** New columns are made as by a run; but the type of a parent's field is the org's to tell. */
async function prepare(target: Target, { schema }: EventReader, sync: SyncConfig, dry: boolean): Promise<void> {
  if (dry && (await changesOf(target)) > 0) return;
  const ofParents = schema.fields.filter(({ name }) => name.includes('.'));
  if (ofParents.length > 0 && (await changesOf(target)) > 0) {
    const names = ofParents.map(({ name }) => name).join(', ');
    throw new RequestRefusedError(
      `the table of ${sync.name} has to be changed, and the journal does not know the type of ${names}`,
      {
        hint: `tidemark run ${sync.name} asks the org`,
      },
    );
  }
  await target.prepare();
}

const changesOf = async (target: Target) => (await target.plan()).filter(({ informational }) => informational !== true).length;

/** Never asked for anything but what it is like. */
function sourceOf({ read, dataset, ...facts }: EventReader, { name }: SyncConfig): Source {
  const refuse = (): never => {
    throw new RequestRefusedError(`${name} is replayed from its journal, and its source is not asked`);
  };
  return {
    ...facts,
    streamDataset: dataset,
    origin: '',
    estimate: async () => null,
    mark: async () => refuse(),
    readFull: () => refuse(),
    async [Symbol.asyncDispose]() {},
  };
}
