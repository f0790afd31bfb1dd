import { EventEmitter } from 'node:events';
import type { Random } from '@tidemark/core';
import type { Emulator } from '@tidemark/emulator';
import type { Life, Scheduler } from '@tidemark/testkit/simulation';
import { type FetchRequest, faultOf, type GrpcClient } from '../../connectors/salesforce/stream/grpc-client.ts';
import type { StreamMessage } from '../../connectors/salesforce/stream/transport.ts';
import { authenticate } from '../../emulator/src/pubsub/authenticate.ts';
import type { PubSubContext } from '../../emulator/src/pubsub/context.ts';
import { grpcStatus, PubSubError } from '../../emulator/src/pubsub/errors.ts';
import type { FetchRequest as ServerRequest, FetchResponse as ServerResponse } from '../../emulator/src/pubsub/messages.ts';
import { subscribe } from '../../emulator/src/pubsub/subscribe.ts';
import { getSchema, getTopic } from '../../emulator/src/pubsub/topics.ts';
import { latency } from '../lib/network.ts';
import type { Faults } from './plan.ts';

/** The emulator's own Pub/Sub service, in the world's time. */
export function pubsubOf(emulator: Emulator, scheduler: Scheduler, org: Life): PubSubContext {
  return {
    org: emulator.org,
    bus: emulator.events,
    sessions: emulator.sessions,
    faults: emulator.faults,
    managed: emulator.managedSubscriptions,
    deliveries: { spend: () => true },
    timers: {
      after: (ms, call) =>
        scheduler.after(org, 'pubsub wait', ms, () => {
          call();
          return undefined;
        }),
    },
    waits: { keepaliveMs: 270_000, idleCloseMs: 60_000, publishIdleMs: 1_800_000 },
  };
}

export interface GrpcWorld {
  readonly service: PubSubContext;
  readonly scheduler: Scheduler;
  readonly random: Random;
  faultsNow(): Faults | null;
  /** Streams that are open, as their clients believe. */
  readonly open?: Set<OpenCall>;
  /**
   * Lives whose last message used up all that they had asked for: more of its transaction may follow, and after a second of silence
   * none does. Worlds that claim P6 keep this, and let no stream of these fall silent.
   */
  readonly inDoubt?: WeakSet<Life>;
}

export interface OpenCall {
  readonly life: Life;
  /** Something has come of it, and more may come. */
  readonly isHeard: boolean;
  /** The connection is dead and neither side knows. */
  fallSilent(): void;
}

/** Faults that a world knows nothing of leave its random numbers as they are. */
const strikes = (random: Random, chance: number | undefined): boolean => chance !== undefined && random() < chance;

/** A server that sends something twice does so soon. */
const repeatableMax = 5;

type Session = Parameters<GrpcClient['getTopic']>[1];

/** A client whose calls reach the service through the world's network instead of a socket. */
export function simulatedGrpc(world: GrpcWorld, life: Life): GrpcClient {
  const { service, scheduler, random } = world;
  const header = (session: Session) => (name: string) =>
    ({ accesstoken: session.accessToken, instanceurl: session.instanceUrl, tenantid: session.organizationId })[name];
  const unary = async <T>(rpc: string, session: Session, answer: (call: Parameters<typeof getTopic>[1]) => T): Promise<T> => {
    const faults = world.faultsNow();
    const lost =
      strikes(random, rpc === 'GetSchema' ? faults?.stream.schemaLost : undefined) || random() < (faults?.http.lost ?? 0);
    try {
      return await scheduler.outside(
        life,
        `${rpc}${lost ? ' is lost' : ''}`,
        () => {
          if (lost) throw new PubSubError(undefined);
          const { userId, token } = authenticate(header(session), service);
          return answer({ rpc, rpcId: 'rpc', userId, token, fail() {}, drop() {} });
        },
        { beforeMs: latency(random), afterMs: latency(random) },
      );
    } catch (error) {
      throw faultOf(statusOf(error), statusNames);
    }
  };
  return {
    getTopic: (topic, session) => unary('GetTopic', session, (call) => getTopic(service, call, topic)),
    getSchema: (id, session) => unary('GetSchema', session, (call) => getSchema(service, call, id)),
    subscribe: (session) => new SimulatedCall(world, life, header(session)) as unknown as ReturnType<GrpcClient['subscribe']>,
    close() {},
  };
}

/** One stream between client and service: messages keep their order in each direction and take their time. */
class SimulatedCall extends EventEmitter implements OpenCall {
  readonly life: Life;
  readonly #world: GrpcWorld;
  readonly #up: Pipe<FetchRequest>;
  readonly #down: Pipe<ServerResponse | PubSubError | 'end'>;
  #handler: ReturnType<typeof subscribe> | null = null;
  isHeard = false;
  #isSilent = false;
  #asked = false;
  #over = false;
  /** The last messages with events, of which one may be sent again. */
  readonly #sent: ServerResponse[] = [];

