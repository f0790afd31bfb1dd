import { isDeepStrictEqual } from 'node:util';
import { capturedObjects } from '../../events/captured-objects.ts';
import { changeEventName, objectOfChangeEvent } from '../../events/event-names.ts';
import type { ChannelMember, CustomChannel } from '../../events/types.ts';
import type { EmulatorContext } from '../context.ts';
import { badRequest } from '../errors.ts';
import {
  type Component,
  type ComponentKind,
  checkName,
  componentRow,
  defining,
  duplicate,
  gone,
  notUpdatable,
  optionalText,
  requiredName,
  requiredText,
} from './component.ts';
import { channelId, forgetMember, memberId } from './component-ids.ts';

/** The channel whose members are chosen in Setup, Change Data Capture. */
const standard = 'ChangeEvents';

interface Selected {
  readonly channel: string;
  readonly member: ChannelMember;
  readonly id: string;
}

function selected(context: EmulatorContext): Selected[] {
  const { bus } = context;
  const all = [
    ...bus.selectedForChangeEvents().map((object) => ({ channel: standard, member: { eventName: changeEventName(object) } })),
    ...bus.customChannels().flatMap(({ name, members }) => members.map((member) => ({ channel: name, member }))),
  ];
  return all.map((each) => ({ ...each, id: memberId(each.channel, each.member.eventName, context) }));
}

/** Objects and events selected for a channel, the standard one too (Tooling API guide, PlatformEventChannelMember). */
export const members: ComponentKind = {
  object: 'PlatformEventChannelMember',
  rows: (context) =>
    selected(context).map(({ channel, member, id }) => {
      const { eventName, enrichedFields, filterExpression } = member;
      const fullName = nameOf(channel, eventName);
      const fields = enrichedFields?.map((name) => ({ name })) ?? [];
      return {
        ...componentRow(id, { developerName: fullName, label: eventName, fullName }),
        // Of a custom channel a query answers the id ("Usage"), and the metadata the name.
        EventChannel: channel === standard ? channel : channelId(channel, context),
        SelectedEntity: eventName,
        FilterExpression: filterExpression ?? null,
        Metadata: JSON.stringify({
          enrichedFields: fields,
          eventChannel: channel,
          filterExpression: filterExpression ?? null,
          selectedEntity: eventName,
          urls: null,
        }),
      };
    }),
  create(component, context) {
    checkName(requiredName(component));
    const channel = requiredText(component, 'eventChannel');
    const member = readMember(component, requiredText(component, 'selectedEntity'));
    if (selected(context).some((other) => other.channel === channel && other.member.eventName === member.eventName)) {
      throw duplicate(nameOf(channel, member.eventName));
    }
    checkCount(member.eventName, context);
    if (channel === standard) selectObject(member, context);
    else {
      const custom = customChannel(channel, context);
      defining(() => context.bus.defineChannel({ ...custom, members: [...custom.members, member] }));
    }
    return memberId(channel, member.eventName, context);
  },
  update(id, component, context) {
    const { channel, member } = find(id, context);
    const { eventChannel = channel, selectedEntity = member.eventName } = component.metadata;
    if (eventChannel !== channel) throw notUpdatable('EventChannel');
    if (selectedEntity !== member.eventName) throw notUpdatable('SelectedEntity');
    const changed = readMember(component, member.eventName);
    if (channel === standard) return refuseOptions(changed);
    const custom = customChannel(channel, context);
    const replaced = custom.members.map((each) => (isDeepStrictEqual(each, member) ? changed : each));
    defining(() => context.bus.defineChannel({ ...custom, members: replaced }));
  },
  remove(id, context) {
    const { bus } = context;
    const { channel, member } = find(id, context);
    if (channel === standard) {
      bus.selectForChangeEvents(bus.selectedForChangeEvents().filter((object) => changeEventName(object) !== member.eventName));
    } else {
      const custom = customChannel(channel, context);
      bus.defineChannel({ ...custom, members: custom.members.filter(({ eventName }) => eventName !== member.eventName) });
    }
    forgetMember(channel, member.eventName, context);
  },
};

/** The format that the guide gives for developer names. */
const nameOf = (channel: string, eventName: string) => `${channel}_${eventName}`.replaceAll('__', '_');

function find(id: string, context: EmulatorContext): Selected {
  const found = selected(context).find((each) => each.id === id);
  if (!found) throw gone();
  return found;
}

function customChannel(name: string, { bus }: EmulatorContext): CustomChannel {
  const found = bus.customChannels().find((channel) => channel.name === name);
  if (!found) throw unknownIn('eventChannel', 'PlatformEventChannel', name);
  return found;
}

function selectObject(member: ChannelMember, { bus }: EmulatorContext): void {
  refuseOptions(member);
  const object = objectOfChangeEvent(member.eventName);
  if (object === undefined) throw unknownIn('selectedEntity', 'entity', member.eventName);
  try {
    bus.selectForChangeEvents([...bus.selectedForChangeEvents(), object]);
  } catch (error) {
    if (error instanceof TypeError) throw unknownIn('selectedEntity', 'entity', member.eventName);
    throw error;
  }
}

/** Enrichment and filters are for custom channels (Change Data Capture Developer Guide, "Event Enrichment"). */
function refuseOptions({ enrichedFields, filterExpression }: ChannelMember): void {
  if (enrichedFields === undefined && filterExpression === undefined) return;
  throw badRequest('FIELD_INTEGRITY_EXCEPTION', `The channel ${standard} takes no enriched fields and no filter expression.`);
}

/** Without an add-on an org captures so many objects, each counted once whatever channels it is in. */
function checkCount(eventName: string, context: EmulatorContext): void {
  const object = objectOfChangeEvent(eventName);
  if (object === undefined) return;
  const objects = capturedObjects(context.bus);
  const { max } = context.limits.changeEventObjects;
  if (objects.has(object) || objects.size < max) return;
  const message = `The maximum number of entities selected for Change Data Capture is reached: ${max}.`;
  throw badRequest('LIMIT_EXCEEDED', message);
}

function readMember(component: Component, eventName: string): ChannelMember {
  const filterExpression = optionalText(component, 'filterExpression');
  const { enrichedFields = null } = component.metadata;
  if (enrichedFields !== null && !Array.isArray(enrichedFields)) {
    throw badRequest('JSON_PARSER_ERROR', 'enrichedFields must be a list');
  }
  const names = (enrichedFields ?? []).map((field: unknown) => {
    const { name } = (field ?? {}) as { name?: unknown };
    if (typeof name !== 'string') throw badRequest('REQUIRED_FIELD_MISSING', 'Required fields are missing: [name]', ['name']);
    return name;
  });
  return {
    eventName,
    ...(names.length === 0 ? {} : { enrichedFields: names }),
    ...(filterExpression === undefined ? {} : { filterExpression }),
  };
}

/** As the Metadata API words it. */
const unknownIn = (field: string, kind: string, name: string) =>
  badRequest('INVALID_CROSS_REFERENCE_KEY', `In field: ${field} - no ${kind} named ${name} found`, [field]);
