import type { FaultList } from '../faults/fault-list.ts';
import type { Org } from '../org/types.ts';
import { type EventAccess, fullAccess } from './access.ts';
import { type CaptureLimits, captureLimits } from './capture-commit.ts';
import { createChangeStreams } from './change-streams.ts';
import { createChannels } from './channels.ts';
import { type DefinedChannel, defineCustomChannel } from './custom-channels.ts';
import { createEventPlans } from './event-plans.ts';
import { createPlatformStreams } from './platform-streams.ts';
import { createReplayIds, replayBytes, replayIdOf } from './replay-ids.ts';
import type { EventBus } from './types.ts';

/** Change Data Capture guide, "Change Data Capture Allocations". */
const channelsMax = 100;

export interface EventBusOptions {
  /** Who may see what; everybody everything when absent. */
  access?: EventAccess;
  faults?: FaultList;
  /** Spent by every platform event, however it is published: false refuses it. */
  publishes?: { spend(): boolean };
  /** Replay ids' steps, UUIDs and field ids follow from it. */
  seed?: number;
  limits?: Partial<CaptureLimits>;
}

/** The event bus of an org: what its commits and its publishers make, kept for three days by the org's clock. */
export function createEventBus(org: Org, options: EventBusOptions = {}): EventBus {
  const { access = fullAccess, faults, publishes, seed = 1 } = options;
  const now = () => org.clock.now();
  const plans = createEventPlans(org.schema, seed);
  const ids = createReplayIds(now, seed);
  const custom = new Map<string, DefinedChannel>();
  const listeners = new Set<() => void>();
  const appended = () => {
    for (const listener of listeners) listener();
  };
  const members = (kind: 'change' | 'platform') =>
    [...custom.values()].filter(({ definition }) => definition.kind === kind).flatMap((channel) => channel.members);

  const shared = { org, plans, ids, access, faults, appended, members };
  const changes = createChangeStreams({ ...shared, limits: { ...captureLimits, ...options.limits }, seed });
  const platform = createPlatformStreams({ ...shared, publishes });
  const channels = createChannels({ ...shared, changes, platform, custom });

  return {
    channel: channels.find,
    channels: channels.all,
    schema: plans.schema,
    publish: platform.publish,
    onAppend(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    latestReplayId: () => ids.mark(),
    replayBytes,
    replayIdOf,
    selectForChangeEvents: changes.select,
    selectedForChangeEvents: () => [...changes.selected],
    defineChannel(definition) {
      if (!custom.has(definition.name) && custom.size >= channelsMax) {
        throw new TypeError(`an org has ${channelsMax} custom channels at most`);
      }
      custom.set(definition.name, defineCustomChannel(definition, plans, custom.get(definition.name)));
      changes.listen();
    },
    removeChannel: (name) => void custom.delete(name),
    customChannels: () => [...custom.values()].map(({ definition }) => definition),
    definePlatformEvent: platform.define,
    platformEvents: platform.definitions,
    emitGap: changes.emitGap,
    emitOverflow: changes.emitOverflow,
  };
}
