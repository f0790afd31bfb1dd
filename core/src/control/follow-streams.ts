import type { Clock } from '../base/clock.ts';
import { InvariantError, RequestRefusedError, SyncError } from '../base/errors.ts';
import type { Random } from '../base/random.ts';
import type { SyncConfig } from '../config/config.ts';
import type { Connection } from '../model/connector.ts';
import type { Log } from '../model/log.ts';
import { concernsAll } from '../pipeline/live/aside.ts';
import { Journal } from '../pipeline/live/journal.ts';
import type { Reread } from '../pipeline/live/live-envelope.ts';
import { LiveProgress, type LiveStatus } from '../pipeline/live/live-status.ts';
import { LiveSync } from '../pipeline/live/live-sync.ts';
import { compilePartial } from '../pipeline/live/partial.ts';
import { type OpenedLive, runLive } from '../pipeline/live/run-live.ts';
import type { WriteGate } from '../pipeline/live/write-gate.ts';
import { closeSync, type OpenedSync } from '../pipeline/opened-sync.ts';
import { prepareTarget } from '../pipeline/prepare-target.ts';
import type { JournalStore } from '../store/journal-store.ts';
import { liveRefusal } from './check-streams.ts';
import { pollWhileDown } from './poll-while-down.ts';

export interface FollowOptions {
  readonly syncs: readonly SyncConfig[];
  /** This process. */
  readonly owner: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly stop: AbortSignal;
  readonly signal: AbortSignal;
  connection(name: string): Connection<unknown, unknown>;
  open(sync: SyncConfig, signal: AbortSignal): Promise<OpenedSync>;
  /** Opens a stream when it may, of which this is a sync. */
  opening<T>(sync: SyncConfig, open: () => Promise<T>): Promise<T>;
  gate(sync: SyncConfig): WriteGate;
  reread(sync: string, kind: Reread): Promise<boolean>;
  paused(sync: string): Promise<boolean>;
  /** When a delta in place of the stream may begin, if that is not now. */
  heldUntilMs(sync: SyncConfig): Promise<number | null>;
  /** Makes one. */
  poll(sync: SyncConfig): Promise<unknown>;
  /** Keeps how a stream is doing, for whoever asks from another process. */
  publish(status: LiveStatus, everyMs: number): Promise<void>;
}

interface OpenOptions extends FollowOptions {
  /** Fields of syncs that events have told of before any description did: each is looked for once. */
  readonly newFields: Set<string>;
}

/** How often. */
const PUBLISH_MS = 5000;
/** And this often when nothing has changed, so that who asks knows that somebody is there. */
const STILL_THERE_MS = 20_000;

/** The same for the stream of one org of many: what a few may do every few seconds, a thousand may not. */
const PUBLISH_ORG_MS = 30_000;
const ORG_STILL_THERE_MS = 300_000;

/** A run that was asked for while another one of the same sync was under way waits for it. */
const BUSY_MS = 1000;

/** Names the unit of work whose checkpoint the targets keep. */
export function liveUnit({ from, to, channel, watermarkKey }: SyncConfig): string {
  const system = from.kind === 'connection' ? from.connection : '';
  return channel === null ? `live:${system}:${to.connection}` : `live:${system}:${channel}:${watermarkKey}`;
}

/**
 * Follows the streams of all live syncs: one for each pair of connections, feeding every sync between the two, so that what one
 * transaction changes in several tables becomes visible at once (P6).
 */
export function followStreams(options: FollowOptions): { status: readonly LiveProgress[]; ended: Promise<unknown> } {
  const groups = new Map<string, SyncConfig[]>();
  for (const sync of options.syncs) {
    if (sync.from.kind !== 'connection') continue;
    const unit = liveUnit(sync);
    groups.set(unit, [...(groups.get(unit) ?? []), sync]);
  }
  const units = [...groups].map(([unit, syncs]) => ({
    unit,
    syncs,
    status: new LiveProgress(
      unit,
      syncs.map(({ name }) => name),
      options.clock,
    ),
  }));
  const newFields = new Set<string>();
  const ended = units.map(({ unit, syncs, status }) =>
    runLive({
      ...options,
      unit,
      status,
      aliveMs: signOfLifeMs(syncs),
      open: (signal, without) => options.opening(syncs[0]!, () => openLive(syncs, without, { ...options, newFields }, signal)),
      reread: (sync, kind) => rereadInTurn(sync, kind, options),
    }),
  );
  const published = units.map(({ status }, i) =>
    publishUntilEnded(status, ended[i]!, { ...options, stillThereMs: signOfLifeMs(units[i]!.syncs) }),
  );
  const polled = units.map(({ status, syncs }) => pollWhileDown(status, syncs, options));
  return { status: units.map(({ status }) => status), ended: Promise.all([...ended, ...published, ...polled]) };
}

function signOfLifeMs(syncs: readonly SyncConfig[]): number | undefined {
  return syncs[0]?.org === undefined ? undefined : ORG_STILL_THERE_MS;
}

