import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** A bare gRPC client of the service: what came is kept in order, and a test waits for what must come. */

type Message = Record<string, unknown>;
// biome-ignore lint/suspicious/noExplicitAny: tests look into messages of every shape
export type Received = any;

export interface TestStream {
  send(message: Message): void;
  half(): void;
  cancel(): void;
  /** Messages so far. */
  readonly received: Received[];
  /** How it ended, once it has. */
  ended: Promise<{ code: number; details: string; errorCode: string | undefined; rpcId: string | undefined }>;
  /** Waits until the messages so far satisfy this. @throws when the stream ends before. */
  until(satisfied: (received: Received[]) => boolean): Promise<Received[]>;
  pause(): void;
  resume(): void;
}

export interface TestClient {
  unary(rpc: string, request: Message): Promise<Received>;
  stream(rpc: 'Subscribe' | 'ManagedSubscribe' | 'PublishStream', metadata?: Record<string, string>): TestStream;
  close(): void;
}

const definition = loadSync(fileURLToPath(new URL('./pubsub_api.proto', import.meta.url)), {
  defaults: true,
  enums: String,
  longs: Number,
});
const { PubSub } = (
  grpc.loadPackageDefinition(definition) as unknown as { eventbus: { v1: { PubSub: grpc.ServiceClientConstructor } } }
).eventbus.v1;

export function connectClient(
  endpoint: string,
  metadata: Record<string, string>,
  credentials: grpc.ChannelCredentials = grpc.credentials.createInsecure(),
): TestClient {
  const client = new PubSub(endpoint, credentials, { 'grpc.use_local_subchannel_pool': 1, 'grpc.enable_retries': 0 });
  const headers = (more?: Record<string, string>) => {
    const all = new grpc.Metadata();
    for (const [name, value] of Object.entries({ ...metadata, ...more })) if (value !== '') all.set(name, value);
    return all;
  };
  const method = (rpc: string) => (client[rpc] as (...args: unknown[]) => unknown).bind(client);
  return {
    unary: (rpc, request) =>
      new Promise((resolve, reject) => {
        method(rpc)(request, headers(), (error: grpc.ServiceError | null, reply: unknown) =>
          error ? reject(Object.assign(new Error(error.message), endOf(error))) : resolve(reply),
        );
      }),
    stream(rpc, more) {
      const duplex = method(rpc)(headers(more)) as grpc.ClientDuplexStream<Message, Received>;
      const received: Received[] = [];
      const watchers = new Set<() => void>();
      let over: Awaited<TestStream['ended']> | undefined;
      const look = () => {
        for (const watcher of [...watchers]) watcher();
      };
      duplex.on('data', (message) => {
        received.push(message);
        look();
      });
      duplex.on('error', () => {});
      const ended = new Promise<Awaited<TestStream['ended']>>((resolve) => {
        duplex.on('status', (status: grpc.StatusObject) => {
          over = endOf(status);
          resolve(over);
          look();
        });
      });
      return {
        received,
        ended,
        send: (message) => duplex.write(message),
        half: () => duplex.end(),
        cancel: () => duplex.cancel(),
        pause: () => duplex.pause(),
        resume: () => duplex.resume(),
        until: (satisfied) =>
          new Promise((resolve, reject) => {
            const watcher = () => {
              if (!satisfied(received) && !over) return;
              watchers.delete(watcher);
              if (satisfied(received)) resolve(received);
              else reject(new Error(`the stream ended first: ${over?.details}`));
            };
            watchers.add(watcher);
            watcher();
          }),
      };
    },
    close: () => client.close(),
  };
}

function endOf({ code, details, metadata }: { code: number; details: string; metadata: grpc.Metadata }) {
  const text = (name: string) => metadata.get(name)[0]?.toString();
  return { code, details, errorCode: text('error-code'), rpcId: text('rpc-id') };
}
