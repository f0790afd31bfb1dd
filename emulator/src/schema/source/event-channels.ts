import type { Element } from './xml.ts';

/** A custom channel with the members that its own files give it. */
export interface ChannelSource {
  name: string;
  label?: string;
  kind: 'change' | 'platform';
  members: MemberSource[];
}

export interface MemberSource {
  eventName: string;
  enrichedFields?: string[];
  filterExpression?: string;
}

/** A `<PlatformEventChannelMember>` before it is known where it belongs. */
export interface ReadMember extends MemberSource {
  channel: string;
  element: Element;
}

/** `SalesEvents__chn.platformEventChannel-meta.xml` (Metadata API guide, "PlatformEventChannel"). */
export function readChannel(element: Element, name: string): ChannelSource {
  const type = element.requiredText('channelType');
  if (type !== 'data' && type !== 'event')
    throw element.problem('channelType', `is ${JSON.stringify(type)}: data or event was expected`);
  const label = element.text('label');
  return { name, kind: type === 'data' ? 'change' : 'platform', members: [], ...(label === undefined ? {} : { label }) };
}

/** A member names its channel and its event ("PlatformEventChannelMember"). */
export function readChannelMember(element: Element): ReadMember {
  const enrichedFields = element.children('enrichedFields').map((field) => field.requiredText('name'));
  const filterExpression = element.text('filterExpression');
  return {
    channel: element.requiredText('eventChannel'),
    eventName: element.requiredText('selectedEntity'),
    element,
    ...(enrichedFields.length === 0 ? {} : { enrichedFields }),
    ...(filterExpression === undefined ? {} : { filterExpression }),
  };
}

/**
 * Puts members into their channels. The standard channel `ChangeEvents` is no file: its members are the events selected
 * in Setup.
 * @throws {SourceProblem} a member of a channel that the folder does not define.
 */
export function joinChannels(
  channels: readonly ChannelSource[],
  members: readonly ReadMember[],
  collecting: (work: () => void) => void,
): { channels: ChannelSource[]; selected: string[] } {
  const selected: string[] = [];
  for (const { channel, element, ...member } of members) {
    collecting(() => {
      if (channel === 'ChangeEvents') {
        selected.push(member.eventName);
        return;
      }
      const found = channels.find(({ name }) => name === channel);
      if (!found) throw element.problem('eventChannel', `names ${channel}, which the folder does not define`);
      found.members.push(member);
    });
  }
  return { channels: [...channels], selected };
}
