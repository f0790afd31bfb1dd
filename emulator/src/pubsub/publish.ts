import type { Call, StreamCall, StreamHandler } from './calls.ts';
import type { PubSubContext } from './context.ts';
import { PubSubError, topicNotFound } from './errors.ts';
import type { PublishRequest, PublishResponse, PublishResult } from './messages.ts';
import { strikeRpc } from './rpc-faults.ts';

/** An event that is larger fails, alone. */
const eventBytesMax = 1024 * 1024;

/** What became of a request to publish: a reply, or none although the events are on the bus. */
export type Published = PublishResponse | 'silent' | 'connection lost';

/** Publishes each event by itself: one bad event hurts no other (Pub/Sub API guide, "Publish RPC Method"). */
export function publish(call: Call, context: PubSubContext, request: PublishRequest): Published {
  const { topicName: topic, events } = request;
  if (topic === '') throw new PubSubError('publish.topic.validation.empty');
  const { error, silent, lostReply } = strikeRpc(context, call, topic);
  if (error) throw error;
  if (silent) return 'silent';
  const channel = context.bus.channel(topic);
  if (!channel) throw topicNotFound(context.org.id, topic);
  if (!channel.canPublish(call.userId)) throw new PubSubError('topic.meta.permission');
  if (events.length === 0) throw new PubSubError('publish.event.count.invalid');
  const fits = events.filter(({ payload }) => payload.length <= eventBytesMax);
  const outcomes = context.bus.publish(topic, fits, call.userId)[Symbol.iterator]();
  const results = events.map(({ id, payload }): PublishResult => {
    if (payload.length > eventBytesMax)
      return failed(id, `The event message exceeds the maximum size of ${eventBytesMax} bytes.`);
    const outcome = outcomes.next().value;
    if (outcome === undefined) throw new Error('the event bus left an event without an outcome');
    if ('error' in outcome) return failed(id, outcome.error.message);
    return { replayId: context.bus.replayBytes(outcome.replayId), correlationKey: id };
  });
  if (lostReply === 'error') throw new PubSubError(undefined);
  if (lostReply === 'connection') return 'connection lost';
  return { results, schemaId: channel.schema().id, rpcId: call.rpcId };
}

const failed = (correlationKey: string, msg: string): PublishResult => ({ error: { code: 'PUBLISH', msg }, correlationKey });

/** PublishStream: the same for each request, on one topic, until nothing comes for too long. */
export function publishStream(call: StreamCall<PublishResponse>, context: PubSubContext): StreamHandler<PublishRequest> {
  let topic: string | undefined;
  let stopWaiting = () => {};
  const wait = () => {
    stopWaiting();
    stopWaiting = context.timers.after(context.waits.publishIdleMs, () => {
      call.fail(new PubSubError('publish.stream.sweeper.timeout'));
    });
  };
  wait();
  return {
    request(request) {
      wait();
      if (topic === undefined && request.authRefresh !== '') throw new PubSubError('publish.auth.refresh.invalid');
      if (topic !== undefined && request.topicName !== '' && request.topicName !== topic) {
        throw new PubSubError('publish.topic.mismatch');
      }
      topic ??= request.topicName;
      const published = publish(call, context, { ...request, topicName: topic });
      if (published === 'connection lost') call.drop();
      else if (published !== 'silent') call.send(published);
    },
    // Replies are small and as many as requests: they may queue.
    drained() {},
    halfClosed: () => call.end(),
    closed: () => stopWaiting(),
  };
}