  constructor(world: GrpcWorld, life: Life, header: (name: string) => string | undefined) {
    super();
    this.#world = world;
    this.life = life;
    world.open?.add(this);
    this.#up = new Pipe(world, life, 'stream request', (request) => this.#ask(request, header));
    this.#down = new Pipe(world, life, 'stream message', (message) => this.#deliver(message));
    life.onAbandoned(() => this.#leave());
  }

  write(request: FetchRequest): boolean {
    if (this.#over || this.#isSilent) return true;
    const { random, faultsNow } = this.#world;
    const isHeld = !this.#asked && strikes(random, faultsNow()?.stream.held);
    this.#asked = true;
    this.#up.push(request, isHeld ? random() * 60_000 : 0);
    return true;
  }

  cancel(): void {
    this.#leave();
  }

  #ask(request: FetchRequest, header: (name: string) => string | undefined): void {
    if (this.#over || this.#isSilent) return;
    const { service } = this.#world;
    try {
      if (this.#handler === null) {
        const { userId, token } = authenticate(header, service);
        this.#handler = subscribe(
          {
            rpc: 'Subscribe',
            rpcId: 'rpc',
            userId,
            token,
            fail: (error) => this.#down.push(error),
            drop: () => this.#down.push(new PubSubError(undefined)),
            send: (response) => {
              this.#send(response);
              return true;
            },
            end: () => this.#down.push('end'),
          },
          service,
        );
      }
      const { replayPreset = 'LATEST', replayId = new Uint8Array() } = request;
      this.#handler.request({ ...request, replayPreset, replayId, authRefresh: '' } satisfies ServerRequest);
    } catch (error) {
      this.#handler?.closed();
      this.#handler = null;
      this.#down.push(
        error instanceof PubSubError ? error : new PubSubError('subscription.internal.error', { message: String(error) }),
      );
    }
  }

  #send(response: ServerResponse): void {
    const { random } = this.#world;
    this.#down.push(response);
    if (strikes(random, this.#world.faultsNow()?.stream.repeatedLate)) {
      const earlier = this.#sent[Math.floor(random() * this.#sent.length)];
      if (earlier !== undefined) this.#down.push({ ...response, events: earlier.events });
    }
    if (response.events.length === 0) return;
    this.#sent.push(response);
    if (this.#sent.length > repeatableMax) this.#sent.shift();
  }

  #deliver(message: ServerResponse | PubSubError | 'end'): void {
    if (this.#over || this.#isSilent) return;
    if (message === 'end') this.#finish({ code: 0, details: '', metadata: noMetadata });
    else if (message instanceof PubSubError) this.#finish(statusOf(message));
    else this.#bring(message);
  }

  #bring(message: ServerResponse): void {
    const { random } = this.#world;
    const faults = this.#world.faultsNow()?.stream;
    if (random() < (faults?.silent ?? 0) && this.#world.inDoubt?.has(this.life) !== true) {
      this.fallSilent();
    } else if (random() < (faults?.cut ?? 0)) {
      this.#say('is cut');
      this.#finish(statusOf(new PubSubError(undefined)));
    } else {
      this.isHeard = true;
      if (message.pendingNumRequested === 0) this.#world.inDoubt?.add(this.life);
      else this.#world.inDoubt?.delete(this.life);
      this.emit('data', asClient(message));
      if (random() < (faults?.repeated ?? 0) && !this.#over) this.emit('data', asClient(message));
    }
  }

  fallSilent(): void {
    this.#isSilent = true;
    this.isHeard = false;
    this.#say('falls silent');
  }

  #say(what: string): void {
    const { scheduler } = this.#world;
    scheduler.history.add(`${scheduler.now()} ${this.life.name} the stream ${what}`);
  }

  #finish(status: Status): void {
    this.#leave();
    if (status.code !== 0) this.emit('error', Object.assign(new Error(status.details), status));
    this.emit('status', status);
  }

  #leave(): void {
    if (this.#over) return;
    this.#over = true;
    this.#world.open?.delete(this);
    this.#up.close();
    this.#down.close();
    this.#handler?.closed();
  }
}

/** Keeps the order of what goes through it. */
class Pipe<T> {
  readonly #world: GrpcWorld;
  readonly #life: Life;
  readonly #what: string;
  readonly #arrived: (item: T) => void;
  readonly #items: { readonly item: T; readonly heldMs: number }[] = [];
  #cancel: (() => void) | null = null;
  #closed = false;

  constructor(world: GrpcWorld, life: Life, what: string, arrived: (item: T) => void) {
    this.#world = world;
    this.#life = life;
    this.#what = what;
    this.#arrived = arrived;
  }

  push(item: T, heldMs = 0): void {
    if (this.#closed) return;
    this.#items.push({ item, heldMs });
    this.#send();
  }

  close(): void {
    this.#closed = true;
    this.#items.length = 0;
    this.#cancel?.();
    this.#cancel = null;
  }

  #send(): void {
    if (this.#cancel !== null || this.#items.length === 0) return;
    const { random, scheduler } = this.#world;
    const slow = random() < (this.#world.faultsNow()?.stream.slow ?? 0);
    const delayMs = this.#items[0]!.heldMs + (slow ? random() * 5000 : latency(random));
    this.#cancel = scheduler.after(this.#life, this.#what, delayMs, () => {
      this.#cancel = null;
      this.#arrived(this.#items.shift()!.item);
      this.#send();
      return undefined;
    });
  }
}

interface Status {
  readonly code: number;
  readonly details: string;
  readonly metadata: Parameters<typeof faultOf>[0]['metadata'];
}

const noMetadata = { get: () => [] } as unknown as Status['metadata'];

function statusOf(error: unknown): Status {
  if (!(error instanceof PubSubError)) throw error;
  const { errorCode } = error;
  const metadata = errorCode === undefined ? noMetadata : ({ get: () => [errorCode] } as unknown as Status['metadata']);
  return { code: grpcStatus[error.status], details: error.message, metadata };
}

const statusNames: Record<number, string> = Object.fromEntries(Object.entries(grpcStatus).map(([name, code]) => [code, name]));

function asClient({ events, latestReplayId, pendingNumRequested }: ServerResponse): StreamMessage {
  const text = (replayId: Uint8Array) => Buffer.from(replayId).toString('base64');
  return {
    events: events.map(({ event, replayId }) => ({ ...event, payload: Buffer.from(event.payload), replayId: text(replayId) })),
    latest: latestReplayId.length === 0 ? null : text(latestReplayId),
    pending: pendingNumRequested,
  };
}
