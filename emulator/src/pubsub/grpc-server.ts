import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type {
  handleBidiStreamingCall,
  handleUnaryCall,
  Metadata,
  Server,
  ServerDuplexStream,
  ServerUnaryCall,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { authenticate } from './authenticate.ts';
import type { Call, StreamCall, StreamHandler } from './calls.ts';
import type { KeyPair } from './certificate.ts';
import type { PubSubContext } from './context.ts';
import { grpcStatus, PubSubError } from './errors.ts';
import { managedSubscribe } from './managed-subscribe.ts';
import type { PublishRequest, SchemaRequest, TopicRequest } from './messages.ts';
import { publish, publishStream } from './publish.ts';
import { strikeRpc } from './rpc-faults.ts';
import { loadServiceDefinition, tooLarge } from './service-definition.ts';
import { subscribe } from './subscribe.ts';
import { getSchema, getTopic } from './topics.ts';

/** The service on connections that somebody else accepts. */
export interface GrpcServer {
  accept(socket: Socket): void;
  /** TLS begins on this connection. */
  acceptTls(socket: Socket, pair: KeyPair): void;
  /** Ends every call with UNAVAILABLE and lets go of the connections as soon as clients have read that. */
  hangUp(): void;
  close(): void;
}

/** As documented: "up to 1,000 concurrent streams per channel". */
const streamsPerConnectionMax = 1000;

type AnyCall = ServerUnaryCall<unknown, unknown> | ServerDuplexStream<unknown, unknown>;

/**
 * Binds the RPCs to grpc-js.
 *
 * @param drop  Breaks the connection of a client, by its address and port.
 */
export async function createGrpcServer(context: PubSubContext, drop: (peer: string) => void): Promise<GrpcServer> {
  const [grpc, definition] = await Promise.all([import('@grpc/grpc-js'), loadServiceDefinition()]);
  const open = new Set<(error: PubSubError) => void>();

  function header(metadata: Metadata, name: string): string | undefined {
    const [value] = metadata.get(name);
    return typeof value === 'string' ? value : undefined;
  }

  /** As the service reports an error: status, text with the rpc's id, and the code in a trailer. */
  function statusOf(error: unknown, rpcId: string) {
    const known =
      error instanceof PubSubError ? error : new PubSubError('subscription.internal.error', { message: String(error) });
    const metadata = new grpc.Metadata();
    const code = grpcStatus[known.status];
    if (known.errorCode === undefined) return { code, details: known.message, metadata };
    metadata.set('error-code', known.errorCode);
    metadata.set('rpc-id', rpcId);
    return { code, details: `${known.message} rpcId: ${rpcId}`, metadata };
  }

  function identify(call: AnyCall, rpc: string, rpcId: string, fail: (error: PubSubError) => void): Call {
    const session = authenticate((name) => header(call.metadata, name), context);
    return { rpc, rpcId, userId: session.userId, token: session.token, fail, drop: () => drop(call.getPeer()) };
  }

  /** `answer` returns `undefined` for a call that is never answered. */
  function unary<Request>(rpc: string, answer: (call: Call, request: Request) => unknown): handleUnaryCall<Request, unknown> {
    return (call, callback) => {
      const rpcId = randomUUID();
      const forget = () => open.delete(fail);
      const fail = (error: unknown) => {
        forget();
        callback(statusOf(error, rpcId));
      };
      open.add(fail);
      call.on('cancelled', forget);
      try {
        if ((call.request as unknown) === tooLarge) throw resetByGateway();
        const reply = answer(identify(call as AnyCall, rpc, rpcId, fail), call.request);
        if (reply === undefined) return;
        forget();
        callback(null, reply);
      } catch (error) {
        fail(error);
      }
    };
  }

  function stream<Request, Response>(
    rpc: string,
    begin: (call: StreamCall<Response>, context: PubSubContext) => StreamHandler<Request>,
  ): handleBidiStreamingCall<Request, Response> {
    return (duplex) => {
      const rpcId = randomUUID();
      let handler: StreamHandler<Request> | undefined;
      let over = false;
      const finish = () => {
        if (over) return false;
        over = true;
        open.delete(fail);
        handler?.closed();
        return true;
      };
      const fail = (error: unknown) => {
        if (finish()) duplex.emit('error', statusOf(error, rpcId));
      };
      const attempt = (work: () => void) => {
        try {
          if (!over) work();
        } catch (error) {
          fail(error);
        }
      };
      open.add(fail);
      duplex.on('cancelled', finish);
      duplex.on('error', finish);
      attempt(() => {
        const call: StreamCall<Response> = {
          ...identify(duplex as AnyCall, rpc, rpcId, fail),
          send: (response) => over || duplex.write(response),
          end() {
            if (finish()) duplex.end();
          },
        };
        handler = begin(call, context);
      });
      duplex.on('data', (message: Request) =>
        attempt(() => {
          if ((message as unknown) === tooLarge) throw resetByGateway();
          handler?.request(message);
        }),
      );
      duplex.on('drain', () => attempt(() => handler?.drained()));
      duplex.on('end', () => attempt(() => handler?.halfClosed()));
    };
  }

  /** A unary call that faults may strike; `topic` is what they are matched by. */
  function struck<Request>(rpc: string, topic: (request: Request) => string, answer: (call: Call, request: Request) => unknown) {
    return unary<Request>(rpc, (call, request) => {
      const { error, silent } = strikeRpc(context, call, topic(request));
      if (error) throw error;
      return silent ? undefined : answer(call, request);
    });
  }

  const service = {
    Subscribe: stream('Subscribe', subscribe),
    ManagedSubscribe: stream('ManagedSubscribe', managedSubscribe),
    PublishStream: stream('PublishStream', publishStream),
    Publish: unary<PublishRequest>('Publish', (call, request) => {
      const published = publish(call, context, request);
      if (published === 'connection lost') call.drop();
      return typeof published === 'string' ? undefined : published;
    }),
    GetTopic: struck<TopicRequest>(
      'GetTopic',
      ({ topicName }) => topicName,
      (call, { topicName }) => getTopic(context, call, topicName),
    ),
    GetSchema: struck<SchemaRequest>(
      'GetSchema',
      () => '',
      (call, { schemaId }) => getSchema(context, call, schemaId),
    ),
  };

  const server: Server = new grpc.Server({
    'grpc.max_concurrent_streams': streamsPerConnectionMax,
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
    'grpc.enable_channelz': 0,
  });
  server.addService(definition, service as UntypedServiceImplementation);
  const plain = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  let tls: typeof plain | undefined;
  return {
    accept: (socket) => plain.injectConnection(socket),
    acceptTls(socket, { key, certificate }) {
      tls ??= server.createConnectionInjector(
        grpc.ServerCredentials.createSsl(null, [{ private_key: Buffer.from(key), cert_chain: Buffer.from(certificate) }]),
      );
      tls.injectConnection(socket);
    },
    hangUp() {
      for (const fail of [...open]) fail(new PubSubError('service.unavailable'));
      plain.destroy();
      tls?.destroy();
    },
    close: () => server.forceShutdown(),
  };
}

const resetByGateway = () =>
  new PubSubError(undefined, {
    message: 'upstream connect error or disconnect/reset before headers. reset reason: remote reset',
  });
