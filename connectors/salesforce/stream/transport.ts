/**
 * How events get here: the port behind which Pub/Sub and CometD are alike, and to which a simulation binds an event bus in its own
 * process. A transport knows nothing of records; it brings messages and says why it has ended.
 */
export interface Transport extends AsyncDisposable {
  /** Part of every position: replay ids of one transport mean nothing to another. */
  readonly name: TransportName;
  /** A message that does not say whether more is there, and none after it for so long: there is nothing. */
  readonly lullMs: number;
  /** @throws {StreamFault} not reachable, no such topic, no right to it */
  probe(topic: string, signal: AbortSignal): Promise<void>;
  /**
   * Begins strictly after a replay id, or with what is published from now on. Nothing is sent before the first `request`.
   * @param after  the transport's own text of a replay id, or `earliest`; null for now
   */
  subscribe(topic: string, after: string | null): Subscription;
  /** The Avro schema of this id, as JSON. @throws {StreamFault} */
  schema(id: string, signal: AbortSignal): Promise<string>;
}

export type TransportName = 'pubsub' | 'cometd';

/** One connection's worth of a stream. */
export interface Subscription {
  /**
   * Messages in the order of their replay ids. Ends when the server closed it in an orderly way, as it does when nothing was
   * requested for a while. @throws {StreamFault} it ended in any other way
   */
  readonly messages: AsyncIterable<StreamMessage>;
  /** Resolves once the server has certainly taken note of the first request; never, when it does not come to that. */
  readonly begun: Promise<void>;
  /** So many events more may come. Never more than `outstandingMax` are under way: the caller counts. */
  request(events: number): void;
  /** Idempotent. Messages end. */
  close(): void;
}

/** What the Pub/Sub API has under way at most: more is taken for this (Pub/Sub API guide, "Pull Subscription and Flow Control"). */
export const outstandingMax = 100;

export interface StreamMessage {
  /** None in a keepalive. */
  readonly events: readonly RawEvent[];
  /** Replay id to go on from once all events so far are kept; only a keepalive's is used. Null where keepalives have none. */
  readonly latest: string | null;
  /** Events asked for and not sent: more than none says that there was nothing more to send. */
  readonly pending: number;
}

export interface RawEvent {
  /** Base64 of Pub/Sub's bytes, the digits of CometD's number. */
  readonly replayId: string;
  /** A UUID; empty where the transport has none. */
  readonly id: string;
  readonly schemaId: string;
  /** Of a platform event that comes as JSON: `Order_Shipped__e`. */
  readonly name?: string;
  /** Avro binary, or the JSON rendering of the same event. */
  readonly payload: Uint8Array | JsonPayload;
}

export type JsonPayload = { readonly [name: string]: unknown };

/** Why a call or a stream has ended. What is to be done about it: `event-errors.ts`. */
export class StreamFault extends Error {
  /** Salesforce's own: what follows `sfdc.platform.eventbus.grpc.`, or `403::Unknown client` up to its words. Empty when there is none. */
  readonly code: string;
  /** Name of the gRPC status, e.g. `UNAVAILABLE`; for CometD the one that means the same. */
  readonly status: string;
  constructor(fault: { code: string; status: string; message: string; cause?: unknown }) {
    super(fault.message, fault.cause === undefined ? {} : { cause: fault.cause });
    this.name = 'StreamFault';
    this.code = fault.code;
    this.status = fault.status;
  }
}
