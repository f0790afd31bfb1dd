import type { Clock } from '@tidemark/core';
import type { Client } from '../client.ts';
import type { Session } from '../login-flows.ts';
import { type CometdClient, createCometdClient, type FailedMessage, type Packet, type PacketHandle } from './cometd-client.ts';
import { createCookieJar } from './cookie-jar.ts';
import { MessageQueue } from './message-queue.ts';
import {
  type JsonPayload,
  type RawEvent,
  StreamFault,
  type StreamMessage,
  type Subscription,
  type Transport,
} from './transport.ts';

/** The server holds a connect for so long when there is nothing to say (Streaming API Developer Guide, "Message Durability" and limits). */
const heldMs = 110_000;
/** Beyond that, for the network. */
const networkMs = 30_000;
/** The next connect has to follow within 40 s, or the server forgets the client. */
const withinMs = 35_000;

/** After a reply the next connect is under way at once, and answered at once if there is more. */
const lullMs = 500;

/** The Streaming API by long polling. `fetch` is the connection's own. */
export function createCometdTransport(parts: {
  readonly client: Pick<Client, 'request'>;
  readonly session: () => Promise<Session>;
  readonly fetch: typeof globalThis.fetch;
  readonly clock: Clock;
  readonly apiVersion: string;
}): Transport {
  return {
    name: 'cometd',
    lullMs,
    async probe() {
      // Whoever subscribes is told at once whether it may; to ask before would be a client more, and they are counted.
      await parts.session();
    },
    async schema(id, signal) {
      const { body } = await parts.client.request({
        method: 'GET',
        path: `/event/eventSchema/${encodeURIComponent(id)}?payloadFormat=COMPACT`,
        about: 'asking for the schema of an event',
        signal,
      });
      return JSON.stringify(body);
    },
    subscribe: (topic, after) => createCometdSubscription(parts, topic, after),
    async [Symbol.asyncDispose]() {},
  };
}

interface DataMessage {
  readonly data: {
    readonly schema?: string;
    readonly payload: JsonPayload;
    readonly event: { readonly replayId: number | string; readonly EventUuid?: string; readonly EventApiName?: string };
  };
}

