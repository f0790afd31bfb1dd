import type { RawEvent as KeptRawEvent, StreamEvent } from '@tidemark/core';
import type { JsonPayload, RawEvent } from './transport.ts';

/** What is kept of an event: bytes as they came, the JSON of CometD as a text. */
export function toKeep(raw: RawEvent, { dataset, keys }: Pick<StreamEvent, 'dataset' | 'keys'>): KeptRawEvent {
  const { replayId, payload } = raw;
  const isAvro = payload instanceof Uint8Array;
  return {
    replayId,
    // Before API version 52 CometD tells no UUID; what it is about then tells two of one replay id apart.
    id: raw.id === '' ? (keys[0] ?? '') : raw.id,
    // Of a platform event that is its name, which JSON does not repeat in the payload.
    schemaId: raw.schemaId === '' ? dataset : raw.schemaId,
    format: isAvro ? 'avro' : 'json',
    payload: isAvro ? payload : Buffer.from(JSON.stringify(payload)),
  };
}

/** The same as a transport brings it. @throws the JSON is none */
export function fromKept({ replayId, id, schemaId, format, payload }: KeptRawEvent, name: string): RawEvent {
  const told = { replayId, id, schemaId, name };
  if (format === 'avro') return { ...told, payload };
  return { ...told, payload: JSON.parse(Buffer.from(payload).toString()) as JsonPayload };
}
