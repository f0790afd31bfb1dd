import type { FaultList } from '../faults/fault-list.ts';
import type { Timers } from '../pubsub/timers.ts';
import { adviceFor, errors } from './errors.ts';
import { type ConnectError, strikeDelivery } from './stream-faults.ts';
import type { StreamChannel } from './types.ts';

/** Events of one reply: what comes after waits for the next connect. */
const eventsMax = 200;

/** A message with an event, as the client gets it. */
export interface EventMessage {
  clientId?: string;
  data: Record<string, unknown>;
  channel: string;
}

/** What a connect is answered with. */
export interface ConnectContent {
  messages: EventMessage[];
  error: ConnectError | undefined;
  /** The reply gets lost with its connection; the events in it are not sent again. */
  lost: boolean;
}

/** The subscriptions of one client, and what is due to it. */
export interface Delivery {
  /** Anew: from this position, whatever was before. */
  subscribe(channel: StreamChannel, position: number): void;
  unsubscribe(name: string): void;
  subscriptions(): string[];
  /** Reads on. True when a connect should be answered now. */
  isDue(): boolean;
  /** What `isDue` saw, and forgets it. */
  take(): ConnectContent;
  close(): void;
}

/**
 * Events of a channel; those that share a replay id stay together, a few more than were asked for: a client that notes the
 * id would never hear of the rest.
 */
function readWhole(channel: StreamChannel, after: number, max: number, userId: string): ReturnType<StreamChannel['read']> {
  const read = channel.read(after, max, userId);
  while (!Number.isInteger(read.next)) {
    const { events, next } = channel.read(read.next, 1, userId);
    read.events.push(...events);
    read.next = next;
  }
  return read;
}

interface Subscription {
  readonly channel: StreamChannel;
  position: number;
  /** Repeated events are not repeated again. */
  repeatedTo: number;
}

export function createDelivery(
  client: { id: string; userId: string; apiVersion: number },
  parts: { faults: FaultList; timers: Timers; revoke(): void; due(): void },
): Delivery {
  const subscriptions = new Map<string, Subscription>();
  let ready: EventMessage[] = [];
  let error: ConnectError | undefined;
  let lost = false;
  let silent = false;
  let stopHolding: (() => void) | undefined;

  function readOn(): void {
    for (const subscription of subscriptions.values()) {
      while (!lost && !error && !silent && !stopHolding && ready.length < eventsMax) {
        const room = eventsMax - ready.length;
        const { events, next } = subscription.channel.read(subscription.position, room, client.userId);
        if (events.length > 0) {
          if (!strike(subscription, events.length)) break;
        } else if (next > subscription.position) subscription.position = next;
        else break;
      }
    }
  }

  /** @returns whether there may be more for the same reply. */
  function strike(subscription: Subscription, available: number): boolean {
    const { channel, position } = subscription;
    const found = strikeDelivery(parts.faults, channel.name, parts.revoke);
    const count = Math.min(available, found.split, found.end?.afterEvents ?? available);
    if (found.silent) silent = true;
    else if (found.delayMs > 0) {
      stopHolding = parts.timers.after(found.delayMs, () => {
        stopHolding = undefined;
        deliver(subscription, count);
        parts.due();
      });
    } else deliver(subscription, count);
    if (found.end?.with === 'drop') lost = true;
    else if (found.end) error ??= found.end.with;
    if (found.duplicate && position >= subscription.repeatedTo) {
      subscription.repeatedTo = subscription.position;
      subscription.position = position;
    }
    return !Number.isFinite(found.split) && !found.duplicate;
  }

  function deliver(subscription: Subscription, wanted: number): void {
    const { channel } = subscription;
    const { allocation, name } = channel;
    const count = Math.min(wanted, allocation.max - allocation.used());
    if (count < wanted) error ??= { error: errors.deliveriesSpent, advice: adviceFor(errors.deliveriesSpent) };
    if (count <= 0) return;
    const { events, next } = readWhole(channel, subscription.position, count, client.userId);
    allocation.add(events.length);
    subscription.position = next;
    for (const event of events) {
      const data = event.data(client.apiVersion);
      if (data) ready.push({ ...(channel.namesClient ? { clientId: client.id } : {}), data, channel: name });
    }
  }

  return {
    subscribe(channel, position) {
      subscriptions.set(channel.name, { channel, position, repeatedTo: -1 });
    },
    unsubscribe: (name) => void subscriptions.delete(name),
    subscriptions: () => [...subscriptions.keys()],
    isDue() {
      readOn();
      return ready.length > 0 || lost || error !== undefined;
    },
    take() {
      const content = { messages: ready, error, lost };
      ready = [];
      error = undefined;
      lost = false;
      return content;
    },
    close() {
      stopHolding?.();
      subscriptions.clear();
    },
  };
}
