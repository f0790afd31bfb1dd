import type { ServerSession } from 'cometd-nodejs-server';
import type { FaultList } from '../faults/fault-list.ts';
import type { Timers } from '../pubsub/timers.ts';
import { createDelivery, type Delivery } from './delivery.ts';
import type { StreamingWaits } from './types.ts';

/** One POST while it is answered. */
export interface Post {
  readonly apiVersion: number;
  readonly userId: string;
  readonly token: string;
  /** Gives back the place of the client that this handshake makes. */
  leave?: () => void;
  /** Whom this handshake made. */
  client?: StreamingClient;
  /** The reply never arrives. */
  lost: boolean;
}

/** A client that shook hands. */
export interface StreamingClient {
  readonly id: string;
  readonly userId: string;
  readonly apiVersion: number;
  readonly delivery: Delivery;
  /** A connect came in. @returns whether it is to be answered at once. */
  connected(post: Post): boolean;
  /** Whether its first connect is the one at hand: the only one whose reply advises. */
  isFirst(): boolean;
  /** The post whose connect is being answered. */
  readonly post: Post | undefined;
  suspended(isSuspended: boolean): void;
  isHeld(): boolean;
  /** Answers a connect that is held, if there is something to say. */
  look(): void;
  /** The same whatever there is to say. */
  wake(): void;
  /** A reply is out: it must connect again in time. */
  awaitConnect(): void;
  /** Forgets the client after this reply. */
  leaveSoon(): void;
  /** The session is gone. */
  removed(): void;
}

/** Delivered to wake a held connect up; never reaches the wire. */
const wakeChannel = '/meta/wake';

export function createClient(
  session: ServerSession,
  handshake: Post,
  parts: { timers: Timers; faults: FaultList; waits: StreamingWaits; revoke(token: string): void },
): StreamingClient {
  const { timers, waits } = parts;
  const { userId, apiVersion } = handshake;
  let post: Post | undefined;
  let connects = 0;
  let held = false;
  let leaving = false;
  let stopWaiting = () => {};
  const delivery = createDelivery(
    { id: session.id, userId, apiVersion },
    { ...parts, revoke: () => parts.revoke(post?.token ?? handshake.token), due: () => client.wake() },
  );

  const client: StreamingClient = {
    id: session.id,
    userId,
    apiVersion,
    delivery,
    get post() {
      return post;
    },
    isFirst: () => connects === 1,
    connected(incoming) {
      stopWaiting();
      post = incoming;
      connects += 1;
      const isDue = delivery.isDue();
      return connects === 1 || isDue;
    },
    suspended(isSuspended) {
      stopWaiting();
      held = isSuspended;
      if (held) stopWaiting = timers.after(waits.holdMs, client.wake);
    },
    isHeld: () => held,
    look() {
      if (held && delivery.isDue()) client.wake();
    },
    wake() {
      if (held) session.deliver(null, wakeChannel, null);
    },
    awaitConnect() {
      if (held) return;
      stopWaiting();
      if (leaving) session.disconnect();
      else stopWaiting = timers.after(waits.reconnectMs, () => session.disconnect());
    },
    leaveSoon() {
      leaving = true;
    },
    removed() {
      stopWaiting();
      delivery.close();
      handshake.leave?.();
    },
  };
  return client;
}
