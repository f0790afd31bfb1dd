import type { PlatformFieldSpec } from '../schema/platform-event.ts';

/**
 * The org's event bus as its transports see it: channels hold events in the order of their replay ids, each subscriber
 * reads on from its own position. Pub/Sub and CometD are two renderings of the same channels.
 */

/** An Avro schema as it stands on the bus. */
export interface EventSchema {
  /** 22 characters: URL-safe base64 of the MD5 of the parsing canonical form. */
  readonly id: string;
  /** The full schema, `doc` and `default` included, as `GetSchema` answers it. */
  readonly json: string;
}

/** One event in one channel, as one user may see it. */
export interface ChannelEvent {
  /** Orders the bus. The wire forms: `replayBytes` (Pub/Sub) and this number itself (CometD). */
  readonly replayId: number;
  readonly schemaId: string;
  /** `AccountChangeEvent`, `Order_Shipped__e`. */
  readonly eventName: string;
  /** A UUID; platform events show it, change events do not. */
  readonly uuid: string;
  readonly publishedAtMs: number;
  /** Raw Avro binary. */
  payload(): Uint8Array;
  /** What CometD sends under `data.payload`: names instead of bitmaps, only what changed, datetimes as text. */
  json(): Record<string, unknown>;
}

/** A position in a channel: strictly after this replay id. */
export type ReplayPosition = number | 'latest' | 'earliest';

export interface Channel {
  /** `/data/AccountChangeEvent`, `/data/ChangeEvents`, `/data/X__chn`, `/event/X__e`. Case matters. */
  readonly topic: string;
  readonly kind: 'change' | 'platform';
  /** Schema that an event of this channel has now; multi-entity channels have none of their own (that of the bus's common header then). */
  schema(): EventSchema;
  /** May this user subscribe; a single-entity change channel wants View All on its object, multi-entity ones are open to all. */
  canSubscribe(userId: string): boolean;
  canPublish(userId: string): boolean;
  /** A numeric position for `position`, fixed now. @throws {InvalidReplayIdError} when it was never given out, or is older than what is retained. */
  resolve(position: ReplayPosition): number;
  /**
   * Events after `after`, at most `max`; those that the user may not see are left out, fields too. `next` is where to
   * read on, ahead of the last event when later ones were left out; it may have a fraction, in the middle of events that
   * share a replay id, which `replayBytes` tells as that id.
   */
  read(after: number, max: number, userId: string): { events: ChannelEvent[]; next: number };
}

/** Never given out, from another org, or past retention: the three are told apart by nobody on the wire. */
export class InvalidReplayIdError extends Error {
  override readonly name = 'InvalidReplayIdError';
}

/** One event to publish: Avro as it comes over Pub/Sub, or fields as they come by REST. */
export type NewEvent =
  /** `id` becomes the event's UUID; one is made when it is absent. */
  { schemaId: string; payload: Uint8Array; id?: string } | { fields: Record<string, unknown> };

export type PublishOutcome = { replayId: number; uuid: string } | { error: { code: string; message: string } };

export interface EventBus {
  /** Undefined: no such topic, or the object is not selected for Change Data Capture. */
  channel(topic: string): Channel | undefined;
  channels(): readonly Channel[];
  schema(id: string): EventSchema | undefined;
  /** Publishes to `/event/X__e`; outcomes in order, one bad event does not hurt others. */
  publish(topic: string, events: readonly NewEvent[], userId: string): PublishOutcome[];
  /** Called after each append (all of a commit's events together), so that waiting subscribers read on. Returns how to stop. */
  onAppend(listener: () => void): () => void;
  /** The newest replay id of the whole bus: what a keepalive says. */
  latestReplayId(): number;
  /** 10 bytes: an 8-byte big-endian counter and two zero bytes, as recorded. */
  replayBytes(replayId: number): Uint8Array;
  /** Reads 8 or 10 bytes. @throws {InvalidReplayIdError} */
  replayIdOf(bytes: Uint8Array): number;

  /** Selects objects for `/data/ChangeEvents` and their own channels (Setup, Change Data Capture). */
  selectForChangeEvents(objects: readonly string[]): void;
  selectedForChangeEvents(): readonly string[];
  /** Adds or replaces a custom channel `X__chn`. */
  defineChannel(channel: CustomChannel): void;
  removeChannel(name: string): void;
  customChannels(): readonly CustomChannel[];
  /** High-volume platform events: `Order_Shipped__e`. */
  definePlatformEvent(event: PlatformEventDefinition): void;
  platformEvents(): readonly PlatformEventDefinition[];

  /** A gap event as Salesforce makes them for its own reasons; `001*` names all records. @throws {TypeError} not selected. */
  emitGap(object: string, type: GapType, recordIds: readonly string[]): void;
  emitOverflow(object: string): void;
}

export type GapType = 'GAP_CREATE' | 'GAP_UPDATE' | 'GAP_DELETE' | 'GAP_UNDELETE';

export interface CustomChannel {
  /** `SalesEvents__chn` */
  name: string;
  label?: string;
  kind: 'change' | 'platform';
  members: readonly ChannelMember[];
}

export interface ChannelMember {
  /** `AccountChangeEvent`, `Order_Shipped__e` */
  eventName: string;
  enrichedFields?: readonly string[];
  /** `Industry = 'Banking'`; on change events tested against the record's current values. */
  filterExpression?: string;
}

export type PlatformEventField = PlatformFieldSpec;

export interface PlatformEventDefinition {
  /** `Order_Shipped__e` */
  name: string;
  label?: string;
  /** Published with the transaction's commit, or at once, even if it is rolled back; at once when absent. */
  publishBehavior?: 'afterCommit' | 'immediately';
  fields: readonly PlatformEventField[];
}
