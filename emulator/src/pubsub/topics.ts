import type { Channel, ReplayPosition } from '../events/types.ts';
import { InvalidReplayIdError } from '../events/types.ts';
import type { Call } from './calls.ts';
import type { PubSubContext } from './context.ts';
import { PubSubError, topicNotFound } from './errors.ts';

/** @throws {PubSubError} there is no such topic, or the user may not subscribe to it. */
export function subscribableChannel(context: PubSubContext, topic: string, userId: string): Channel {
  const channel = context.bus.channel(topic);
  if (!channel) throw topicNotFound(context.org.id, topic);
  if (!channel.canSubscribe(userId)) throw new PubSubError('subscription.topic.cannot.subscribe');
  return channel;
}

/** Where to read from; `undefined` when the replay id was never given out or is past retention. */
export function resolvePosition(channel: Channel, position: () => ReplayPosition): number | undefined {
  try {
    return channel.resolve(position());
  } catch (error) {
    if (error instanceof InvalidReplayIdError) return undefined;
    throw error;
  }
}

export function getTopic(context: PubSubContext, { userId, rpcId }: Call, topic: string) {
  if (topic === '') throw new PubSubError('topic.validation.empty');
  const channel = context.bus.channel(topic);
  if (!channel) throw topicNotFound(context.org.id, topic);
  return {
    topicName: topic,
    tenantGuid: `CORE/prod/${context.org.id}`,
    canPublish: channel.canPublish(userId),
    canSubscribe: channel.canSubscribe(userId),
    schemaId: channel.schema().id,
    rpcId,
  };
}

export function getSchema(context: PubSubContext, { rpcId }: Call, schemaId: string) {
  const schema = schemaId === '' ? undefined : context.bus.schema(schemaId);
  if (!schema) throw new PubSubError('schema.validation.failed');
  return { schemaJson: schema.json, schemaId: schema.id, rpcId };
}
