import { randomUUID } from 'node:crypto';
import type { FaultList } from '../faults/fault-list.ts';
import type { StoredRow } from '../org/table.ts';
import { type Org, SalesforceError, type Values } from '../org/types.ts';
import { declarePlatformEvent, isPlatformEvent } from '../schema/platform-event.ts';
import type { FieldDescribe } from '../schema/types.ts';
import type { Member } from './custom-channels.ts';
import { createEventLog, type EventLog } from './event-log.ts';
import type { EventPlans } from './event-plans.ts';
import { PlatformEvent } from './platform-event.ts';
import { encodePlatformEvent, type PlatformEventPlan, platformEventRow } from './platform-event-schema.ts';
import type { ReplayIds } from './replay-ids.ts';
import type { NewEvent, PlatformEventDefinition, PlatformEventField, PublishOutcome } from './types.ts';

/** Platform events: who defines them, who publishes them. */
export interface PlatformStreams {
  define(event: PlatformEventDefinition): void;
  definitions(): PlatformEventDefinition[];
  publish(topic: string, events: readonly NewEvent[], userId: string): PublishOutcome[];
  log(eventName: string): EventLog<PlatformEvent>;
  logs(): Iterable<EventLog<PlatformEvent>>;
}

/** The largest event that is accepted (Platform Events guide, "Allocations"). */
const eventBytesMax = 1_048_576;

