import type { AvroField, AvroRecord } from '../../events/avro-schema.ts';
import { objectOfChangeEvent } from '../../events/event-names.ts';
import type { EventSchema } from '../../events/types.ts';
import type { ApiReply, ApiRequest, Handler } from '../api-types.ts';
import { badRequest, notFound } from '../errors.ts';

/** `GET /event/eventSchema/i8wg…` (REST API Developer Guide, "Platform Event Schema by Schema ID"). */
export const eventSchemaById: Handler = (request, { bus }) => reply(request, bus.schema(request.params.id as string));

/** `GET /sobjects/Order_Shipped__e/eventSchema` ("Platform Event Schema by Event Name"); change events have one as well. */
export const eventSchemaByName: Handler = (request, { bus }) => {
  const name = request.params.object as string;
  const topic = objectOfChangeEvent(name) === undefined ? `/event/${name}` : `/data/${name}`;
  return reply(request, bus.channel(topic)?.schema());
};

const expandedSince = 43;

function reply({ query, version }: ApiRequest, schema: EventSchema | undefined): ApiReply {
  if (!schema) throw notFound();
  const asked = query.get('payloadFormat');
  const knowsFormats = version.number >= expandedSince;
  if (asked !== null && !(knowsFormats && (asked === 'EXPANDED' || asked === 'COMPACT'))) {
    throw badRequest('INVALID_PARAMETER', `payloadFormat is not supported: ${asked}`);
  }
  const record = JSON.parse(schema.json) as AvroRecord;
  const isExpanded = knowsFormats && asked !== 'COMPACT';
  return { status: 200, body: { ...(isExpanded ? expanded(record) : record), uuid: schema.id } };
}

/** The whole message as CometD sends it. Dates are text there (assumed: the guide shows no example of a body). */
function expanded({ name, namespace, fields }: AvroRecord): object {
  const record = (recordName: string, recordFields: readonly object[]) => ({
    type: 'record',
    name: recordName,
    fields: recordFields,
  });
  const data = [
    { name: 'schema', type: 'string' },
    { name: 'payload', type: { ...record('Payload', fields.map(asText)), doc: '' } },
    { name: 'event', type: record('Event', [{ name: 'replayId', type: 'long' }]) },
  ];
  return {
    name,
    namespace,
    type: 'expanded-record',
    fields: [
      { name: 'data', type: { ...record('Data', data), namespace: '' } },
      { name: 'channel', type: 'string' },
    ],
  };
}

function asText(field: AvroField): AvroField {
  if (!/:(DateTime|DateOnly|TimeOnly)\b/.test(field.doc ?? '')) return field;
  return { ...field, type: Array.isArray(field.type) ? ['null', 'string'] : 'string' };
}
