import { fileURLToPath } from 'node:url';
import type { ClientDuplexStream, ServiceClientConstructor, ServiceDefinition, ServiceError, StatusObject } from '@grpc/grpc-js';
import { isLoopback } from '../config.ts';
import type { Session } from '../login-flows.ts';
import { FetchResponseReader } from './fetch-response.ts';
import { StreamFault, type StreamMessage } from './transport.ts';

/** As proto-loader makes it of `pubsub_api.proto`. */
export interface FetchRequest {
  readonly topicName: string;
  readonly replayPreset?: 'LATEST' | 'EARLIEST' | 'CUSTOM';
  readonly replayId?: Uint8Array;
  readonly numRequested: number;
}
export interface TopicInfo {
  readonly canSubscribe: boolean;
  readonly schemaId: string;
}

export interface GrpcClient {
  getTopic(topicName: string, session: Session): Promise<TopicInfo>;
  getSchema(schemaId: string, session: Session): Promise<{ readonly schemaJson: string }>;
  subscribe(session: Session): ClientDuplexStream<FetchRequest, StreamMessage>;
  close(): void;
}

/** Events of up to 1 MB come up to a hundred at a time, in messages that gRPC's default of 4 MB would refuse. */
const messageBytesMax = 128 * 1024 * 1024;

/** A connection is asked for a sign of life this often, so that one that has died in silence is noticed. */
const pingMs = 60_000;

interface Library {
  readonly grpc: typeof import('@grpc/grpc-js');
  readonly PubSub: ServiceClientConstructor;
}
let library: Promise<Library> | undefined;

/** Loaded by the first stream: a process that only polls never pays for it. */
async function loadLibrary(): Promise<Library> {
  const [grpc, { load }] = await Promise.all([import('@grpc/grpc-js'), import('@grpc/proto-loader')]);
  const file = fileURLToPath(new URL('./pubsub_api.proto', import.meta.url));
  const definition = await load(file, { defaults: true, enums: String, longs: Number });
  const { Subscribe } = definition['eventbus.v1.PubSub'] as ServiceDefinition;
  const reader = new FetchResponseReader();
  Subscribe!.responseDeserialize = (bytes) => reader.read(bytes);
  const { eventbus } = grpc.loadPackageDefinition(definition) as unknown as {
    eventbus: { v1: { PubSub: ServiceClientConstructor } };
  };
  return { grpc, PubSub: eventbus.v1.PubSub };
}

/**
 * The service at `host:port`. TLS, unless the host is this machine: an emulator has no certificate that anybody trusts.
 * `https://` asks for TLS there too. Proxies are as grpc-js takes them from the environment.
 */
export async function createGrpcClient(endpoint: string): Promise<GrpcClient> {
  library ??= loadLibrary();
  const { grpc, PubSub } = await library;
  const { address, tls } = readEndpoint(endpoint);
  const credentials = tls ? grpc.credentials.createSsl() : grpc.credentials.createInsecure();
  const client = new PubSub(address, credentials, {
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.keepalive_time_ms': pingMs,
    // Tries of one call are ours to count, and a shared connection would outlive the one that closes it.
    'grpc.enable_retries': 0,
    'grpc.use_local_subchannel_pool': 1,
  });

  function metadata({ accessToken, instanceUrl, organizationId }: Session) {
    const headers = new grpc.Metadata();
    headers.set('accesstoken', accessToken);
    headers.set('instanceurl', instanceUrl);
    headers.set('tenantid', organizationId);
    return headers;
  }

  function ask<T>(method: 'GetTopic' | 'GetSchema', request: object, session: Session): Promise<T> {
    return new Promise((resolve, reject) => {
      (client[method] as (...args: unknown[]) => unknown).call(
        client,
        request,
        metadata(session),
        (error: ServiceError | null, reply: T) => (error === null ? resolve(reply) : reject(faultOf(error, grpc.status))),
      );
    });
  }

  return {
    getTopic: (topicName, session) => ask('GetTopic', { topicName }, session),
    getSchema: (schemaId, session) => ask('GetSchema', { schemaId }, session),
    subscribe: (session) =>
      (client.Subscribe as (...args: unknown[]) => ClientDuplexStream<FetchRequest, StreamMessage>).call(
        client,
        metadata(session),
      ),
    close: () => client.close(),
  };
}

export function readEndpoint(endpoint: string): { readonly address: string; readonly tls: boolean } {
  const [, scheme, address] = /^(?:(https?):\/\/)?([^/]+)\/?$/.exec(endpoint) ?? [undefined, undefined, endpoint];
  const host = address!.replace(/:\d+$/, '');
  return { address: address!, tls: scheme === 'https' || (scheme !== 'http' && !isLoopback(host)) };
}

const codePrefix = 'sfdc.platform.eventbus.grpc.';

/** A call's end as a fault. Its text comes from Salesforce, whose words name topics and no values. */
export function faultOf(end: Pick<StatusObject, 'code' | 'details' | 'metadata'>, names: object): StreamFault {
  const trailer = end.metadata?.get('error-code')[0]?.toString() ?? '';
  const status = (names as Record<number, string>)[end.code] ?? 'UNKNOWN';
  const code = trailer.startsWith(codePrefix) ? trailer.slice(codePrefix.length) : trailer;
  return new StreamFault({ code, status, message: end.details === '' ? status : end.details, cause: undefined });
}