export function createPlatformStreams(bus: {
  org: Org;
  plans: EventPlans;
  ids: ReplayIds;
  faults: FaultList | undefined;
  publishes: { spend(): boolean } | undefined;
  members(kind: 'platform'): readonly Member[];
  appended(): void;
}): PlatformStreams {
  const { org, plans, ids, faults, publishes } = bus;
  const logs = new Map<string, EventLog<PlatformEvent>>();
  const behaviors = new Map<string, NonNullable<PlatformEventDefinition['publishBehavior']>>();
  let watching = false;
  /** Replay ids of what is being published right now, by UUID. */
  let appendedNow: Map<string, number> | undefined;
  const log = (eventName: string) => {
    const known = logs.get(eventName) ?? createEventLog<PlatformEvent>();
    logs.set(eventName, known);
    return known;
  };

  function append(plan: PlatformEventPlan, bytes: Uint8Array, uuid: string): number {
    const fired = faults?.fire('event', 'PUBLISH', `/event/${plan.eventName}`).map(({ kind }) => kind) ?? [];
    if (fired.includes('lost-event')) return ids.next();
    const put = () => {
      const event = new PlatformEvent({ replayId: ids.next(), publishedAtMs: org.clock.now(), uuid }, plan, bytes);
      log(plan.eventName).append(event);
      for (const member of bus.members('platform')) {
        if (member.platformEvents && member.eventName === plan.eventName && passes(member, event)) {
          member.platformEvents.append(event);
        }
      }
      return event.replayId;
    };
    const replayId = put();
    if (fired.includes('duplicate-event')) put();
    return replayId;
  }

  const publishesAtOnce = (eventName: string) => behaviors.get(eventName) !== 'afterCommit';

  function appendRow(plan: PlatformEventPlan, row: Readonly<StoredRow>): number {
    const uuid = String(row.EventUuid);
    const replayId = append(plan, encodePlatformEvent(plan, row), uuid);
    appendedNow?.set(uuid, replayId);
    return replayId;
  }

  /** Waits for the first event that is published with its transaction: until then commits need not be looked at. */
  function listenToCommits(): void {
    if (watching) return;
    watching = true;
    org.onCommit(({ changes }) => {
      const events = changes.filter(
        ({ object, kind }) => kind === 'create' && isPlatformEvent(object) && !publishesAtOnce(object),
      );
      for (const { object, after } of events) appendRow(plans.platform(object)!, after);
      if (events.length > 0) bus.appended();
    });
  }

  org.onInsertedEvent(({ object, row }) => {
    const plan = plans.platform(object)!;
    if (encodePlatformEvent(plan, row).length > eventBytesMax) throw new SalesforceError('LIMIT_EXCEEDED', tooLarge);
    if (publishes?.spend() === false) throw new SalesforceError('LIMIT_EXCEEDED', allocationSpent);
    if (!publishesAtOnce(object)) return listenToCommits();
    appendRow(plan, row);
    bus.appended();
  });

  function publishAvro(plan: PlatformEventPlan, event: Extract<NewEvent, { payload: Uint8Array }>): PublishOutcome {
    if (event.schemaId !== plan.codec.schema.id) {
      return refused('INVALID_SCHEMA', `schema ${event.schemaId} is not the schema of ${plan.eventName}`);
    }
    if (event.payload.length > eventBytesMax) return refused('LIMIT_EXCEEDED', tooLarge);
    if (publishes?.spend() === false) return refused('LIMIT_EXCEEDED', allocationSpent);
    const uuid = event.id || randomUUID();
    return { replayId: append(plan, Buffer.from(event.payload), uuid), uuid };
  }

  /** As REST publishes: the event is inserted. */
  function publishFields(plan: PlatformEventPlan, fields: Values, userId: string): PublishOutcome {
    const outer = appendedNow;
    const mine = new Map<string, number>();
    appendedNow = mine;
    try {
      const { eventUuid: uuid = '' } = org.write((transaction) => transaction.insert(plan.eventName, fields), { userId });
      return { replayId: mine.get(uuid)!, uuid };
    } catch (error) {
      if (!(error instanceof SalesforceError)) throw error;
      return refused(error.errorCode, error.message);
    } finally {
      appendedNow = outer;
    }
  }

  return {
    define(event) {
      if (!/^[A-Za-z]\w*__e$/.test(event.name)) throw new TypeError(`a platform event's name ends with __e: '${event.name}'`);
      declarePlatformEvent(org.schema, event);
      behaviors.set(event.name, event.publishBehavior ?? 'immediately');
    },
    definitions: () =>
      org.schema.objects
        .filter(({ name }) => isPlatformEvent(name))
        .map(({ name, label, fields }) => ({
          name,
          label,
          publishBehavior: behaviors.get(name) ?? 'immediately',
          fields: fields.filter((field) => field.custom).map(definitionOf),
        })),
    publish(topic, events, userId) {
      const eventName = /^\/event\/(\w+)$/.exec(topic)?.[1] ?? '';
      const plan = plans.platform(eventName);
      if (!plan) return events.map(() => refused('NOT_FOUND', `there is no platform event topic ${topic}`));
      const outcomes = events.map((event) =>
        'payload' in event ? publishAvro(plan, event) : publishFields(plan, event.fields as Values, userId),
      );
      if (outcomes.some((outcome) => 'replayId' in outcome)) bus.appended();
      return outcomes;
    },
    log,
    logs: () => logs.values(),
  };
}

const tooLarge = `the event is larger than ${eventBytesMax} bytes`;
/** The code is documented, the text is not (Platform Events Developer Guide, "Platform Event Error Status Codes"). */
const allocationSpent = 'The hourly publishing allocation of platform events is exceeded.';
const refused = (code: string, message: string): PublishOutcome => ({ error: { code, message } });

function passes({ filter }: Member, event: PlatformEvent): boolean {
  if (!filter) return true;
  try {
    return filter.matches(platformEventRow(event.plan, event.bytes));
  } catch {
    // Bytes that are none of this schema hold no field that could match.
    return false;
  }
}

const types: Partial<Record<FieldDescribe['type'], PlatformEventField['type']>> = {
  double: 'number',
  boolean: 'checkbox',
  date: 'date',
  datetime: 'datetime',
  textarea: 'longtext',
};

function definitionOf(field: FieldDescribe): PlatformEventField {
  const type = types[field.type] ?? 'text';
  const isText = type === 'text' || type === 'longtext';
  return {
    name: field.name,
    label: field.label,
    type,
    ...(isText ? { length: field.length } : {}),
    ...(type === 'number' ? { precision: field.precision, scale: field.scale } : {}),
    required: !field.nillable && type !== 'checkbox',
  };
}
