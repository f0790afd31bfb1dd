import bayeux, { type CometDServer, type ServerMessage, type ServerSession } from 'cometd-nodejs-server';
import { InvalidReplayIdError } from '../events/types.ts';
import type { FaultList } from '../faults/fault-list.ts';
import type { Timers } from '../pubsub/timers.ts';
import { createClient, type Post, type StreamingClient } from './clients.ts';
import { errors } from './errors.ts';
import type { StreamChannels } from './stream-channels.ts';
import { BayeuxError, type StreamChannel, type StreamingWaits } from './types.ts';

/** The library's server, taught what Salesforce's does differently, and its clients. */
export interface Bayeux {
  readonly server: CometDServer;
  readonly clients: ReadonlyMap<string, StreamingClient>;
  /** Says which post a message came with, before the library gets it. */
  carry(message: ServerMessage, post: Post): void;
  forget(clientId: string): void;
  close(): void;
}

/** The longest that a timer waits. Our own timers are first: they follow the org's clock, the library's do not. */
const never = 2 ** 31 - 1;

export function createBayeux(parts: {
  channels: StreamChannels;
  faults: FaultList;
  timers: Timers;
  waits: StreamingWaits;
  revoke(token: string): void;
}): Bayeux {
  const { channels, waits } = parts;
  const server = bayeux.createCometDServer({
    timeout: never,
    maxInterval: Number.POSITIVE_INFINITY,
    maxSessionsPerBrowser: -1,
    browserCookiePath: '/',
  });
  const clients = new Map<string, StreamingClient>();
  const posts = new WeakMap<ServerMessage, Post>();
  const refused = new WeakMap<ServerMessage, string>();

  server.addListener('sessionAdded', (session: ServerSession, message: ServerMessage) => {
    const handshake = posts.get(message) as Post;
    const client = createClient(session, handshake, parts);
    handshake.client = client;
    clients.set(session.id, client);
    session.addListener('suspended', () => client.suspended(true));
    session.addListener('resumed', () => client.suspended(false));
    session.addListener('queueDrain', (_session: ServerSession, queue: unknown[], replies: ServerMessage[]) =>
      fill(client, queue, replies),
    );
    session.addListener('removed', () => {
      clients.delete(session.id);
      client.removed();
    });
  });

  /** Events are read when a connect takes them along, and not before: what a client does not fetch costs nothing. */
  function fill(client: StreamingClient, queue: unknown[], replies: ServerMessage[]): void {
    queue.length = 0;
    const at = replies.findIndex(({ channel }) => channel === '/meta/connect');
    if (at < 0 || client.post === undefined) return;
    const { messages, error, lost } = client.delivery.take();
    queue.push(...messages);
    if (lost) client.post.lost = true;
    if (!error) return;
    replies[at] = { ...(replies[at] as ServerMessage), ...error, successful: false };
    if (error.advice.reconnect !== 'retry') client.leaveSoon();
  }

  function subscribe(client: StreamingClient, message: ServerMessage): void {
    const names = namesOf(message);
    if (names.length === 0) throw new BayeuxError(errors.noSubscription);
    const opened = names.map((name) => {
      const channel = channels.open(name, client.userId);
      if (channel.allocation.used() >= channel.allocation.max) throw new BayeuxError(errors.deliveriesSpent);
      return { channel, position: startOf(channel, message.ext?.replay) };
    });
    for (const { channel, position } of opened) client.delivery.subscribe(channel, position);
  }

  function receive(client: StreamingClient | undefined, message: ServerMessage): void {
    if (!client) return;
    if (message.channel === '/meta/connect') {
      const { connectionType = '' } = message;
      if (connectionType !== 'long-polling') throw new BayeuxError(errors.connectionType(connectionType));
      const wanted = Number(message.advice?.timeout ?? Number.POSITIVE_INFINITY);
      // The library holds a connect for as long as the client's advice says.
      const isNow = client.connected(posts.get(message) as Post) || wanted <= 0;
      message.advice = { timeout: isNow ? 0 : never };
    } else if (message.channel === '/meta/subscribe') subscribe(client, message);
    else if (message.channel === '/meta/unsubscribe')
      for (const name of namesOf(message)) client.delivery.unsubscribe(String(name));
    // Events are published by REST, in transactions, by Pub/Sub: never here.
    else if (!message.channel.startsWith('/meta/')) throw new BayeuxError(errors.cannotCreate(message.channel));
  }

  server.addExtension({
    incoming(_server, session, message, callback) {
      try {
        receive(clients.get(session.id), message);
        callback(undefined, true);
      } catch (error) {
        if (!(error instanceof BayeuxError)) throw error;
        refused.set(message.reply as ServerMessage, error.message);
        if (message.subscription !== undefined) Object.assign(message.reply as object, { subscription: message.subscription });
        callback(undefined, false);
      }
    },
    outgoing(_server, _sender, session, message, callback) {
      finish(message, session as ServerSession | null);
      callback(undefined, true);
    },
  });

  /** Gives a reply the form that it has on Salesforce's wire. */
  function finish(reply: ServerMessage, session: ServerSession | null): void {
    const error = refused.get(reply);
    delete reply.advice;
    if (reply.channel === '/meta/handshake') {
      reply.ext = { replay: true, 'payload.format': true };
      reply.minimumVersion = '1.0';
    } else if (session) reply.clientId = session.id;
    if (error !== undefined) Object.assign(reply, { successful: false, error });
    if (reply.error?.startsWith('402')) Object.assign(reply, { error: errors.unknownClient, advice: unknownClientAdvice });
    const client = session && clients.get(session.id);
    if (client && reply.channel === '/meta/connect' && reply.successful && client.isFirst()) {
      reply.advice = { interval: 0, timeout: waits.holdMs, reconnect: 'retry' };
    }
  }

  const stopListening = channels.onAppend(lookSoon);
  let woken = false;
  function lookSoon(): void {
    if (woken || clients.size === 0) return;
    woken = true;
    // The commit that tells of its events is not done yet, and others may follow at once.
    queueMicrotask(() => {
      woken = false;
      for (const client of clients.values()) client.look();
    });
  }

  return {
    server,
    clients,
    carry: (message, post) => posts.set(message, post),
    forget: (clientId) => server.getServerSession(clientId)?.disconnect(),
    close() {
      stopListening();
      for (const { id } of [...clients.values()]) server.getServerSession(id)?.disconnect();
      server.close();
    },
  };
}

const unknownClientAdvice = { reconnect: 'handshake', interval: 0 };

const namesOf = ({ subscription }: ServerMessage): unknown[] => (subscription === undefined ? [] : [subscription].flat());

/**
 * Where the client wants to start, by its map of channels; new events only when it says nothing. Some clients leave the
 * filter of a PushTopic channel out of the map's key.
 */
function startOf(channel: StreamChannel, replay: unknown): number {
  const positions = (replay ?? {}) as Record<string, unknown>;
  const wanted = positions[channel.name] ?? positions[channel.name.replace(/\?.*$/s, '')] ?? -1;
  if (!Number.isSafeInteger(wanted)) throw new BayeuxError(errors.replayId(wanted));
  try {
    return channel.resolve(wanted as number);
  } catch (error) {
    if (error instanceof InvalidReplayIdError) throw new BayeuxError(errors.replayId(wanted));
    throw error;
  }
}
