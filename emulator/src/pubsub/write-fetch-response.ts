import type { ConsumerEvent, FetchResponse } from './messages.ts';

/** Tags of the fields of `pubsub_api.proto` that are written here (Protocol Buffers, "Encoding"): number, wire type. */
const events = (1 << 3) | 2;
const latestReplayId = (2 << 3) | 2;
const rpcId = (3 << 3) | 2;
const pendingNumRequested = 4 << 3;
const event = (1 << 3) | 2;
const replayId = (2 << 3) | 2;
const id = (1 << 3) | 2;
const schemaId = (2 << 3) | 2;
const payload = (3 << 3) | 2;

/**
 * A `FetchResponse` as it goes over the wire. Of all messages this one goes tens of thousands of times a second, and the
 * library makes each of its events twice before it writes it. It also writes a `ManagedFetchResponse` that carries no commit:
 * the fields that both have are the same.
 */
export function writeFetchResponse(response: FetchResponse): Buffer {
  const sizes = response.events.map(sizeOf);
  let bytes = fieldSize(response.latestReplayId.length) + fieldSize(response.rpcId.length);
  bytes += 1 + varintSize(response.pendingNumRequested);
  for (const { outer } of sizes) bytes += fieldSize(outer);
  const buffer = Buffer.allocUnsafe(bytes);
  let at = 0;

  const varint = (value: number) => {
    let rest = value;
    while (rest >= 128) {
      buffer[at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    buffer[at++] = rest;
  };
  const begin = (tag: number, length: number) => {
    buffer[at++] = tag;
    varint(length);
  };
  const text = (tag: number, value: string, length: number) => {
    begin(tag, length);
    at += buffer.write(value, at, length === value.length ? 'latin1' : 'utf8');
  };
  const raw = (tag: number, value: Uint8Array) => {
    begin(tag, value.length);
    buffer.set(value, at);
    at += value.length;
  };

  response.events.forEach((consumed, i) => {
    const size = sizes[i]!;
    begin(events, size.outer);
    begin(event, size.inner);
    text(id, consumed.event.id, size.id);
    text(schemaId, consumed.event.schemaId, consumed.event.schemaId.length);
    raw(payload, consumed.event.payload);
    raw(replayId, consumed.replayId);
  });
  raw(latestReplayId, response.latestReplayId);
  text(rpcId, response.rpcId, response.rpcId.length);
  buffer[at++] = pendingNumRequested;
  varint(response.pendingNumRequested);
  return buffer;
}

/** Ids come from publishers and may be any text; those of schemas and calls are ours, and ASCII. */
function sizeOf(consumed: ConsumerEvent): { id: number; inner: number; outer: number } {
  const idBytes = Buffer.byteLength(consumed.event.id);
  const inner = fieldSize(idBytes) + fieldSize(consumed.event.schemaId.length) + fieldSize(consumed.event.payload.length);
  return { id: idBytes, inner, outer: fieldSize(inner) + fieldSize(consumed.replayId.length) };
}

/** A tag, a length, and what is that long. */
const fieldSize = (length: number) => 1 + varintSize(length) + length;

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 128; rest >>>= 7) size++;
  return size;
}
