import {
  backoffMs,
  CheckpointExpiredError,
  type ConnectorContext,
  type Delivery,
  type EventStream,
  isRetryable,
  NotConnectedError,
  RateLimitedError,
  type RetryPolicy,
  type StreamState,
  type SyncError,
} from '@tidemark/core';
import { Credit } from './credit.ts';
import type { EventDecoder } from './decode-event.ts';
import { errorOfFault, reactionTo, type StreamAction } from './event-errors.ts';
import { Lull } from './lull.ts';
import { createMessageReader } from './read-message.ts';
import { StreamFault, type Subscription, type Transport } from './transport.ts';
import { silenceMsMax, startWatchdog } from './watchdog.ts';

export interface EventStreamParts {
  readonly transport: Transport;
  readonly topic: string;
  /** Where to begin, as the transport writes it; null for now. */
  readonly after: string | null;
  readonly decoder: EventDecoder;
  readonly origin: string;
  /** About what the org's clock says. */
  readonly nowMs?: () => number;
  readonly context: Pick<ConnectorContext, 'clock' | 'random' | 'log' | 'connection'>;
  /** A new session, because the one in use was refused. */
  renew(): Promise<void>;
  /** Another transport may do when this one alone cannot be reached for so long; null when there is none. */
  readonly giveUp: { readonly afterMs: number; orgAnswers(signal: AbortSignal): Promise<boolean> } | null;
  /** Events carry what they were made of, and this tells how to read it. */
  readonly keepSchema?: EventStream['keepSchema'] | undefined;
}

/** Waits before a new connection: there is always another one to come. */
const againPolicy: RetryPolicy = { attemptsMax: Number.POSITIVE_INFINITY, delayMs: 500, delayMsMax: 60_000 };
const crowdedPolicy: RetryPolicy = { attemptsMax: Number.POSITIVE_INFINITY, delayMs: 15_000, delayMsMax: 300_000 };

/**
 * A quiet subscription does not say that it has begun, and one that begins with what is newest has to find that out first: who hears
 * nothing for so long may assume that there is nothing.
 */
const beginningMs = 3_000;

/** New sessions that are refused one after the other, before somebody else has to look at it. */
const loginsMax = 4;

/**
 * A stream over one transport. It goes on by itself right after the last event that it handed over, so that what the consumer holds
 * uncommitted stays good. Its first delivery says that it has begun, with events or without.
 */
