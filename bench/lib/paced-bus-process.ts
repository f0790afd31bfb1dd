import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { EmulatorCredentials } from '@tidemark/emulator';
import { input } from './child.ts';
import { answer } from './spoken-child.ts';

export interface PacedBusInput {
  readonly credentials: EmulatorCredentials;
  readonly topic: string;
  /** Position in the emulator's bus after which the events lie. */
  readonly after: number;
  readonly events: number;
}

export interface PacedBusReady {
  readonly endpoint: string;
  /** Base64, event by event. */
  readonly replayIds: readonly string[];
}

/** Publishes what there is, so many a second, in transactions of so many. Answered when all are published. */
export interface PaceQuestion {
  readonly perSecond: number;
  readonly perTransaction: number;
}

/** Epoch ms at which each transaction was due to be committed: what the pace made later is part of the lag. */
export interface Paced {
  readonly dueAtMs: readonly number[];
}

interface Event {
  readonly event: { readonly id: string; readonly schemaId: string; readonly payload: Buffer };
  readonly replayId: Buffer;
}
type Subscription = grpc.ServerDuplexStream<{ replayId: Buffer; numRequested: number }, object>;

/**
 * Events of the emulator, recorded, and published once more at a steady pace: an org that writes so fast would take the machine that is to
 * be measured. Schemas are asked of the emulator.
 */
const { credentials, topic, after, events: count } = input<PacedBusInput>();
const emulator = dirname(createRequire(import.meta.url).resolve('@tidemark/emulator'));
const definition = loadSync(join(emulator, 'pubsub/pubsub_api.proto'), { defaults: true, enums: String, longs: Number });
const { PubSub } = (
  grpc.loadPackageDefinition(definition) as unknown as { eventbus: { v1: { PubSub: grpc.ServiceClientConstructor } } }
).eventbus.v1;
const client = new PubSub(credentials.pubsubEndpoint!, grpc.credentials.createInsecure());
const metadata = new grpc.Metadata();
metadata.set('accesstoken', credentials.accessToken);
metadata.set('instanceurl', credentials.instanceUrl);
metadata.set('tenantid', credentials.organizationId);
const call = (name: string, ...args: unknown[]) => (client[name] as (...args: unknown[]) => unknown).call(client, ...args);

const recorded: Event[] = [];
let published = 0;
/** Who listens, and what each still wants. */
const listeners = new Map<Subscription, { at: number; pending: number }>();

await new Promise<void>((resolve, reject) => {
  const stream = call('Subscribe', metadata) as grpc.ClientDuplexStream<object, { events: Event[] }>;
  const replayId = Buffer.alloc(8);
  replayId.writeBigUInt64BE(BigInt(after));
  stream.write({ topicName: topic, replayPreset: 'CUSTOM', replayId, numRequested: 100 });
  stream.on('error', reject);
  stream.on('data', ({ events }) => {
    recorded.push(...events);
    if (recorded.length >= count) {
      stream.removeListener('error', reject);
      stream.on('error', () => {});
      stream.cancel();
      resolve();
    } else stream.write({ topicName: topic, numRequested: events.length });
  });
});
const places = new Map(recorded.map(({ replayId }, i) => [replayId.toString('base64'), i]));

const forward =
  (name: string): grpc.handleUnaryCall<unknown, unknown> =>
  ({ request }, callback) =>
    void call(name, request, metadata, callback);
const server = new grpc.Server();
server.addService(PubSub.service, {
  GetTopic: forward('GetTopic'),
  GetSchema: forward('GetSchema'),
  Subscribe(stream: Subscription) {
    stream.on('data', ({ replayId, numRequested }) => {
      const at = (places.get(replayId.toString('base64')) ?? -1) + 1;
      const listener = listeners.get(stream) ?? { at, pending: 0 };
      listeners.set(stream, listener);
      listener.pending = Math.min(100, listener.pending + numRequested);
      send(stream, listener);
    });
    stream.on('error', () => listeners.delete(stream));
    stream.on('cancelled', () => listeners.delete(stream));
    stream.on('end', () => {
      listeners.delete(stream);
      stream.end();
    });
  },
});
const port = await new Promise<number>((resolve, reject) => {
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
    error === null ? resolve(bound) : reject(error),
  );
});
answer({
  endpoint: `127.0.0.1:${port}`,
  replayIds: recorded.map(({ replayId }) => replayId.toString('base64')),
} satisfies PacedBusReady);

process.on('message', ({ perSecond, perTransaction }: PaceQuestion) => {
  const beganAtMs = performance.timeOrigin + performance.now();
  const transactions = Math.floor(recorded.length / perTransaction);
  const dueAtMs = Array.from({ length: transactions }, (_, i) => beganAtMs + ((i + 1) * perTransaction * 1000) / perSecond);
  const publishing = setInterval(() => {
    const now = performance.timeOrigin + performance.now();
    const due = Math.min(transactions, Math.floor(((now - beganAtMs) * perSecond) / 1000 / perTransaction));
    published = due * perTransaction;
    for (const [stream, listener] of listeners) send(stream, listener);
    if (due < transactions) return;
    clearInterval(publishing);
    answer({ dueAtMs } satisfies Paced);
  }, 1);
});
await new Promise((resolve) => process.on('disconnect', resolve));
process.exit(0);

function send(stream: Subscription, listener: { at: number; pending: number }): void {
  const events = recorded.slice(listener.at, Math.min(published, listener.at + listener.pending));
  if (events.length === 0) return;
  listener.at += events.length;
  listener.pending -= events.length;
  stream.write({ events, latestReplayId: events.at(-1)!.replayId, rpcId: '', pendingNumRequested: listener.pending });
}
