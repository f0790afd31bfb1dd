import type { ClientDuplexStream, StatusObject } from '@grpc/grpc-js';
import type { Clock } from '@tidemark/core';
import type { Session } from '../login-flows.ts';
import { createGrpcClient, type FetchRequest, faultOf, type GrpcClient } from './grpc-client.ts';
import { MessageQueue } from './message-queue.ts';
import { earliest } from './position.ts';
import { StreamFault, type StreamMessage, type Subscription, type Transport } from './transport.ts';

/** How long a question may take: a host that swallows packets answers nothing at all. */
const answerMs = 30_000;

/** What is sent when all that was asked for has been used up: the next message comes as soon as more is asked for. */
const lullMs = 1_000;

/** The Pub/Sub API over gRPC. @param connect  a simulation has a client of its own */
export function createPubSubTransport(
  endpoint: string,
  session: () => Promise<Session>,
  clock: Clock,
  connect: (endpoint: string) => Promise<GrpcClient> = createGrpcClient,
): Transport {
  let connecting: Promise<GrpcClient> | undefined;
  const client = () => {
    connecting ??= connect(endpoint);
    return connecting;
  };

  async function answered<T>(question: Promise<T>, signal: AbortSignal): Promise<T> {
    const done = new AbortController();
    const limit = AbortSignal.any([signal, done.signal]);
    try {
      return await Promise.race([
        question,
        clock.sleep(answerMs, limit).then(() => {
          throw new StreamFault({ code: '', status: 'DEADLINE_EXCEEDED', message: `no answer within ${answerMs / 1000} s` });
        }),
      ]);
    } finally {
      done.abort();
      question.catch(() => {});
    }
  }

  return {
    name: 'pubsub',
    lullMs,
    async probe(topic, signal) {
      const [grpc, current] = await Promise.all([client(), session()]);
      const { canSubscribe } = await answered(grpc.getTopic(topic, current), signal);
      if (!canSubscribe) {
        const message = `the user may not subscribe to ${topic}`;
        throw new StreamFault({ code: 'subscription.topic.cannot.subscribe', status: 'PERMISSION_DENIED', message });
      }
    },
    async schema(id, signal) {
      const [grpc, current] = await Promise.all([client(), session()]);
      return (await answered(grpc.getSchema(id, current), signal)).schemaJson;
    },
    subscribe: (topic, after) => subscribe(topic, after, Promise.all([client(), session()])),
    async [Symbol.asyncDispose]() {
      const grpc = await connecting?.catch(() => undefined);
      grpc?.close();
    },
  };
}

function subscribe(topic: string, after: string | null, ready: Promise<[GrpcClient, Session]>): Subscription {
  const queue = new MessageQueue<StreamMessage>();
  let call: ClientDuplexStream<FetchRequest, StreamMessage> | null = null;
  let over = false;
  /** Asked for before there was somebody to ask. */
  let waiting = 0;
  let isFirst = true;
  const { promise: begun, resolve: tellBegun } = Promise.withResolvers<void>();

  function fetch(numRequested: number): void {
    const start = after === null ? preset('LATEST') : after === earliest ? preset('EARLIEST') : custom(after);
    call!.write({ topicName: topic, numRequested, ...(isFirst ? start : {}) });
    if (isFirst) confirm();
    isFirst = false;
  }

  /** A subscription is not acknowledged. A question that is asked after it, on the same connection, is. */
  function confirm(): void {
    ready
      .then(([grpc, session]) => grpc.getTopic(topic, session))
      .then(() => tellBegun())
      .catch(() => {});
  }

  function begin([grpc, session]: [GrpcClient, Session]): void {
    if (over) return;
    call = grpc.subscribe(session);
    call.on('data', (message: StreamMessage) => queue.push(message));
    // The status says the same, and comes after the last message.
    call.on('error', () => {});
    call.on('status', (status: StatusObject) => {
      over = true;
      queue.end(status.code === 0 ? undefined : faultOf(status, statusNames));
    });
    if (waiting > 0) fetch(waiting);
  }

  ready.then(begin).catch((error: unknown) => queue.end(error));
  return {
    messages: queue,
    begun,
    request(events) {
      if (over) return;
      if (call === null) waiting += events;
      else fetch(events);
    },
    close() {
      over = true;
      queue.end();
      call?.cancel();
    },
  };
}

const preset = (replayPreset: 'LATEST' | 'EARLIEST') => ({ replayPreset });
const custom = (after: string) => ({ replayPreset: 'CUSTOM' as const, replayId: Buffer.from(after, 'base64') });

/** gRPC's statuses by number, which no version changes. */
const statusNames = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];
