import { isDeepStrictEqual } from 'node:util';
import type { ChangeEvent } from './change-event.ts';
import type { ChangeEventPlan } from './change-event-schema.ts';
import { createEventLog, type EventLog } from './event-log.ts';
import { objectOfChangeEvent } from './event-names.ts';
import type { EventPlans } from './event-plans.ts';
import { type EventFilter, readFilter } from './filter-expression.ts';
import type { PlatformEvent } from './platform-event.ts';
import type { ChannelMember, CustomChannel } from './types.ts';

/** A member of a custom channel. */
export interface Member {
  readonly eventName: string;
  /** Of change events. */
  readonly object: string | undefined;
  readonly filter: EventFilter | undefined;
  /** Fields that the channel adds; those of the filter are added too. */
  readonly enriched: readonly string[];
  /** Events that this member alone carries: filtered, or taken apart into single records. Without it, those of all. */
  readonly changes: EventLog<ChangeEvent> | undefined;
  readonly platformEvents: EventLog<PlatformEvent> | undefined;
}

export interface DefinedChannel {
  readonly definition: CustomChannel;
  readonly topic: string;
  readonly members: readonly Member[];
}

const enrichedMax = 10;

/**
 * Checks a custom channel as Salesforce does when its members are saved. A member that stays as it was `before` keeps the
 * events that it carried. @throws {TypeError}
 */
export function defineCustomChannel(definition: CustomChannel, plans: EventPlans, before?: DefinedChannel): DefinedChannel {
  if (!/^[A-Za-z]\w*__chn$/.test(definition.name)) throw new TypeError(`a channel's name ends with __chn: '${definition.name}'`);
  if (definition.kind !== 'change' && definition.kind !== 'platform')
    throw new TypeError("a channel's kind is change or platform");
  const members = definition.members.map((member) => {
    const made = definition.kind === 'change' ? changeMember(member, plans) : platformMember(member, plans);
    return before?.members[before.definition.members.findIndex((old) => isDeepStrictEqual(old, member))] ?? made;
  });
  const twice = members.find((member, i) => members.findIndex(({ eventName }) => eventName === member.eventName) !== i);
  if (twice) throw new TypeError(`'${twice.eventName}' is a member of '${definition.name}' twice`);
  const prefix = definition.kind === 'change' ? 'data' : 'event';
  return { definition, topic: `/${prefix}/${definition.name}`, members };
}

function changeMember({ eventName, enrichedFields = [], filterExpression }: ChannelMember, plans: EventPlans): Member {
  const object = objectOfChangeEvent(eventName);
  const plan = object === undefined ? undefined : plans.change(object);
  if (!plan) throw new TypeError(`there is no change event '${eventName}'`);
  if (enrichedFields.length > enrichedMax) throw new TypeError(`a member has at most ${enrichedMax} enriched fields`);
  const enriched = enrichedFields.map((name) => nameIn(plan, name));
  const filter = filterExpression === undefined ? undefined : readFilter(filterExpression, (name) => columnIn(plan, name));
  const all = [...new Set([...enriched, ...(filter?.fields.map((column) => nameIn(plan, column)) ?? [])])];
  const changes = all.length > 0 ? createEventLog<ChangeEvent>() : undefined;
  return { eventName, object, filter, enriched: all, changes, platformEvents: undefined };
}

function platformMember({ eventName, enrichedFields = [], filterExpression }: ChannelMember, plans: EventPlans): Member {
  const plan = plans.platform(eventName);
  if (!plan) throw new TypeError(`there is no platform event '${eventName}'`);
  if (enrichedFields.length > 0) throw new TypeError('platform events have no enriched fields');
  const fieldOf = (name: string) => plan.fields.find((field) => field.name.toLowerCase() === name.toLowerCase())?.name;
  const filter = filterExpression === undefined ? undefined : readFilter(filterExpression, fieldOf);
  const platformEvents = filter ? createEventLog<PlatformEvent>() : undefined;
  return { eventName, object: undefined, filter, enriched: [], changes: undefined, platformEvents };
}

/** The event's field of this name, or the compound field that it is a part of. */
function nameIn(plan: ChangeEventPlan, name: string): string {
  const wanted = name.toLowerCase();
  const found = plan.fields.find(
    (field) => field.name.toLowerCase() === wanted || field.parts?.some(({ column }) => column?.toLowerCase() === wanted),
  );
  if (!found) throw new TypeError(`${plan.eventName} has no field '${name}'`);
  return found.name;
}

function columnIn(plan: ChangeEventPlan, name: string): string | undefined {
  const wanted = name.toLowerCase();
  for (const { source, parts } of plan.fields) {
    if (!parts && source.toLowerCase() === wanted) return source;
    const part = parts?.find(({ column }) => column?.toLowerCase() === wanted);
    if (part) return part.column;
  }
  return undefined;
}
