import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** One endpoint for the streams of many orgs, as Salesforce has one for all: each call goes on to the org that its metadata name. */
export interface PubSubFront {
  readonly endpoint: string;
  close(): void;
}

type Bytes = Buffer;
const asIs = (bytes: Bytes) => bytes;

/** @param endpoints  of each org by its id of 18 characters */
export async function startPubSubFront(endpoints: ReadonlyMap<string, string>): Promise<PubSubFront> {
  const proto = fileURLToPath(new URL('../../emulator/src/pubsub/pubsub_api.proto', import.meta.url));
  const definition = loadSync(proto)['eventbus.v1.PubSub'] as grpc.ServiceDefinition;
  const raw = Object.fromEntries(
    Object.entries(definition).map(([name, method]) => [
      name,
      { ...method, requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs },
    ]),
  ) as grpc.ServiceDefinition;
  const Client = grpc.makeGenericClientConstructor(raw, 'PubSub');
  const clients = new Map<string, grpc.Client & Record<string, (...args: unknown[]) => unknown>>();
  const clientFor = (metadata: grpc.Metadata) => {
    const org = String(metadata.get('tenantid')[0]);
    let client = clients.get(org);
    if (client === undefined) {
      client = new Client(endpoints.get(org)!, grpc.credentials.createInsecure()) as unknown as typeof client;
      clients.set(org, client!);
    }
    return client!;
  };
  const unary =
    (name: string): grpc.handleUnaryCall<Bytes, Bytes> =>
    (call, callback) =>
      void clientFor(call.metadata)[name]!(call.request, call.metadata, callback);
  const stream =
    (name: string): grpc.handleBidiStreamingCall<Bytes, Bytes> =>
    (call) => {
      const onward = clientFor(call.metadata)[name]!(call.metadata) as grpc.ClientDuplexStream<Bytes, Bytes>;
      call.on('data', (bytes: Bytes) => onward.write(bytes));
      call.on('end', () => onward.end());
      call.on('cancelled', () => onward.cancel());
      onward.on('data', (bytes: Bytes) => call.write(bytes));
      onward.on('end', () => call.end());
      onward.on('error', (error) => call.emit('error', error));
    };
  const server = new grpc.Server({ 'grpc.max_concurrent_streams': 1000 });
  server.addService(raw, {
    GetTopic: unary('GetTopic'),
    GetSchema: unary('GetSchema'),
    Publish: unary('Publish'),
    Subscribe: stream('Subscribe'),
    ManagedSubscribe: stream('ManagedSubscribe'),
    PublishStream: stream('PublishStream'),
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return {
    endpoint: `127.0.0.1:${port}`,
    close() {
      server.forceShutdown();
      for (const client of clients.values()) client.close();
    },
  };
}
