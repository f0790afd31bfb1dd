import { type FieldSchema, RequestRefusedError, type Source, type SourceSpec } from '@tidemark/core';
import type { Client } from '../client.ts';
import type { From } from '../config.ts';
import { fieldSchema, unknownFields } from '../dataset.ts';
import type { Describe, Describes } from '../describe.ts';
import { describeEvent } from './describe-event.ts';

/** What identifies an event, however often it is delivered (Platform Events Developer Guide, "Platform Event Fields"). */
export const eventKey = 'EventUuid';

/** No fields of the event: where it stands on the bus, by one transport's numbering; what the bus's records are called. */
const ofTheBus = new Set(['ReplayId', 'Id']);

/** A platform event as a source: what is published comes by the stream, and nothing can be read. */
export async function openTopicSource(
  { client, describes }: { readonly client: Client; readonly describes: Describes },
  spec: SourceSpec<From>,
  signal: AbortSignal,
): Promise<Source> {
  const topic = spec.from.topic!;
  const describe = await describeEvent(describes, topic, signal);
  const { organizationId } = await client.session();
  const refuse = (): never => {
    throw new RequestRefusedError(`${topic} holds events, which are told once and cannot be read`, {
      hint: 'tidemark start brings them as they are published',
    });
  };
  return {
    schema: { name: describe.name, fields: fieldsOf(describe, spec), key: [eventKey] },
    streamDataset: describe.name,
    eventsOnly: { start: spec.from.replay ?? 'latest' },
    origin: organizationId,
    estimate: async () => null,
    mark: async () => refuse(),
    readFull: () => refuse(),
    async [Symbol.asyncDispose]() {},
  };
}

function fieldsOf(event: Describe, { fields, exclude }: Pick<SourceSpec<From>, 'fields' | 'exclude'>): FieldSchema[] {
  const known = new Map<string, FieldSchema>();
  for (const field of event.fields) {
    const schema = ofTheBus.has(field.name) || field.name === eventKey ? null : fieldSchema(field);
    if (schema !== null) known.set(field.name.toLowerCase(), schema);
  }
  const excluded = new Set(exclude.map((name) => name.toLowerCase()));
  const names = fields ?? [...known.keys()].filter((name) => !excluded.has(name));
  const wanted = names.filter((name) => name.toLowerCase() !== eventKey.toLowerCase());
  const unknown = wanted.filter((name) => !known.has(name.toLowerCase()));
  if (unknown.length > 0) throw unknownFields(event, unknown);
  const chosen = new Map(wanted.map((name) => known.get(name.toLowerCase())!).map((schema) => [schema.name, schema]));
  // Its publisher may give it any text.
  return [{ name: eventKey, type: 'text', nullable: false }, ...chosen.values()];
}
