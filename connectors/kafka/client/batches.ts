import type { Outgoing } from './units.ts';

/** What a batch holds besides keys, values and headers, and what each message adds, at most. */
const BATCH_OVERHEAD = 200;
const MESSAGE_OVERHEAD = 70;

/** Bytes of a message within a batch, at most. */
export function sizeOf({ key, value, headers = {} }: Outgoing): number {
  const texts = [key ?? '', value ?? '', ...Object.entries(headers).flat()];
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), MESSAGE_OVERHEAD);
}

/** The largest message of a topic whose batches may have so many bytes. */
export const messageBytesMax = (batchBytesMax: number) => batchBytesMax - BATCH_OVERHEAD;

/** Bytes of a batch of these, at most. */
export const batchBytesOf = (messages: readonly Outgoing[]) =>
  messages.reduce((sum, message) => sum + sizeOf(message), BATCH_OVERHEAD);

/** As many messages at once as a batch may hold, whichever partitions they go to. */
export function* batchesOf(messages: readonly Outgoing[], batchBytesMax: number): Generator<readonly Outgoing[]> {
  let batch: Outgoing[] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = sizeOf(message);
    if (batch.length > 0 && bytes + size > messageBytesMax(batchBytesMax)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(message);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
