import type { Channel, ChannelEvent } from '../events/types.ts';
import type { RollingLimit } from '../limits/rolling-limit.ts';
import { errors } from './errors.ts';
import { BayeuxError, type MessageData, type StreamChannel } from './types.ts';

/** Platform events name themselves from this version on (Platform Events guide, "EventUuid"). */
const eventUuidSince = 52;

/** A channel of the event bus, in the words of CometD. @throws {BayeuxError} the user may not subscribe. */
export function busChannel(channel: Channel, userId: string, allocation: RollingLimit): StreamChannel {
  if (!channel.canSubscribe(userId)) throw new BayeuxError(channel.kind === 'change' ? errors.noViewAll : errors.restricted);
  return {
    name: channel.topic,
    allocation,
    namesClient: false,
    resolve: (replayId) => channel.resolve(replayId === -1 ? 'latest' : replayId === -2 ? 'earliest' : replayId),
    read(after, max, user) {
      const { events, next } = channel.read(after, max, user);
      return { events: events.map((event) => ({ data: (version) => dataOf(event, channel.kind, version) })), next };
    },
  };
}

function dataOf(event: ChannelEvent, kind: Channel['kind'], apiVersion: number): MessageData {
  const named = kind === 'platform' && apiVersion >= eventUuidSince;
  try {
    return {
      schema: event.schemaId,
      payload: event.json(),
      event: { replayId: event.replayId, ...(named ? { EventUuid: event.uuid, EventApiName: event.eventName } : {}) },
    };
  } catch {
    // Bytes that a Pub/Sub client published against their schema: there is nothing that JSON could say of them.
    return undefined;
  }
}