export async function publishUntilEnded(
  progress: LiveProgress,
  ended: Promise<void>,
  options: Pick<FollowOptions, 'clock' | 'stop' | 'signal' | 'publish' | 'log'> & { readonly stillThereMs?: number | undefined },
): Promise<void> {
  const { clock, stop, signal, publish, log, stillThereMs = STILL_THERE_MS } = options;
  const over = new AbortController();
  const tellNoMore = () => over.abort();
  ended.then(tellNoMore, tellNoMore);
  const either = AbortSignal.any([stop, signal, over.signal]);
  let last = '';
  let wasAway = false;
  let toldAtMs = Number.NEGATIVE_INFINITY;
  const publishOnce = async () => {
    // Once, for who asks here; the process that follows instead tells of it from then on.
    if (progress.isAway && wasAway) return;
    wasAway = progress.isAway;
    const status = progress.tell();
    const now = JSON.stringify(status);
    if (now === last && clock.now() - toldAtMs < stillThereMs) return;
    last = now;
    toldAtMs = clock.now();
    await publish(status, stillThereMs).catch((error) =>
      log.warn({ stream: status.stream, err: error }, 'the status could not be kept'),
    );
  };
  while (!either.aborted) {
    await clock.sleep(stillThereMs === STILL_THERE_MS ? PUBLISH_MS : PUBLISH_ORG_MS, either).catch(() => {});
    await publishOnce();
  }
  await ended.catch(() => {});
  await publishOnce();
}

async function rereadInTurn(
  sync: string,
  kind: Reread,
  { reread, clock, signal, log }: FollowOptions,
): Promise<boolean | 'busy'> {
  try {
    return await reread(sync, kind);
  } catch (error) {
    if (!(error instanceof RequestRefusedError)) throw error;
    // Another run of the sync is under way; it may have begun before the hole was made.
    log.debug({ sync, reason: error.message }, 'the reread waits');
    await clock.sleep(BUSY_MS, signal);
    return 'busy';
  }
}

/**
 * Opens both sides of a stream: all that can be opened but those that wait.
 * @throws {RequestRefusedError} no sync of it streams, or can take a stream.
 */
async function openLive(
  syncs: readonly SyncConfig[],
  without: ReadonlySet<string>,
  options: OpenOptions,
  signal: AbortSignal,
): Promise<OpenedLive> {
  const first = syncs[0]!;
  const from = options.connection(first.from.kind === 'connection' ? first.from.connection : '');
  const to = options.connection(first.to.connection);
  const live: LiveSync[] = [];
  const refused = new Map<string, SyncError>();
  const close = async () => {
    for (const { opened } of live) await closeSync(opened);
  };
  try {
    for (const sync of syncs) {
      if (without.has(sync.name)) continue;
      try {
        live.push(await openSync(sync, from, to, options, signal));
      } catch (error) {
        if (!(error instanceof SyncError) || concernsAll(error)) throw error;
        refused.set(sync.name, error);
      }
    }
    if (live.length === 0) throw refused.values().next().value ?? new InvariantError('every sync of a stream stands aside');
    const journal = journalOf(live, first, live[0]!.opened.store.journal, options);
    if (journal !== undefined && from.openEvents === undefined) {
      throw new RequestRefusedError(
        `events of ${first.name} cannot be kept: its connection cannot read them without its system`,
        {
          hint: 'leave journal: out',
        },
      );
    }
    const raw = journal !== undefined;
    return {
      syncs: live,
      refused,
      journal,
      checkpoints: live[0]!.opened.target.checkpoints!,
      openStream: (position, datasets) => from.openStream!({ channel: null, datasets, position, raw }, signal),
      openWriter: () => to.openStreamWriter!(live.map(({ opened }) => opened.target)),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Of several syncs of one dataset, the one that wants to keep it longest counts. */
function journalOf(
  live: readonly LiveSync[],
  first: SyncConfig,
  store: JournalStore,
  { clock, log }: FollowOptions,
): Journal | undefined {
  const retention = new Map<string, number>();
  for (const { dataset, opened } of live) {
    const { journalMs } = opened.config;
    if (journalMs !== null) retention.set(dataset, Math.max(journalMs, retention.get(dataset) ?? 0));
  }
  return retention.size === 0 ? undefined : new Journal({ store, stream: liveUnit(first), retention, clock, log });
}

async function openSync(
  sync: SyncConfig,
  from: Connection<unknown, unknown>,
  to: Connection<unknown, unknown>,
  options: OpenOptions,
  signal: AbortSignal,
): Promise<LiveSync> {
  const { clock, random, log, newFields } = options;
  const opened = await options.open(sync, signal);
  try {
    const { source, target } = opened;
    const refusal = liveRefusal(from, source, to, target);
    if (refusal !== null) throw new RequestRefusedError(`${sync.name} ${refusal.message}`, { hint: refusal.hint });
    const { isMadeAnew } = await prepareTarget(opened);
    const partial = compilePartial(sync, source, { clock, random, log, signal }, (field) => {
      if (newFields.has(`${sync.name}.${field}`)) return;
      newFields.add(`${sync.name}.${field}`);
      log.info({ sync: sync.name, field }, 'a field that is new is discovered');
      live.isOutdated = true;
    });
    const live = new LiveSync(opened, source.streamDataset!, options.gate(sync), partial, isMadeAnew, signal);
    return live;
  } catch (error) {
    await closeSync(opened);
    throw error;
  }
}
