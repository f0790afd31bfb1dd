import type { ReplayPosition } from '../events/types.ts';
import type { StreamCall, StreamHandler } from './calls.ts';
import type { PubSubContext } from './context.ts';
import { createDelivery, type Delivery } from './delivery.ts';
import { PubSubError } from './errors.ts';
import type { FetchRequest, FetchResponse } from './messages.ts';
import { strikeRpc } from './rpc-faults.ts';
import { resolvePosition, subscribableChannel } from './topics.ts';

/** Subscribe: the first request says what and from where, each one how much (Pub/Sub API guide, "Subscribe RPC Method"). */
export function subscribe(call: StreamCall<FetchResponse>, context: PubSubContext): StreamHandler<FetchRequest> {
  let topic: string | undefined;
  let delivery: Delivery | undefined;
  const stopWaiting = context.timers.after(context.waits.idleCloseMs, () => call.end());

  function begin(request: FetchRequest): void {
    stopWaiting();
    topic = request.topicName;
    if (topic === '') throw new PubSubError('topic.validation.empty');
    if (request.numRequested <= 0) throw new PubSubError('subscription.fetch.requested.events.invalid');
    const { error, silent } = strikeRpc(context, call, topic);
    if (error) throw error;
    const channel = subscribableChannel(context, topic, call.userId);
    if (request.replayPreset === 'CUSTOM' && request.replayId.length === 0) {
      throw new PubSubError('subscription.fetch.replayid.validation.failed');
    }
    const start = resolvePosition(channel, () => positionOf(request, context));
    if (start === undefined) throw new PubSubError('subscription.fetch.replayid.corrupted');
    if (silent) return;
    delivery = createDelivery(call, context, channel, start);
    delivery.request(request.numRequested);
  }

  return {
    request(request) {
      if (topic === undefined) {
        begin(request);
        return;
      }
      // Where to start was said once: replay options of later requests are not looked at.
      if (request.topicName !== '' && request.topicName !== topic) throw new PubSubError('subscription.fetch.topic.mismatch');
      if (request.numRequested <= 0) throw new PubSubError('subscription.fetch.requested.events.invalid');
      delivery?.request(request.numRequested);
    },
    drained: () => delivery?.drained(),
    halfClosed: () => call.end(),
    closed() {
      stopWaiting();
      delivery?.close();
    },
  };
}

function positionOf(request: FetchRequest, { bus }: PubSubContext): ReplayPosition {
  if (request.replayPreset === 'CUSTOM') return bus.replayIdOf(request.replayId);
  return request.replayPreset === 'EARLIEST' ? 'earliest' : 'latest';
}
