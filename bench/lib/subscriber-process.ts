import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { input, output } from './child.ts';

/** A bare client of the Pub/Sub API: takes events from the earliest on and reads no payload. */
export interface SubscriberInput {
  readonly endpoint: string;
  readonly accessToken: string;
  readonly instanceUrl: string;
  readonly organizationId: string;
  readonly topic: string;
  readonly events: number;
}

export interface SubscriberOutput {
  /** From the first event to the last. */
  readonly ms: number;
  readonly events: number;
  readonly bytes: number;
}

interface FetchResponse {
  readonly events: readonly { readonly event: { readonly payload: Uint8Array } }[];
}

const { endpoint, accessToken, instanceUrl, organizationId, topic, events } = input<SubscriberInput>();
/** At most so many may be outstanding; asked for again when half are in, so that the server always knows of some. */
const pendingMax = 100;

const emulator = dirname(createRequire(import.meta.url).resolve('@tidemark/emulator'));
const definition = loadSync(join(emulator, 'pubsub/pubsub_api.proto'), { defaults: true, enums: String, longs: Number });
const { PubSub } = (
  grpc.loadPackageDefinition(definition) as unknown as { eventbus: { v1: { PubSub: grpc.ServiceClientConstructor } } }
).eventbus.v1;
const client = new PubSub(endpoint, grpc.credentials.createInsecure());
const metadata = new grpc.Metadata();
metadata.set('accesstoken', accessToken);
metadata.set('instanceurl', instanceUrl);
metadata.set('tenantid', organizationId);

let startedAtMs = 0;
let taken = 0;
let unasked = 0;
let bytes = 0;
const stream = (client.Subscribe as (metadata: grpc.Metadata) => grpc.ClientDuplexStream<object, FetchResponse>).call(
  client,
  metadata,
);
stream.on('data', (response: FetchResponse) => {
  if (startedAtMs === 0) startedAtMs = performance.now();
  for (const { event } of response.events) bytes += event.payload.length;
  taken += response.events.length;
  unasked += response.events.length;
  if (taken >= events) {
    output({ ms: performance.now() - startedAtMs, events: taken, bytes } satisfies SubscriberOutput);
    process.exit(0);
  }
  if (unasked >= pendingMax / 2) {
    stream.write({ topicName: topic, numRequested: unasked });
    unasked = 0;
  }
});
stream.on('error', (error) => {
  console.error(error);
  process.exit(1);
});
stream.write({ topicName: topic, replayPreset: 'EARLIEST', numRequested: pendingMax });
