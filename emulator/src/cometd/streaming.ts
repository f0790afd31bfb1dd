import type { Access } from '../access/access.ts';
import type { Sessions } from '../auth/sessions.ts';
import type { EventBus } from '../events/types.ts';
import type { FaultList } from '../faults/fault-list.ts';
import type { OrgLimits } from '../limits/org-limits.ts';
import type { Org } from '../org/types.ts';
import { createTimers } from '../pubsub/timers.ts';
import { type Bayeux, createBayeux } from './bayeux.ts';
import { createCookies } from './cookies.ts';
import type { PushEvent } from './generic-channels.ts';
import { answerPost, type StreamingReply, type StreamingRequest } from './post.ts';
import { createStreamChannels } from './stream-channels.ts';
import { pushTopicObject, streamingChannelObject } from './streaming-objects.ts';
import type { StreamingWaits } from './types.ts';

export type CometdOptions = Partial<StreamingWaits>;

/** A client that is connected over CometD, as a test wants to see it. */
export interface ConnectedClient {
  readonly clientId: string;
  readonly userId: string;
  readonly subscriptions: readonly string[];
  /** A connect of it is held: what comes now is sent at once. */
  readonly waits: boolean;
}

/** The Streaming API of an org. */
export interface Streaming {
  answer(request: StreamingRequest): Promise<StreamingReply | 'gone'>;
  /** Sends a generic event. @returns how many clients listen now. */
  push(channelId: string, event: PushEvent, userId: string): number;
  clients(): ConnectedClient[];
  /** As a server that restarts: it knows no client any more. */
  forgetClients(): void;
  close(): void;
}

/** As documented (Streaming API guide, "Streaming API Allocations"). */
const waitsDefault: StreamingWaits = { holdMs: 110_000, reconnectMs: 40_000 };

export function createStreaming(
  parts: { org: Org; access: Access; bus: EventBus; faults: FaultList; sessions: Sessions; limits: OrgLimits },
  options: CometdOptions = {},
): Streaming {
  const { org, access, sessions, limits, faults } = parts;
  org.schema.add(pushTopicObject.object, pushTopicObject.links);
  org.schema.add(streamingChannelObject.object, streamingChannelObject.links);
  const channels = createStreamChannels(parts);
  const waits = { ...waitsDefault, ...options };
  const cookies = createCookies();
  let running: { bayeux: Bayeux; stop(): void } | undefined;

  /** Runs from the first client on: most emulators never see one. */
  function bayeux(): Bayeux {
    if (!running) {
      const timers = createTimers(org.clock);
      const made = createBayeux({ channels, faults, timers, waits, revoke: (token) => sessions.revoke(token) });
      running = { bayeux: made, stop: () => timers.close() };
    }
    return running.bayeux;
  }

  const clients = () => [...(running?.bayeux.clients.values() ?? [])];
  return {
    answer: (request) => answerPost(request, { access, sessions, limits, faults, cookies, bayeux }),
    push(channelId, event, userId) {
      const name = channels.push(channelId, event, userId);
      return clients().filter(({ delivery }) => delivery.subscriptions().includes(name)).length;
    },
    clients: () =>
      clients().map(({ id, userId, delivery, isHeld }) => ({
        clientId: id,
        userId,
        subscriptions: delivery.subscriptions(),
        waits: isHeld(),
      })),
    forgetClients() {
      for (const { id } of clients()) running?.bayeux.forget(id);
    },
    close() {
      running?.bayeux.close();
      running?.stop();
      running = undefined;
    },
  };
}
