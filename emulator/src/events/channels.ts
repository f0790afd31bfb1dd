import type { FaultList } from '../faults/fault-list.ts';
import type { Org } from '../org/types.ts';
import { isPlatformEvent } from '../schema/platform-event.ts';
import type { EventAccess } from './access.ts';
import { type ChangeEvent, hiddenFrom, viewOf } from './change-event.ts';
import type { ChangeEventPlan } from './change-event-schema.ts';
import type { ChangeStreams } from './change-streams.ts';
import type { DefinedChannel, Member } from './custom-channels.ts';
import { createEnrichment } from './enrichment.ts';
import type { EventLog, StoredEvent } from './event-log.ts';
import { objectOfChangeEvent } from './event-names.ts';
import type { EventPlans } from './event-plans.ts';
import type { PlatformEvent } from './platform-event.ts';
import type { PlatformStreams } from './platform-streams.ts';
import { readStreams, type Stream } from './read-streams.ts';
import { type ReplayIds, retentionMs } from './replay-ids.ts';
import { type Channel, type ChannelEvent, InvalidReplayIdError, type ReplayPosition } from './types.ts';

export interface Channels {
  find(topic: string): Channel | undefined;
  all(): Channel[];
}

/** The topics that subscribers name. A channel follows its definition: what is selected later is in it later. */
export function createChannels(bus: {
  org: Org;
  plans: EventPlans;
  ids: ReplayIds;
  access: EventAccess;
  faults: FaultList | undefined;
  changes: ChangeStreams;
  platform: PlatformStreams;
  custom: ReadonlyMap<string, DefinedChannel>;
}): Channels {
  const { org, plans, ids, access, faults, changes, platform, custom } = bus;

  function* allLogs(): Iterable<EventLog<StoredEvent>> {
    yield* changes.logs() as Iterable<EventLog<StoredEvent>>;
    yield* platform.logs() as Iterable<EventLog<StoredEvent>>;
    for (const { members } of custom.values()) {
      for (const member of members) {
        if (member.changes) yield member.changes as EventLog<StoredEvent>;
        if (member.platformEvents) yield member.platformEvents as EventLog<StoredEvent>;
      }
    }
  }

  function trim(): void {
    const before = org.clock.now() - retentionMs;
    for (const log of allLogs()) log.trim(before);
  }

  function resolve(topic: string, position: ReplayPosition): number {
    trim();
    if (position === 'latest') return ids.last;
    if (position === 'earliest') return 0;
    const expired = faults?.fire('event', 'REPLAY', topic).some(({ kind }) => kind === 'expired-replay-id');
    if (!expired) {
      if (ids.isMark(position)) return position;
      for (const log of allLogs()) if (log.has(position)) return position;
    }
    throw new InvalidReplayIdError(`replay id ${position} was never given out, or is no longer retained`);
  }

  function changeStream(log: EventLog<ChangeEvent>, userId: string, member?: Member): Stream<ChangeEvent> {
    /** What is hidden follows from the event's own schema; a read meets one or two of them. */
    const seen = new Map<ChangeEventPlan, (event: ChangeEvent) => ChannelEvent>();
    const seeAs = (plan: ChangeEventPlan) => {
      const hidden = hiddenFrom(plan, (field) => access.canSeeField(userId, plan.object, field));
      const fields = plan.fields.filter(({ name }) => member?.enriched.includes(name));
      const enrich = fields.length === 0 ? undefined : createEnrichment(org, plan, fields);
      if (hidden.length === 0 && !enrich) return (event: ChangeEvent): ChannelEvent => event;
      return (event: ChangeEvent): ChannelEvent => viewOf(event, { hidden, enrich });
    };
    return {
      log,
      see(event) {
        let see = seen.get(event.plan);
        if (!see) {
          see = seeAs(event.plan);
          seen.set(event.plan, see);
        }
        return see(event);
      },
    };
  }

  const platformStream = (log: EventLog<PlatformEvent>): Stream<PlatformEvent> => ({ log, see: (event) => event });

  function changeChannel(topic: string, object: string | undefined, streams: (userId: string) => Stream<ChangeEvent>[]): Channel {
    return {
      topic,
      kind: 'change',
      schema: () => (object === undefined ? plans.common : (plans.change(object)?.codec.schema ?? plans.common)),
      canSubscribe: (userId) => object === undefined || access.canReadAll(userId, object),
      canPublish: () => false,
      resolve: (position) => resolve(topic, position),
      read(after, max, userId) {
        trim();
        return readStreams(streams(userId), after, max, ids.last);
      },
    };
  }

  function customChannel({ topic, definition }: DefinedChannel): Channel {
    const current = () => custom.get(definition.name)?.members ?? [];
    if (definition.kind === 'change') {
      return changeChannel(topic, undefined, (userId) =>
        current()
          .filter(({ object }) => access.canReadAll(userId, object!))
          .map((member) => changeStream(member.changes ?? changes.log(member.object!), userId, member)),
      );
    }
    return platformChannel(topic, undefined, (userId) =>
      current()
        .filter(({ eventName }) => access.canRead(userId, eventName))
        .map((member) => platformStream(member.platformEvents ?? platform.log(member.eventName))),
    );
  }

  function platformChannel(
    topic: string,
    eventName: string | undefined,
    streams: (userId: string) => Stream<PlatformEvent>[],
  ): Channel {
    return {
      topic,
      kind: 'platform',
      schema: () => (eventName === undefined ? plans.common : (plans.platform(eventName)?.codec.schema ?? plans.common)),
      canSubscribe: (userId) => eventName === undefined || access.canRead(userId, eventName),
      canPublish: (userId) => eventName !== undefined && access.canCreate(userId, eventName),
      resolve: (position) => resolve(topic, position),
      read(after, max, userId) {
        trim();
        return readStreams(streams(userId), after, max, ids.last);
      },
    };
  }

  const objectChannel = (object: string, topic: string) =>
    changeChannel(topic, object, (userId) => [changeStream(changes.log(object), userId)]);
  const standardChannel = () =>
    changeChannel('/data/ChangeEvents', undefined, (userId) =>
      [...changes.selected]
        .filter((object) => access.canReadAll(userId, object))
        .map((object) => changeStream(changes.log(object), userId)),
    );

  function find(topic: string): Channel | undefined {
    const [, prefix, name = ''] = /^\/(data|event)\/(\w+)$/.exec(topic) ?? [];
    if (prefix === undefined) return undefined;
    const defined = custom.get(name);
    if (defined) return defined.topic === topic ? customChannel(defined) : undefined;
    if (prefix === 'event') {
      if (!isPlatformEvent(name) || !plans.platform(name)) return undefined;
      return platformChannel(topic, name, () => [platformStream(platform.log(name))]);
    }
    if (name === 'ChangeEvents') return standardChannel();
    const object = objectOfChangeEvent(name);
    return object !== undefined && changes.isCaptured(object) ? objectChannel(object, topic) : undefined;
  }

  return {
    find,
    all() {
      const captured = org.schema.objects.map(({ name }) => name).filter((name) => changes.isCaptured(name));
      const names = captured.flatMap((object) => plans.change(object)?.eventName ?? []);
      const topics = ['/data/ChangeEvents', ...names.map((name) => `/data/${name}`)];
      for (const { topic } of custom.values()) topics.push(topic);
      for (const { name } of platform.definitions()) topics.push(`/event/${name}`);
      return topics.flatMap((topic) => find(topic) ?? []);
    },
  };
}
