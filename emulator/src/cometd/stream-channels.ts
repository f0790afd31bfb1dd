import type { Access } from '../access/access.ts';
import type { EventBus } from '../events/types.ts';
import type { FaultList } from '../faults/fault-list.ts';
import type { OrgLimits } from '../limits/org-limits.ts';
import type { Org } from '../org/types.ts';
import { busChannel } from './bus-channel.ts';
import { errors } from './errors.ts';
import { createGenericChannels, type GenericChannels } from './generic-channels.ts';
import { createPushTopics } from './push-topics.ts';
import { BayeuxError, type StreamChannel } from './types.ts';

/** Everything that can be subscribed to. */
export interface StreamChannels {
  /** @throws {BayeuxError} there is no such channel, or this user may not subscribe to it. */
  open(name: unknown, userId: string): StreamChannel;
  readonly push: GenericChannels['push'];
  /** Called when any channel may have something new. Returns how to stop. */
  onAppend(listener: () => void): () => void;
}

export function createStreamChannels(parts: {
  org: Org;
  access: Access;
  bus: EventBus;
  faults: FaultList;
  limits: OrgLimits;
}): StreamChannels {
  const { bus, limits } = parts;
  const listeners = new Set<() => void>();
  const appended = () => {
    for (const listener of listeners) listener();
  };
  const own = { ...parts, allocation: limits.DailyStreamingApiEvents, appended };
  const topics = createPushTopics(own);
  const generic = createGenericChannels(own);
  return {
    open(name, userId) {
      if (typeof name !== 'string' || name === '') throw new BayeuxError(errors.noSubscription);
      if (!name.startsWith('/')) throw new BayeuxError(errors.noSlash);
      if (name.startsWith('/topic/')) return topics.channel(name, userId);
      if (name.startsWith('/u/')) return generic.channel(name, userId);
      if (!/^\/(data|event)\//.test(name)) throw new BayeuxError(errors.cannotCreate(name));
      const channel = bus.channel(name);
      if (!channel) throw new BayeuxError(errors.noChannel(name));
      return busChannel(channel, userId, limits.DailyDeliveredPlatformEvents);
    },
    push: generic.push,
    onAppend(listener) {
      listeners.add(listener);
      const stop = bus.onAppend(listener);
      return () => {
        listeners.delete(listener);
        stop();
      };
    },
  };
}