function createCometdSubscription(
  { session, fetch, clock, apiVersion }: Parameters<typeof createCometdTransport>[0],
  topic: string,
  after: string | null,
): Subscription {
  const queue = new MessageQueue<StreamMessage>();
  const closing = new AbortController();
  const cookies = createCookieJar();
  /** What came with one reply, and what nobody has asked for yet. */
  let backlog: RawEvent[] = [];
  let room = 0;
  let begun = false;
  let client: CometdClient | null = null;
  let wake: (() => void) | null = null;
  const { promise: subscribed, resolve: tellSubscribed } = Promise.withResolvers<void>();

  function end(error?: unknown): void {
    queue.end(error);
    closing.abort();
  }

  function failed(message: FailedMessage): void {
    if (closing.signal.aborted) return;
    end(faultOf(message));
    client?.disconnect();
  }

  /** Hands on as much as was asked for. */
  function flush(): void {
    while (backlog.length > 0 && room > 0) {
      const events = backlog.slice(0, room);
      backlog = backlog.slice(events.length);
      room -= events.length;
      // A reply ends anywhere, in the middle of a transaction too: more of it may come with the next one.
      queue.push({ events, latest: null, pending: 0 });
    }
  }

  /** Asks for more only once there is room for it; who has none for too long ends here, as the server would have it. */
  async function admitted(body: string): Promise<boolean> {
    if (!body.includes('"/meta/connect"')) return true;
    const admittedInTime = new AbortController();
    const limit = AbortSignal.any([closing.signal, admittedInTime.signal]);
    const late = clock.sleep(withinMs, limit).catch(() => {});
    let expired = false;
    late.then(() => {
      expired = true;
      wake?.();
    });
    while (room <= 0 && !expired && !closing.signal.aborted) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    admittedInTime.abort();
    if (room > 0 || closing.signal.aborted) return true;
    end();
    return false;
  }

  function send(packet: Packet): PacketHandle {
    const aborting = new AbortController();
    const handle = { status: 0, readyState: 1, abort: () => aborting.abort() };
    exchange(packet, handle, aborting.signal).catch((error: unknown) => {
      if (!aborting.signal.aborted) packet.onError((error as Error).message, error);
    });
    return handle;
  }

  async function exchange(packet: Packet, handle: { status: number }, signal: AbortSignal): Promise<void> {
    if (!(await admitted(packet.body))) return;
    const cookie = cookies.header();
    const response = await fetch(packet.url, {
      method: 'POST',
      headers: { ...packet.headers, 'content-type': 'application/json', ...(cookie === '' ? {} : { cookie }) },
      body: packet.body,
      redirect: 'manual',
      signal,
    });
    handle.status = response.status;
    cookies.keep(response.headers.getSetCookie());
    const text = await response.text();
    if (signal.aborted) return;
    if (response.status !== 200) return packet.onError(errorIn(text) ?? `${response.status}::${response.statusText}`);
    packet.onSuccess(text);
    const isEmpty = backlog.length === 0;
    flush();
    // Who held a connect and has nothing to say in the end has nothing more.
    if (isEmpty && packet.body.includes('"/meta/connect"')) queue.push({ events: [], latest: null, pending: 1 });
  }

  async function begin(): Promise<void> {
    const [{ accessToken, instanceUrl }, made] = await Promise.all([session(), createCometdClient({ clock, send, failed })]);
    if (closing.signal.aborted) return;
    client = made;
    client.configure({
      url: `${instanceUrl}/cometd/${apiVersion}`,
      requestHeaders: { Authorization: `Bearer ${accessToken}` },
      appendMessageTypeToURL: false,
      useWorkerScheduler: false,
      logLevel: 'warn',
      maxNetworkDelay: networkMs + withinMs,
      advice: { timeout: heldMs, interval: 0 },
    });
    client.registerExtension('replay', {
      outgoing: (message) => {
        if (message.channel === '/meta/handshake') return { ...message, ext: { ...message.ext, replay: true } };
        if (message.channel !== '/meta/subscribe') return message;
        return { ...message, ext: { ...message.ext, replay: { [topic]: after === null ? -1 : exactNumber(after) } } };
      },
    });
    client.handshake((reply) => {
      // A failed handshake is told by `failed`.
      if (reply.successful !== true || closing.signal.aborted) return;
      client!.subscribe(
        topic,
        (message) => backlog.push(rawEvent(message as unknown as DataMessage)),
        (answer) => {
          if (answer.successful === true) tellSubscribed();
          else failed(answer as unknown as FailedMessage);
        },
      );
    });
  }

  closing.signal.addEventListener('abort', () => wake?.(), { once: true });
  return {
    messages: queue,
    begun: subscribed,
    request(events) {
      room += events;
      if (!begun) {
        begun = true;
        begin().catch((error: unknown) => end(error));
      }
      flush();
      if (room > 0) wake?.();
    },
    close() {
      if (closing.signal.aborted) return;
      end();
      client?.disconnect();
    },
  };
}

function rawEvent({ data }: DataMessage): RawEvent {
  const { replayId, EventUuid = '', EventApiName } = data.event;
  return {
    replayId: String(replayId),
    id: EventUuid,
    schemaId: data.schema ?? '',
    payload: data.payload,
    ...(EventApiName === undefined ? {} : { name: EventApiName }),
  };
}

/** A number that JSON writes with all its digits, however many. */
function exactNumber(digits: string): unknown {
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value : (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(digits);
}

/** The first error in a body of Bayeux messages. */
function errorIn(text: string): string | undefined {
  try {
    const messages = JSON.parse(text) as FailedMessage[];
    return Array.isArray(messages) ? messages.map(trueError).find((error) => error !== undefined) : undefined;
  } catch {
    // A page of something in between.
    return undefined;
  }
}

/** A denied handshake names its cause apart. */
const trueError = ({ ext, error }: FailedMessage): string | undefined => ext?.sfdc?.failureReason ?? error;

function faultOf(message: FailedMessage): StreamFault {
  const reason = trueError(message) ?? message.failure?.reason;
  const isAnswer = reason !== undefined && /^\d{3}:[^:]*:/.test(reason);
  return new StreamFault({
    code: isAnswer ? reason : '',
    status: 'UNAVAILABLE',
    message: isAnswer ? reason : `${message.channel} was not answered${reason === undefined ? '' : ` (${reason})`}`,
  });
}
