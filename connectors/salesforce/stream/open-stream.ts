import {
  backoffMs,
  CheckpointExpiredError,
  type ConnectorContext,
  type EventStream,
  RequestRefusedError,
  type RetryPolicy,
  type StreamSpec,
} from '@tidemark/core';
import type { Client } from '../client.ts';
import { type Config, isLoopback } from '../config.ts';
import type { Describes } from '../describe.ts';
import type { Session } from '../login-flows.ts';
import { createCometdTransport } from './cometd-transport.ts';
import { createDecoder } from './decode-event.ts';
import { errorOfFault, reactionTo } from './event-errors.ts';
import { createEventPlans } from './event-plans.ts';
import { createEventStream, isUnreachable } from './event-stream.ts';
import { createGrpcClient } from './grpc-client.ts';
import { earliest, readPosition } from './position.ts';
import { createPubSubTransport } from './pubsub-transport.ts';
import { shareGrpcClient } from './shared-channels.ts';
import { StreamFault, type Transport, type TransportName } from './transport.ts';

/** Makes a transport in place of the real one: how a simulation binds an event bus in its own process. Null: not to be reached that way. */
export type OpenTransport = (name: TransportName, session: () => Promise<Session>, context: ConnectorContext) => Transport | null;

export interface StreamConnection {
  readonly config: Config;
  readonly context: ConnectorContext;
  readonly client: Client;
  readonly describes: Describes;
  readonly openTransport?: OpenTransport | undefined;
}

/** Tries of a first question; whoever opens the stream tries again too. */
const probePolicy: RetryPolicy = { attemptsMax: 3, delayMs: 500, delayMsMax: 5_000 };

/** How long Pub/Sub alone may be out of reach before CometD takes over, which costs a reread. */
const giveUpMs = 10 * 60_000;

/** `Connection.openStream`: by Pub/Sub or CometD, as the configuration and a kept position say. */
export async function openStream(connection: StreamConnection, spec: StreamSpec, signal: AbortSignal): Promise<EventStream> {
  const { config, context, client, describes } = connection;
  const topic = spec.channel ?? config.channel;
  const position = spec.position === null ? null : readPosition(spec.position);
  if (position !== null && config.stream !== 'auto' && config.stream !== position.transport) {
    throw new CheckpointExpiredError(
      `the position is one of ${position.transport}, and the stream now comes by ${config.stream}`,
    );
  }
  const { organizationId } = await client.session();
  let used: Session | null = null;
  const parts: TransportParts = {
    ...connection,
    session: async () => {
      used = await client.session();
      return used;
    },
    renew: async () => {
      used = await (used === null ? client.session() : client.renew(used));
    },
  };
  const wanted = position?.transport ?? config.stream;
  const transport = wanted === 'auto' ? await chooseTransport(parts, topic, signal) : makeTransport(parts, wanted);
  try {
    if (transport === null) throw noEndpoint();
    const mayGiveUp = config.stream === 'auto' && transport.name === 'pubsub';
    // Who goes on where another way may do in the end is not stopped here: the stream counts for how long this one is closed.
    if (wanted !== 'auto' && !mayGiveUp) await probe(parts, transport, topic, signal);
    const plans = createEventPlans({
      loadSchema: (id, abort) => transport.schema(id, abort),
      needsSchema: transport.name === 'pubsub',
      describes,
      context,
    });
    return createEventStream({
      transport,
      topic,
      after: position?.replayId ?? (spec.start === 'earliest' ? earliest : null),
      decoder: createDecoder(plans, spec.datasets),
      origin: organizationId,
      nowMs: () => client.time.now(),
      context,
      renew: parts.renew,
      giveUp: mayGiveUp ? { afterMs: giveUpMs, orgAnswers: (abort) => orgAnswers(client, abort) } : null,
      keepSchema: spec.raw ? (id, dataset, abort) => plans.keep(id, dataset, abort) : undefined,
    });
  } catch (error) {
    await transport?.[Symbol.asyncDispose]();
    throw error;
  }
}

interface TransportParts extends StreamConnection {
  session(): Promise<Session>;
  renew(): Promise<void>;
}

/** Null: Pub/Sub has no address here. */
function makeTransport(parts: TransportParts, name: TransportName): Transport | null {
  const { config, context, client, session } = parts;
  if (parts.openTransport !== undefined) return parts.openTransport(name, session, context);
  if (name === 'cometd') {
    return createCometdTransport({ client, session, fetch: context.fetch, clock: context.clock, apiVersion: config.apiVersion });
  }
  const endpoint = pubsubEndpointOf(config);
  const connect = config.auth.flow === 'web-server' ? shareGrpcClient : createGrpcClient;
  return endpoint === null ? null : createPubSubTransport(endpoint, session, context.clock, connect);
}

/** An emulator's token goes to no host of Salesforce. */
export function pubsubEndpointOf({ pubsubEndpoint, loginUrl }: Pick<Config, 'pubsubEndpoint' | 'loginUrl'>): string | null {
  if (pubsubEndpoint !== undefined) return pubsubEndpoint;
  return isLoopback(new URL(loginUrl).hostname) ? null : 'api.pubsub.salesforce.com:7443';
}

/** Pub/Sub unless it cannot be reached, which a firewall that knows only HTTPS to the org will see to. */
async function chooseTransport(parts: TransportParts, topic: string, signal: AbortSignal): Promise<Transport> {
  const pubsub = makeTransport(parts, 'pubsub');
  if (pubsub !== null) {
    try {
      await probe(parts, pubsub, topic, signal);
      return pubsub;
    } catch (error) {
      await pubsub[Symbol.asyncDispose]();
      const fault = error instanceof Error && error.cause instanceof StreamFault ? error.cause : null;
      if (!isUnreachable(fault)) throw error;
      const { connection } = parts.context;
      parts.context.log.warn({ connection, reason: fault!.message }, 'the Pub/Sub API cannot be reached: events come by CometD');
    }
  }
  const cometd = makeTransport(parts, 'cometd');
  if (cometd === null) throw noEndpoint();
  return cometd;
}

/** @throws a SyncError whose cause is the fault */
async function probe(parts: TransportParts, transport: Transport, topic: string, signal: AbortSignal): Promise<void> {
  const { clock, random } = parts.context;
  for (let attempt = 1; ; attempt++) {
    try {
      return await transport.probe(topic, signal);
    } catch (error) {
      if (!(error instanceof StreamFault)) throw error;
      const { action } = reactionTo(error);
      const worthwhile = action === 'login' || action === 'again' || action === 'crowded';
      if (!worthwhile || attempt >= probePolicy.attemptsMax) throw errorOfFault(error, `opening ${topic}`);
      if (action === 'login') await parts.renew();
      else await clock.sleep(backoffMs(attempt, probePolicy, random), signal);
    }
  }
}

async function orgAnswers(client: Client, signal: AbortSignal): Promise<boolean> {
  try {
    await client.request({ method: 'GET', path: '/services/data', about: 'asking whether the org answers', signal });
    return true;
  } catch {
    return false;
  }
}

function noEndpoint(): RequestRefusedError {
  return new RequestRefusedError('there is no address of the Pub/Sub API for this org', {
    hint: 'Set pubsubEndpoint to where it listens (an emulator prints it), or `stream: cometd`',
  });
}
