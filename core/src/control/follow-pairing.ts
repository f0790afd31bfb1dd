import type { Clock } from '../base/clock.ts';
import { CheckpointExpiredError, OwnershipLostError, RateLimitedError } from '../base/errors.ts';
import { type GatherLimit, gathered } from '../base/gathered.ts';
import type { Random } from '../base/random.ts';
import { backoffMs, type RetryPolicy } from '../base/retry.ts';
import type { PairingConfig } from '../config/pairing.ts';
import type { Connection } from '../model/connector.ts';
import type { Log } from '../model/log.ts';
import type { Delivery, EventStream, StreamEvent } from '../model/stream.ts';
import type { SideName } from '../pipeline/two-way/merge-record.ts';
import type { OpenedPairing } from '../pipeline/two-way/opened-pairing.ts';
import type { Store } from '../store/store.ts';

export interface FollowPairing {
  readonly config: PairingConfig;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly stop: AbortSignal;
  readonly signal: AbortSignal;
  connection(name: string): Connection<unknown, unknown>;
  /** Returns when there are calls, or `ended` aborts. */
  waitForCalls(ended: AbortSignal): Promise<void>;
  /** Follows work that was done. Returns when the next may be; while calls run short, so late that more of it goes together (P8). */
  gather(ended: AbortSignal): Promise<void>;
  /** Work with both sides open, while no run is under way. */
  inTurn<T>(work: (pairing: OpenedPairing) => Promise<T>): Promise<T>;
  /** Reconciles records that may have changed. */
  touch(side: SideName, keys: readonly string[]): Promise<void>;
  /** Returns once the sync may be taken over from another process that has it: its run has ended, or nothing is heard of it any more. */
  othersRunEnds(ended: AbortSignal): Promise<void>;
  /**
   * A run over what changed, or over everything; of one side alone when that is all that is to be read.
   * @throws {OwnershipLostError} another process has a run under way
   */
  run(options: { readonly full: boolean; readonly only?: SideName }): Promise<void>;
}

const RECONNECT: RetryPolicy = { attemptsMax: Number.POSITIVE_INFINITY, delayMs: 500, delayMsMax: 60_000 };
/** Events that are on their way at most. */
const CREDIT = 100;
/** Events that wait to go across together, the records of one query of an org, until no more is read; what is on its way comes on top. */
const GATHERED_MAX = 400;
const TOGETHER: GatherLimit<Delivery> = { max: GATHERED_MAX, sizeOf: ({ events }) => Math.max(1, events.length) };
/** Another process has the sync: it is not asked for back at once, in turns without end. */
const LOST_MS = 2000;
/** How often it is looked whether a paused sync goes on. */
const PAUSED_LOOK_MS = 2000;
/** How long a side may be quiet before its opened source is looked for anew. */
const LOOK_AGAIN_MS = 60_000;

/**
 * Brings what changes on either side across as soon as its system tells of it: by a stream of events, or by a change log that can be
 * waited for. Events only say which records to look at; both sides are then compared as ever, so that a repeated or an old event does
 * nothing. What nobody tells is found by the scheduled deltas.
 */
export async function followPairing(options: FollowPairing): Promise<void> {
  await Promise.all((['left', 'right'] as const).map((side) => followSide(side, options)));
}

async function followSide(side: SideName, options: FollowPairing): Promise<void> {
  const { stop, signal, clock, random, log, config } = options;
  const ended = AbortSignal.any([stop, signal]);
  let lost = false;
  for (let failures = 0; !ended.aborted; ) {
    try {
      await options.waitForCalls(ended);
      if (ended.aborted) return;
      // What the other one has not come to is read as it takes the sync over again.
      if (lost) await options.run({ full: false });
      lost = false;
      const dataset = await options.inTurn(async (pairing) => pairing[side].source.streamDataset);
      const streams = dataset !== undefined && options.connection(config[side].connection).openStream !== undefined;
      if (streams) await followStream(side, dataset, options, ended);
      else if (!(await followLog(side, options, ended))) return;
      failures = 0;
    } catch (error) {
      if (ended.aborted) return;
      if (error instanceof OwnershipLostError) {
        lost = true;
        log.warn(
          { sync: config.name, err: error },
          'another process has the sync: it is left to it until its run ends, or nothing is heard of it any more',
        );
        await clock.sleep(LOST_MS, ended).catch(() => {});
        await options.othersRunEnds(ended).catch(() => {});
        continue;
      }
      failures++;
      const waitMs = error instanceof RateLimitedError ? error.retryAfterMs : backoffMs(failures, RECONNECT, random);
      const place = { sync: config.name, connection: config[side].connection };
      log.warn({ ...place, err: error, waitMs }, 'changes are not told for a while; deltas find them meanwhile');
      await clock.sleep(waitMs, ended).catch(() => {});
    }
  }
}