export function createEventStream(parts: EventStreamParts): EventStream {
  const { transport, topic, decoder, origin, context } = parts;
  const { clock, random, log, connection } = context;
  const about = `listening to ${topic}`;
  const reader = createMessageReader(transport.name, decoder, parts.after, parts.keepSchema !== undefined);
  const credit = new Credit();
  const closing = new AbortController();
  let current: Subscription | null = null;
  let state: StreamState = {
    transport: transport.name,
    connected: false,
    reconnects: 0,
    lastHeardAtMs: null,
    reason: null,
    nextTryAtMs: null,
  };
  /** Tries since something was heard and read. */
  let attempt = 0;
  let logins = 0;
  let unreachableSinceMs: number | null = null;
  /** And it has been so for long, while the org itself answers. */
  let isOrgThere = false;
  /** What the consumer was told last: first of all, that it is subscribed. */
  let standing: Omit<Delivery, 'reset'> | null = null;
  let isReconnected = false;
  let wasConnected = false;
  let heard = 0;

  const tell = (news: Partial<StreamState>) => {
    state = { ...state, ...news };
  };

  function ask(): void {
    const events = current === null ? 0 : credit.take();
    if (events > 0) current!.request(events);
  }

  function told(delivery: Omit<Delivery, 'reset'>): Delivery {
    const reset = isReconnected;
    isReconnected = false;
    standing = delivery;
    return { ...delivery, reset };
  }

  /** One connection, until it ends. @throws {StreamFault} it ended badly */
  async function* connected(signal: AbortSignal): AsyncGenerator<Delivery> {
    const subscription = transport.subscribe(topic, reader.after);
    const close = () => subscription.close();
    const watchdog = startWatchdog(clock, silenceMsMax, close);
    const over = new AbortController();
    const lull = new Lull(clock, AbortSignal.any([signal, over.signal]));
    signal.addEventListener('abort', close, { once: true });
    current = subscription;
    tell({ nextTryAtMs: null });
    const connects = () => {
      if (current !== subscription || state.connected) return;
      tell({ connected: true, reconnects: state.reconnects + (wasConnected ? 1 : 0), reason: null });
      wasConnected = true;
    };
    subscription.begun.then(connects, () => {});
    try {
      ask();
      const messages = subscription.messages[Symbol.asyncIterator]();
      let begun: Promise<void> | null = subscription.begun;
      for (let isDoubtful = true; ; ) {
        const next = messages.next();
        if (isDoubtful && (await isLull(next, begun, lull))) {
          isDoubtful = false;
          yield told(reader.lull());
        }
        const { value: message, done } = await next;
        if (done) break;
        begun = null;
        watchdog.heard();
        heard++;
        connects();
        unreachableSinceMs = null;
        isOrgThere = false;
        tell({ lastHeardAtMs: clock.now() });
        // The next events are on their way while these are decoded.
        credit.received(message.events.length);
        ask();
        const reading = reader.read(message, signal);
        if (reader.isAsking && standing?.caughtUp) {
          reading.catch(() => {});
          // Something more is there, though it takes a while: it may belong to the transaction before it.
          yield told({ ...standing, events: [], caughtUp: false });
          isDoubtful = true;
        }
        const { delivery, unused } = await reading.catch((error: unknown) => {
          // Nobody gets them: they come once more.
          credit.grant(message.events.length);
          throw error;
        });
        // Not before: each connection that brings what cannot be read is paid for with deliveries of the day.
        attempt = 0;
        logins = 0;
        credit.grant(unused);
        ask();
        if (delivery === null) continue;
        isDoubtful = message.pending === 0;
        yield told(delivery);
      }
      if (watchdog.fired) throw new StreamFault({ code: '', status: 'UNAVAILABLE', message: 'nothing was heard for too long' });
    } finally {
      watchdog.stop();
      over.abort();
      signal.removeEventListener('abort', close);
      current = null;
      subscription.close();
      credit.recall();
      tell({ connected: false });
    }
  }

  /** Whether so much time passes while events are asked for and none comes: the message before was the last, though it did not say so. */
  async function isLull(next: Promise<unknown>, begun: Promise<void> | null, lull: Lull): Promise<boolean> {
    if (begun !== null) await Promise.race([next, begun]).catch(() => {});
    for (;;) {
      const asked = credit.isAsked;
      if (!(await lull.comesBefore(next, reader.after === null ? beginningMs : transport.lullMs))) return false;
      if (asked) return true;
    }
  }

  /** Waits as the failure asks for. @throws what no new connection will mend */
  async function recover(error: unknown, signal: AbortSignal): Promise<void> {
    const fault = error instanceof StreamFault ? error : null;
    if (fault === null && (!isRetryable(error) || error instanceof RateLimitedError)) throw error;
    const action: StreamAction = fault === null ? 'again' : reactionTo(fault).action;
    if (fault !== null && (action === 'lost' || action === 'refused' || action === 'spent' || action === 'ours')) {
      throw errorOfFault(fault, about);
    }
    attempt++;
    const reason = (error as Error).message;
    tell({ reason });
    log.info({ connection, topic, attempt, reason }, 'the event stream has ended and is opened again');
    if (action === 'login') {
      if (++logins > loginsMax) throw errorOfFault(fault!, about);
      await parts.renew();
      if (logins === 1) return;
    }
    await giveUpIfUnreachable(fault, signal);
    const waitMs = backoffMs(attempt, action === 'crowded' ? crowdedPolicy : againPolicy, random);
    tell({ nextTryAtMs: clock.now() + waitMs });
    await clock.sleep(waitMs, signal);
  }

  async function giveUpIfUnreachable(fault: StreamFault | null, signal: AbortSignal): Promise<void> {
    if (parts.giveUp === null || !isUnreachable(fault)) return;
    unreachableSinceMs ??= clock.now();
    if (clock.now() - unreachableSinceMs < parts.giveUp.afterMs) return;
    if (!isOrgThere) {
      // Where nothing at all gets through, no other way would do better, and the position is good for days. Where the org is just
      // back, the next try finds the rest of it too.
      isOrgThere = await parts.giveUp.orgAnswers(signal);
      if (!isOrgThere) unreachableSinceMs = null;
      return;
    }
    const message = `${about}: the Pub/Sub API cannot be reached (${fault!.message})`;
    const hint = 'CometD takes over; set `stream: cometd` if the Pub/Sub API is not meant to be reached from here';
    throw reader.after === null
      ? new NotConnectedError(message, { cause: fault, hint })
      : new CheckpointExpiredError(`${message}, and positions of it mean nothing to CometD`, { cause: fault, hint });
  }

  async function* deliveries(signal: AbortSignal): AsyncGenerator<Delivery> {
    const limit = AbortSignal.any([signal, closing.signal]);
    while (!limit.aborted) {
      // A consumer that takes nothing needs no connection, and the server would close it.
      await credit.available(limit);
      if (limit.aborted) return;
      const heardBefore = heard;
      try {
        yield* connected(limit);
        if (limit.aborted) return;
        // An orderly end after nothing at all is no better than a failure: it must not be asked for in a circle.
        if (heard === heardBefore) {
          throw new StreamFault({ code: '', status: 'UNAVAILABLE', message: 'the stream was closed before anything came' });
        }
      } catch (error) {
        if (limit.aborted) return;
        await recoverUntil(error, limit);
      }
      if (standing !== null && reader.after === null) {
        throw new CheckpointExpiredError(`${about}: the connection was lost before the stream had told its first position`);
      }
      isReconnected = standing !== null;
    }
  }

  async function recoverUntil(error: unknown, limit: AbortSignal): Promise<void> {
    for (let failure = error; ; ) {
      try {
        return await recover(failure, limit);
      } catch (next) {
        if (limit.aborted) return;
        // The login server may be out of reach as well: that passes like the rest.
        if (next === failure || !isRetryable(next) || isFinal(next)) throw next;
        failure = next;
      }
    }
  }

  return {
    origin,
    deliveries,
    grant(events) {
      credit.grant(events);
      ask();
    },
    state: () => state,
    ...(parts.nowMs === undefined ? {} : { nowMs: parts.nowMs }),
    ...(parts.keepSchema === undefined ? {} : { keepSchema: parts.keepSchema }),
    async [Symbol.asyncDispose]() {
      closing.abort();
      current?.close();
      await transport[Symbol.asyncDispose]();
    },
  };
}

/** Made here on purpose, to end the stream. */
const isFinal = (error: unknown): boolean => (error as SyncError).cause instanceof StreamFault;

/** No answer came from the service itself. */
export function isUnreachable(fault: StreamFault | null): boolean {
  return fault !== null && fault.code === '' && (fault.status === 'UNAVAILABLE' || fault.status === 'DEADLINE_EXCEEDED');
}
