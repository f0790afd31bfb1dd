import type { Channel, ChannelEvent } from '../events/types.ts';
import type { StreamCall } from './calls.ts';
import type { PubSubContext } from './context.ts';
import { PubSubError, topicNotFound } from './errors.ts';
import type { ConsumerEvent, FetchResponse } from './messages.ts';
import { type DeliveryStrike, strikeDelivery } from './rpc-faults.ts';

/** Outstanding events are additive, and never more than this. */
export const pendingMax = 100;
/** Of a message: below what gRPC clients take by default (4 MB), with events of up to 1 MB. */
const responseBytesMax = 3 * 1024 * 1024;
/** How soon a permission that was taken away ends a running stream. */
const recheckMs = 10 * 60 * 1000;

/** The sending half of a subscription: what was asked for, what was sent, and the silences between. */
export interface Delivery {
  /** The client is ready for this many events more. */
  request(events: number): void;
  /** The client said something else: its idle time begins anew. */
  touch(): void;
  drained(): void;
  /** Sends a message that carries no events. */
  sendBare(extra: Partial<FetchResponse>): void;
  /** The highest replay id that the client was told. */
  told(): number;
  close(): void;
}

/**
 * Delivers a channel's events after `start` under the flow control of the Pub/Sub API guide ("Pull Subscription and Flow
 * Control"): never more events than were asked for, keepalives while it waits for events, the end of the stream when the
 * client no longer asks.
 */
export function createDelivery(
  call: StreamCall<FetchResponse>,
  context: PubSubContext,
  firstChannel: Channel,
  start: number,
): Delivery {
  const { bus, timers, waits, org } = context;
  const { topic } = firstChannel;
  let channel = firstChannel;
  let pending = 0;
  let position = start;
  let told = start;
  /** A repeated message is not struck again: it would be repeated for ever. */
  let repeatedTo = -1;
  let over = false;
  /** Why nothing is sent though events may be there: the connection is full, a fault holds a message back, or all of them. */
  let full = false;
  let held = false;
  let silent = false;
  let woken = false;
  let stopWaiting = () => {};
  let stopHolding = () => {};
  let stopRechecking = timers.after(recheckMs, recheck);

  const stopListening = bus.onAppend(() => {
    if (woken || pending === 0) return;
    woken = true;
    // The commit that tells of its events is not done yet, and others may follow at once.
    queueMicrotask(() => {
      woken = false;
      pump();
    });
  });

  wait();

  function close(): void {
    over = true;
    stopListening();
    stopWaiting();
    stopHolding();
    stopRechecking();
  }

  function finish(end: PubSubError | 'drop' | 'end'): void {
    if (over) return;
    close();
    if (end === 'end') call.end();
    else if (end === 'drop') call.drop();
    else call.fail(end);
  }

  const canSend = () => !over && !silent && !full && !held;

  function pump(): void {
    while (canSend() && pending > 0) {
      const { events, next } = channel.read(position, pending, call.userId);
      if (events.length > 0) deliver(events, next);
      else if (next > position) position = next;
      else return;
    }
  }

  function deliver(events: ChannelEvent[], next: number): void {
    const strike = strikeDelivery(context, call, topic);
    if (strike.silent) fallSilent();
    else if (strike.delayMs === 0) transmit(events, next, strike);
    else {
      held = true;
      stopWaiting();
      stopHolding = timers.after(strike.delayMs, () => {
        held = false;
        transmit(events, next, strike);
        pump();
      });
    }
  }

  function transmit(events: ChannelEvent[], next: number, strike: DeliveryStrike): void {
    const { end } = strike;
    const count = end === undefined ? events.length : Math.min(end.afterEvents, events.length);
    if (count > 0 && !context.deliveries.spend(count)) {
      finish(new PubSubError('subscription.limit.exceeded'));
      return;
    }
    const before = position;
    let first = 0;
    while (first < count) {
      const { batch, after } = takeBatch(events, first, Math.min(count, first + strike.split));
      const last = events[after - 1] as ChannelEvent;
      position = after === events.length ? Math.max(next, last.replayId) : last.replayId;
      send({ events: batch });
      first = after;
    }
    if (end) finish(end.error);
    else if (strike.duplicate && before >= repeatedTo) {
      repeatedTo = position;
      position = before;
    }
    wait();
  }

  /** The events from `first` on that fit into one message. */
  function takeBatch(events: readonly ChannelEvent[], first: number, end: number): { batch: ConsumerEvent[]; after: number } {
    const batch: ConsumerEvent[] = [];
    let bytes = 0;
    let after = first;
    for (; after < end; after += 1) {
      const event = events[after] as ChannelEvent;
      const payload = event.payload();
      bytes += payload.length;
      if (bytes > responseBytesMax && after > first) break;
      batch.push({
        event: { id: event.uuid, schemaId: event.schemaId, payload },
        replayId: bus.replayBytes(event.replayId),
      });
    }
    return { batch, after };
  }

  function send(message: Partial<FetchResponse>): void {
    const events = message.events ?? [];
    pending -= events.length;
    told = Math.max(told, position);
    const response = {
      ...message,
      events,
      latestReplayId: bus.replayBytes(position),
      rpcId: call.rpcId,
      pendingNumRequested: pending,
    };
    if (!call.send(response)) full = true;
  }

  function fallSilent(): void {
    silent = true;
    stopWaiting();
  }

  /** Begins the silence after which the client must hear from us, or we from it. */
  function wait(): void {
    stopWaiting();
    if (over || silent || held) return;
    stopWaiting = pending > 0 ? timers.after(waits.keepaliveMs, keepAlive) : timers.after(waits.idleCloseMs, () => finish('end'));
  }

  function keepAlive(): void {
    // Whatever could be delivered has been: what is newest on the bus is then nothing that this client could miss.
    pump();
    if (canSend() && pending > 0) {
      const strike = strikeDelivery(context, call, topic);
      if (strike.silent) fallSilent();
      else if (strike.end) finish(strike.end.error);
      else {
        position = Math.max(position, bus.latestReplayId());
        send({});
      }
    }
    wait();
  }

  function recheck(): void {
    const now = bus.channel(topic);
    if (!now) finish(topicNotFound(org.id, topic));
    else if (!now.canSubscribe(call.userId)) finish(new PubSubError('subscription.topic.cannot.subscribe'));
    else {
      channel = now;
      stopRechecking = timers.after(recheckMs, recheck);
    }
  }

  return {
    request(events) {
      pending = Math.min(pendingMax, pending + events);
      pump();
      wait();
    },
    touch: wait,
    drained() {
      full = false;
      pump();
    },
    sendBare(extra) {
      if (!over && !silent) send(extra);
    },
    told: () => told,
    close,
  };
}
