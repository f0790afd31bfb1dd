import { createHash, randomUUID } from 'node:crypto';
import avsc from 'avsc';
import { type Channel, type ChannelEvent, type EventBus, type EventSchema, InvalidReplayIdError } from '../events/types.ts';
import type { OrgClock } from '../org/types.ts';

const retentionMs = 72 * 3600 * 1000;

/**
 * A bus with one platform event, for what a transport must do with any bus: its replay ids have gaps, its other topic
 * moves them on, what it holds is what a test put there.
 */
export interface BusFixture extends EventBus {
  /** Appends events whose `N__c` counts up, and returns their replay ids. */
  append(count: number, payload?: (n: number) => Uint8Array): number[];
  /** Something that happened elsewhere: only the newest replay id moves. */
  elsewhere(): void;
  allowed: { subscribe: boolean; publish: boolean };
  gone: boolean;
  readonly type: avsc.Type;
}

export const fixtureTopic = '/event/Counted__e';

export function createBusFixture(clock: OrgClock): BusFixture {
  const type = avsc.Type.forSchema({
    type: 'record',
    name: 'Counted__e',
    fields: [
      { name: 'CreatedDate', type: 'long' },
      { name: 'CreatedById', type: 'string' },
      { name: 'N__c', type: ['null', 'double'], default: null },
    ],
  });
  const json = JSON.stringify(type);
  const schema: EventSchema = { id: createHash('md5').update(json).digest('base64url'), json };
  const listeners = new Set<() => void>();
  const events: ChannelEvent[] = [];
  const before = 1_000;
  let latest = before;
  const retained = () => events.filter((event) => event.publishedAtMs > clock.now() - retentionMs);
  const tell = () => {
    for (const listener of [...listeners]) listener();
  };
  const add = (payload: Uint8Array) => {
    latest += 1 + (events.length % 3);
    events.push({
      replayId: latest,
      schemaId: schema.id,
      eventName: 'Counted__e',
      uuid: randomUUID(),
      publishedAtMs: clock.now(),
      payload: () => payload,
      json: () => type.fromBuffer(Buffer.from(payload)) as Record<string, unknown>,
    });
    return latest;
  };
  const channel: Channel = {
    topic: fixtureTopic,
    kind: 'platform',
    schema: () => schema,
    canSubscribe: () => bus.allowed.subscribe,
    canPublish: () => bus.allowed.publish,
    resolve(position) {
      if (position === 'latest') return latest;
      if (position === 'earliest') return (retained()[0]?.replayId ?? latest + 1) - 1;
      // A keepalive tells positions at which no event lies, the one before the first event among them.
      if (position < before || position > latest) throw new InvalidReplayIdError('not a replay id of this bus');
      const expired = events.findLast(({ publishedAtMs }) => publishedAtMs <= clock.now() - retentionMs);
      if (expired && position <= expired.replayId) throw new InvalidReplayIdError('past retention');
      return position;
    },
    read(after, max) {
      let first = 0;
      let end = events.length;
      while (first < end) {
        const middle = (first + end) >> 1;
        if ((events[middle] as ChannelEvent).replayId <= after) first = middle + 1;
        else end = middle;
      }
      const read = events.slice(first, first + max);
      return { events: read, next: read.at(-1)?.replayId ?? after };
    },
  };
  const bus: BusFixture = {
    type,
    gone: false,
    allowed: { subscribe: true, publish: true },
    append(count, payload) {
      const ids = Array.from({ length: count }, () => {
        const n = events.length + 1;
        return add(payload?.(n) ?? type.toBuffer({ CreatedDate: clock.now(), CreatedById: '005', N__c: n }));
      });
      tell();
      return ids;
    },
    elsewhere() {
      latest += 5;
    },
    channel: (topic) => (topic === fixtureTopic && !bus.gone ? channel : undefined),
    channels: () => [channel],
    schema: (id) => (id === schema.id ? schema : undefined),
    publish(_topic, published) {
      const outcomes = published.map((event) => {
        if (!('payload' in event)) throw new Error('this bus takes Avro only');
        if (event.schemaId !== schema.id) return { error: { code: 'INVALID', message: 'unknown schema' } };
        return { replayId: add(event.payload), uuid: randomUUID() };
      });
      tell();
      return outcomes;
    },
    onAppend(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    latestReplayId: () => latest,
    replayBytes(replayId) {
      const bytes = Buffer.alloc(10);
      bytes.writeBigUInt64BE(BigInt(replayId));
      return bytes;
    },
    replayIdOf(bytes) {
      if (bytes.length !== 8 && bytes.length !== 10) throw new InvalidReplayIdError('8 or 10 bytes');
      return Number(Buffer.from(bytes).readBigUInt64BE());
    },
    selectForChangeEvents: unused,
    selectedForChangeEvents: () => [],
    defineChannel: unused,
    removeChannel: unused,
    customChannels: () => [],
    emitGap: unused,
    emitOverflow: unused,
    definePlatformEvent: unused,
    platformEvents: () => [],
  };
  return bus;
}

function unused(): never {
  throw new Error('not part of this bus');
}
