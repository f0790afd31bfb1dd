import {
  type ConnectorContext,
  type DatasetSchema,
  type EventReader,
  RequestRefusedError,
  type SourceSpec,
} from '@tidemark/core';
import type { Client } from '../client.ts';
import type { From } from '../config.ts';
import type { Describes } from '../describe.ts';
import { openSource } from '../source.ts';
import { openTopicSource } from '../topic/topic-source.ts';
import { createDecoder } from './decode-event.ts';
import { createEventPlans } from './event-plans.ts';
import { type KeptSchema, readKeptSchema } from './kept-schema.ts';
import { fromKept } from './raw-event.ts';

/** `Connection.openEvents`: reads events that were kept, by what the org told of them then. Asks the org nothing. */
export async function openKeptEvents(
  context: ConnectorContext,
  spec: SourceSpec<From>,
  schemas: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<EventReader> {
  const kept = new Map([...schemas].map(([id, text]) => [id, readKeptSchema(text)]));
  const describes = keptDescribes([...kept.values()]);
  // A parent's field is in no event, and the parent was not kept: such a column is left as it is.
  const isOfParent = (name: string) => name.includes('.');
  const own = spec.fields?.filter((name) => !isOfParent(name)) ?? null;
  const parts = { client: noClient, context: { ...context, log: silent }, describes, memories: new Map() };
  const open = spec.from.topic === undefined ? openSource : openTopicSource;
  const source = await open(parts, { ...spec, fields: own }, signal);
  const schema: DatasetSchema = {
    ...source.schema,
    fields: [
      ...source.schema.fields,
      ...(spec.fields ?? []).filter(isOfParent).map((name) => ({ name, type: 'text' as const, nullable: true })),
    ],
  };
  const dataset = source.streamDataset!;
  const decoderOf = (needsSchema: boolean) =>
    createDecoder(createEventPlans({ loadSchema: async (id) => avroOf(kept, id), needsSchema, describes, context }), [dataset]);
  const decoders = { avro: decoderOf(true), json: decoderOf(false) };
  return {
    schema,
    dataset,
    ...(source.stampField === undefined ? {} : { stampField: source.stampField }),
    ...(source.filterFields === undefined ? {} : { filterFields: source.filterFields }),
    ...(source.derivedFields === undefined ? {} : { derivedFields: source.derivedFields }),
    ...(source.eventsOnly === undefined ? {} : { eventsOnly: source.eventsOnly }),
    read: (raw, position) => decoders[raw.format === 'avro' ? 'avro' : 'json'].decode(fromKept(raw, dataset), position, signal),
  };
}

function avroOf(kept: ReadonlyMap<string, KeptSchema>, id: string): string {
  const avro = kept.get(id)?.avro;
  if (avro != null) return avro;
  throw new RequestRefusedError(`the schema ${id} of an event was not kept`, { hint: 'tidemark refetch brings its record' });
}

/** Each object as it was described last. */
function keptDescribes(kept: readonly KeptSchema[]): Describes {
  const byName = new Map<string, KeptSchema>();
  for (const schema of kept) {
    if (schema.describe === null) continue;
    const name = schema.describe.name.toLowerCase();
    if (schema.atMs >= (byName.get(name)?.atMs ?? Number.NEGATIVE_INFINITY)) byName.set(name, schema);
  }
  return {
    async get(object) {
      const found = byName.get(object.toLowerCase())?.describe;
      if (found != null) return found;
      throw new RequestRefusedError(`no event of ${object} was kept`, {
        hint: 'events are kept from when `journal:` is set and tidemark start has run',
      });
    },
    forget() {},
  };
}

const noClient: Client = {
  // Only says whose the records are, and they are not read.
  session: async () => ({ accessToken: '', instanceUrl: '', organizationId: '' }),
  renew: async (session) => session,
  request: async () => {
    throw new RequestRefusedError('what was kept is read without the org');
  },
} as Partial<Client> as Client;

const silent = { debug() {}, info() {}, warn() {}, error() {} };