async function followStream(side: SideName, dataset: string, options: FollowPairing, ended: AbortSignal): Promise<void> {
  const { config, store, log } = options;
  const { connection } = config[side];
  const name = `stream of ${config.name}, ${connection}`;
  const position = await store.getValue(name);
  const spec = { channel: null, datasets: [dataset], position };
  const forget = async (error: unknown) => {
    if (error instanceof CheckpointExpiredError) await store.setValue(name, null);
    throw error;
  };
  await using stream = await options.connection(connection).openStream!(spec, ended).catch(forget);
  stream.grant(CREDIT);
  let isNew = true;
  let isAssumed = false;
  try {
    // What is told while records are brought across goes across with the next ones: each time costs calls (P8).
    for await (const deliveries of gathered((signal) => deliveriesOf(stream, signal), TOGETHER, ended)) {
      if (ended.aborted) return;
      for (const delivery of deliveries) {
        // What was committed before it listened is read once it does, and once more when it was only taken to; a position that was
        // kept needs no reading.
        if ((isNew && position === null) || (isAssumed && !delivery.assumed)) await options.run({ full: false });
        isAssumed = delivery.assumed === true;
        if (isNew)
          log.info({ sync: config.name, connection }, 'the stream listens: what is committed from now on is told at once');
        isNew = false;
      }
      const events = deliveries.flatMap((delivery) => delivery.events);
      await take(side, events, options);
      if (events.length > 0 || position === null) await store.setValue(name, deliveries.at(-1)!.position);
      await options.gather(ended);
    }
  } catch (error) {
    await forget(error);
  }
}

/** More may come as soon as one has: what is gathered is its own limit. */
async function* deliveriesOf(stream: EventStream, signal: AbortSignal): AsyncGenerator<Delivery> {
  for await (const delivery of stream.deliveries(signal)) {
    stream.grant(delivery.events.length);
    yield delivery;
  }
}

async function take(side: SideName, events: readonly StreamEvent[], { touch, run }: FollowPairing): Promise<void> {
  const keys = new Set(events.flatMap((event) => event.keys));
  // An event that does not name its records: only a look at all of them tells.
  if (events.some(({ op }) => op === 'overflow' || op === 'wildcard')) await run({ full: true });
  else if (keys.size > 0) await touch(side, [...keys]);
}

/** Returns whether the side has a log that can be waited for. */
async function followLog(side: SideName, options: FollowPairing, ended: AbortSignal): Promise<boolean> {
  const { clock, config, store, inTurn } = options;
  const wait = await inTurn(async (pairing) => pairing[side].source.waitForChange?.bind(pairing[side].source));
  if (wait === undefined) return false;
  if (await store.paused(config.name)) {
    // Nothing is brought across, so that what the log holds stays news for as long.
    await clock.sleep(PAUSED_LOOK_MS, ended);
    return true;
  }
  const checkpoint = await store.checkpoints.read(config.name);
  if (checkpoint === null) {
    // The first run makes one; it may be the other side's, or the schedule's.
    await options.run({ full: false });
    return true;
  }
  const { positions } = JSON.parse(checkpoint) as { positions: Record<SideName, string> };
  const quiet = AbortSignal.any([ended, await timeout(clock, LOOK_AGAIN_MS, ended)]);
  await wait(positions[side], quiet).catch((error) => {
    if (!quiet.aborted) throw error;
  });
  if (quiet.aborted) return true;
  await options.run({ full: false, only: side });
  await options.gather(ended);
  return true;
}

async function timeout(clock: Clock, ms: number, signal: AbortSignal): Promise<AbortSignal> {
  const over = new AbortController();
  clock.sleep(ms, signal).then(
    () => over.abort(),
    () => {},
  );
  return over.signal;
}
