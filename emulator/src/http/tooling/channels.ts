import type { CustomChannel } from '../../events/types.ts';
import type { EmulatorContext } from '../context.ts';
import { badRequest } from '../errors.ts';
import {
  type ComponentKind,
  checkName,
  componentRow,
  defining,
  duplicate,
  gone,
  notUpdatable,
  requiredName,
  requiredText,
} from './component.ts';
import { channelId, forgetChannel, forgetMember } from './component-ids.ts';

/** In metadata, and on the bus. */
const kinds = { data: 'change', event: 'platform' } as const;
const typeOf = ({ kind }: CustomChannel) => (kind === 'change' ? 'data' : 'event');

function channelOf(id: string, context: EmulatorContext): CustomChannel {
  const found = context.bus.customChannels().find(({ name }) => channelId(name, context) === id);
  if (!found) throw gone();
  return found;
}

/** Custom channels (Tooling API guide, PlatformEventChannel). The standard one, `ChangeEvents`, is not among them. */
export const channels: ComponentKind = {
  object: 'PlatformEventChannel',
  rows: (context) =>
    context.bus.customChannels().map((channel) => {
      const { name, label = name.replace(/__chn$/, '') } = channel;
      return {
        ...componentRow(channelId(name, context), { developerName: name.replace(/__chn$/, ''), label, fullName: name }),
        ChannelType: typeOf(channel),
        EventType: channel.kind === 'change' ? 'data' : 'custom',
        Metadata: JSON.stringify({ channelType: typeOf(channel), eventType: null, label, urls: null }),
      };
    }),
  create(component, context) {
    const name = requiredName(component);
    if (!name.endsWith('__chn')) {
      throw badRequest('INVALID_FULL_NAME', `The name of a custom channel ends with __chn: ${name}`, ['FullName']);
    }
    checkName(name.slice(0, -'__chn'.length));
    const type = requiredText(component, 'channelType');
    const label = requiredText(component, 'label');
    if (type !== 'data' && type !== 'event') {
      throw badRequest(
        'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST',
        `Channel Type: bad value for restricted picklist field: ${type}`,
      );
    }
    if (context.bus.customChannels().some((channel) => channel.name === name)) throw duplicate(name);
    defining(() => context.bus.defineChannel({ name, label, kind: kinds[type], members: [] }));
    return channelId(name, context);
  },
  update(id, component, context) {
    const channel = channelOf(id, context);
    if (component.fullName !== undefined && component.fullName !== channel.name) throw notUpdatable('FullName');
    const { channelType = typeOf(channel) } = component.metadata;
    if (channelType !== typeOf(channel)) throw notUpdatable('ChannelType');
    context.bus.defineChannel({ ...channel, label: requiredText(component, 'label') });
  },
  remove(id, context) {
    const channel = channelOf(id, context);
    context.bus.removeChannel(channel.name);
    forgetChannel(channel.name, context);
    for (const { eventName } of channel.members) forgetMember(channel.name, eventName, context);
  },
};
