import { type FieldSchema, type FieldType, type FieldValue, RequestRefusedError } from '@tidemark/core';
import { fetchCommitted, type KafkaClient, type TopicFacts } from './client/index.ts';
import type { KafkaFrom } from './config.ts';
import { typeOf } from './connect-schema.ts';
import { DELETED } from './headers.ts';
import { contentOf } from './read-message.ts';

/** Of each partition the newest so many messages are looked at. */
const LOOKED_AT = 200;
const BYTES = 2_000_000;

/**
 * Fields of a topic: those that are declared, else what the newest messages say or hold.
 * @throws {RequestRefusedError} none of them tells
 */
export async function discoverFields(
  client: KafkaClient,
  topic: TopicFacts,
  { fields, key }: Pick<KafkaFrom, 'fields' | 'key'>,
): Promise<readonly FieldSchema[]> {
  const types = new Map<string, FieldType>(Object.entries(fields ?? {}));
  if (fields === undefined) {
    for (const value of await newestValues(client, topic)) add(types, value);
    if (types.size === 0) {
      throw new RequestRefusedError(`No message of ${topic.name} tells which fields there are`, {
        hint: 'Declare them: from: { …, fields: { id: text, amount: decimal } }.',
      });
    }
  }
  // What only the message's key holds.
  for (const name of key) if (!types.has(name)) types.set(name, 'text');
  return [...types].map(([name, type]) => ({ name, type, nullable: !key.includes(name) }));
}

async function newestValues(client: KafkaClient, topic: TopicFacts): Promise<readonly Buffer[]> {
  const { first, end } = await client.bounds(topic);
  const from = new Map(end.flatMap((last, i) => (last > first[i]! ? [[i, Math.max(first[i]!, last - LOOKED_AT)] as const] : [])));
  if (from.size === 0) return [];
  const { messages } = await fetchCommitted(client, topic, from, { waitMs: 100, bytes: BYTES });
  return messages.flatMap(({ value }) => value ?? []);
}

function add(types: Map<string, FieldType>, value: Buffer): void {
  const content = contentOf(value);
  if (typeof content === 'string') return;
  if (content.schema !== null) {
    for (const field of content.schema.fields) if (field.field !== DELETED) types.set(field.field, typeOf(field));
    return;
  }
  for (const [name, each] of Object.entries(content.fields)) {
    if (each === null || name === DELETED) continue;
    const known = types.get(name);
    const type = typeOfValue(each);
    types.set(name, known === undefined || known === type ? type : together(known, type));
  }
}

function typeOfValue(value: NonNullable<FieldValue>): FieldType {
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'double';
  return typeof value === 'object' ? 'json' : 'text';
}

/** Of a field that holds both. */
function together(a: FieldType, b: FieldType): FieldType {
  const isNumber = (type: FieldType) => type === 'integer' || type === 'double';
  if (isNumber(a) && isNumber(b)) return 'double';
  return a === 'json' || b === 'json' ? 'json' : 'text';
}
