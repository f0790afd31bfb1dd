import type { StoredEvent } from './event-log.ts';
import { type PlatformEventPlan, platformEventJson } from './platform-event-schema.ts';
import type { ChannelEvent } from './types.ts';

/** A platform event on the bus. Its UUID is its publisher's to know, and stays when it is delivered twice. */
export class PlatformEvent implements ChannelEvent, StoredEvent {
  readonly replayId: number;
  readonly publishedAtMs: number;
  readonly uuid: string;
  readonly plan: PlatformEventPlan;
  readonly bytes: Uint8Array;

  constructor(at: { replayId: number; publishedAtMs: number; uuid: string }, plan: PlatformEventPlan, bytes: Uint8Array) {
    this.replayId = at.replayId;
    this.publishedAtMs = at.publishedAtMs;
    this.uuid = at.uuid;
    this.plan = plan;
    this.bytes = bytes;
  }

  get schemaId(): string {
    return this.plan.codec.schema.id;
  }

  get eventName(): string {
    return this.plan.eventName;
  }

  payload(): Uint8Array {
    return this.bytes;
  }

  /** @throws {Error} when a Pub/Sub client published bytes that are none of this schema: nobody checks them before. */
  json(): Record<string, unknown> {
    return platformEventJson(this.plan, this.bytes);
  }
}
