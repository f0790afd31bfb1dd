import type { ChannelMember, CustomChannel, GapType, PlatformEventDefinition, PlatformEventField } from '../../events/types.ts';
import type { EmulatorContext } from '../context.ts';
import type { BackdoorRequest, BackdoorRoute } from './backdoor.ts';
import { readList, readNumber, readObject, readText, refuseUnknown } from './read.ts';

/** What Setup and the Metadata API do to an org's events, and what Salesforce itself does to them. */
export const eventRoutes: readonly BackdoorRoute[] = [
  {
    method: 'GET',
    path: '/events',
    answer: (_request, { bus }) => ({
      changeEvents: bus.selectedForChangeEvents(),
      channels: bus.customChannels(),
      platformEvents: bus.platformEvents(),
      topics: bus.channels().map((channel) => ({ topic: channel.topic, schemaId: channel.schema().id })),
      latestReplayId: bus.latestReplayId(),
    }),
  },
  {
    method: 'POST',
    path: '/events/change-events',
    answer({ body }, { bus }) {
      refuseUnknown(body, ['objects', 'add']);
      if ((body.objects === undefined) === (body.add === undefined)) throw new TypeError("give either 'objects' or 'add'");
      const before = body.add === undefined ? [] : bus.selectedForChangeEvents();
      bus.selectForChangeEvents([...before, ...texts(body, body.add === undefined ? 'objects' : 'add')]);
      return { changeEvents: bus.selectedForChangeEvents() };
    },
  },
  { method: 'POST', path: '/events/channels', answer: defineChannel },
  {
    method: 'DELETE',
    path: '/events/channels/:name',
    answer: ({ params }, { bus }) => bus.removeChannel(params.name as string),
  },
  { method: 'POST', path: '/events/platform-events', answer: definePlatformEvent },
  { method: 'POST', path: '/events/publish', answer: publish },
  { method: 'POST', path: '/events/gap', answer: emitGap },
  {
    method: 'POST',
    path: '/events/overflow',
    answer({ body }, { bus }) {
      refuseUnknown(body, ['object']);
      bus.emitOverflow(readText(body, 'object'));
      return { replayId: bus.latestReplayId() };
    },
  },
  { method: 'GET', path: '/events/read', answer: read },
];

/** `{"name": "Sales__chn", "kind": "change", "members": [{"eventName": "AccountChangeEvent", "enrichedFields": ["Phone"]}]}` */
function defineChannel({ body }: BackdoorRequest, { bus }: EmulatorContext): unknown {
  refuseUnknown(body, ['name', 'label', 'kind', 'members']);
  const channel: CustomChannel = {
    name: readText(body, 'name'),
    kind: readText(body, 'kind') as CustomChannel['kind'],
    members: readList(body, 'members').map(readMember),
    ...(body.label === undefined ? {} : { label: readText(body, 'label') }),
  };
  bus.defineChannel(channel);
  return { topic: `/${channel.kind === 'change' ? 'data' : 'event'}/${channel.name}` };
}

function readMember(value: unknown): ChannelMember {
  const fields = asObject(value);
  refuseUnknown(fields, ['eventName', 'enrichedFields', 'filterExpression']);
  return {
    eventName: readText(fields, 'eventName'),
    ...(fields.enrichedFields === undefined ? {} : { enrichedFields: texts(fields, 'enrichedFields') }),
    ...(fields.filterExpression === undefined ? {} : { filterExpression: readText(fields, 'filterExpression') }),
  };
}

/** `{"name": "Ping__e", "publishBehavior": "afterCommit", "fields": [{"name": "Count__c", "type": "number", "required": true}]}` */
function definePlatformEvent({ body }: BackdoorRequest, { bus }: EmulatorContext): unknown {
  refuseUnknown(body, ['name', 'label', 'publishBehavior', 'fields']);
  const behavior = body.publishBehavior ?? 'immediately';
  if (behavior !== 'immediately' && behavior !== 'afterCommit') {
    throw new TypeError("'publishBehavior' must be immediately or afterCommit");
  }
  const event: PlatformEventDefinition = {
    name: readText(body, 'name'),
    publishBehavior: behavior,
    fields: readList(body, 'fields').map(readField),
    ...(body.label === undefined ? {} : { label: readText(body, 'label') }),
  };
  bus.definePlatformEvent(event);
  return { topic: `/event/${event.name}`, schemaId: bus.channel(`/event/${event.name}`)?.schema().id };
}

function readField(value: unknown): PlatformEventField {
  const fields = asObject(value);
  refuseUnknown(fields, ['name', 'label', 'type', 'length', 'precision', 'scale', 'required']);
  readText(fields, 'name');
  readText(fields, 'type');
  for (const name of ['length', 'precision', 'scale']) if (fields[name] !== undefined) readNumber(fields, name);
  return fields as unknown as PlatformEventField;
}

/** `{"topic": "/event/Ping__e", "events": [{"Count__c": 1}]}`: as the server itself publishes, from a flow or Apex. */
function publish({ body }: BackdoorRequest, { bus, org }: EmulatorContext): unknown {
  refuseUnknown(body, ['topic', 'events', 'userId']);
  const userId = body.userId === undefined ? org.adminUserId : readText(body, 'userId');
  const events = readList(body, 'events').map((fields) => ({ fields: asObject(fields) }));
  return { results: bus.publish(readText(body, 'topic'), events, userId) };
}

const gapTypes: readonly string[] = ['GAP_CREATE', 'GAP_UPDATE', 'GAP_DELETE', 'GAP_UNDELETE'] satisfies GapType[];

function emitGap({ body }: BackdoorRequest, { bus }: EmulatorContext): unknown {
  refuseUnknown(body, ['object', 'type', 'ids']);
  const type = body.type === undefined ? 'GAP_UPDATE' : readText(body, 'type');
  if (!gapTypes.includes(type)) throw new TypeError(`'type' must be one of ${gapTypes.join(', ')}`);
  bus.emitGap(readText(body, 'object'), type as GapType, texts(body, 'ids'));
  return { replayId: bus.latestReplayId() };
}

/** `?topic=&after=&max=&userId=`: events as CometD shows them, without subscribing. */
function read({ query }: BackdoorRequest, { bus, org }: EmulatorContext): unknown {
  const channel = bus.channel(query.get('topic') ?? '');
  if (!channel) throw new TypeError(`there is no topic '${query.get('topic')}'`);
  const after = Number(query.get('after') ?? 0);
  const max = Number(query.get('max') ?? 100);
  if (!Number.isFinite(after) || !Number.isFinite(max)) throw new TypeError("'after' and 'max' must be numbers");
  const { events, next } = channel.read(after, max, query.get('userId') ?? org.adminUserId);
  const shown = events.map((event) => {
    const { replayId, uuid, schemaId, eventName } = event;
    return { replayId, uuid, schemaId, eventName, payload: event.json() };
  });
  return { events: shown, next };
}

function texts(fields: Readonly<Record<string, unknown>>, name: string): string[] {
  return readList(fields, name).map((value) => {
    if (typeof value !== 'string') throw new TypeError(`'${name}' must be a list of strings`);
    return value;
  });
}

const asObject = (value: unknown): Record<string, unknown> => readObject({ value }, 'value');
