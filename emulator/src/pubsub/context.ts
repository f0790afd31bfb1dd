import type { Sessions } from '../auth/sessions.ts';
import type { EventBus } from '../events/types.ts';
import type { FaultList } from '../faults/fault-list.ts';
import type { Org } from '../org/types.ts';
import type { ManagedSubscriptions } from './managed-subscriptions.ts';
import type { Timers } from './timers.ts';

/** Everything that the RPCs use. One per emulator. */
export interface PubSubContext {
  readonly org: Pick<Org, 'id' | 'clock'>;
  readonly bus: EventBus;
  readonly sessions: Pick<Sessions, 'use' | 'revoke'>;
  readonly faults: FaultList;
  readonly managed: ManagedSubscriptions;
  /** The org's daily event deliveries: false when this many are not left. */
  readonly deliveries: { spend(events: number): boolean };
  readonly timers: Timers;
  readonly waits: PubSubWaits;
}

export interface PubSubWaits {
  /** A subscriber that waits for events hears from the server at least this often: 270 s. */
  readonly keepaliveMs: number;
  /** A subscriber that has got all that it asked for asks again within this time, or its stream ends: 60 s. */
  readonly idleCloseMs: number;
  /** The same for publish streams: 1,800 s. */
  readonly publishIdleMs: number;
}
