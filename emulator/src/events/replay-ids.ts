import { seededRandom } from '../seeded-random.ts';
import { InvalidReplayIdError } from './types.ts';

/** Events stay this long, by the org's clock (Pub/Sub API guide, "Event Message Durability"). */
export const retentionMs = 72 * 3_600_000;

/** A position is given out to a quiet subscriber at most this often. */
const markEveryMs = 30_000;
const firstId = 1_544_272;
const stepMax = 4;

/** Gives out the positions of the one bus. They ascend, and nobody may count on more: steps vary. */
export interface ReplayIds {
  next(): number;
  readonly last: number;
  /** The newest position; moves on with time, so that a subscriber who hears nothing stays inside retention. */
  mark(): number;
  /** Whether it was given to a quiet subscriber, within retention. */
  isMark(id: number): boolean;
}

export function createReplayIds(now: () => number, seed: number): ReplayIds {
  const random = seededRandom(seed);
  let last = firstId;
  let lastAtMs = now();
  let marks: { id: number; atMs: number }[] = [{ id: last, atMs: lastAtMs }];
  const step = () => {
    last += 1 + Math.floor(random() * stepMax);
    lastAtMs = now();
    return last;
  };
  return {
    next: step,
    get last() {
      return last;
    },
    mark() {
      const atMs = now();
      // Turned back, the clock would make marks that are old before their time.
      if (Math.abs(atMs - lastAtMs) >= markEveryMs) marks.push({ id: step(), atMs });
      if (marks.some((mark) => mark.atMs < atMs - retentionMs)) marks = marks.filter((mark) => mark.atMs >= atMs - retentionMs);
      return last;
    },
    isMark: (id) => marks.some((mark) => mark.id === id && mark.atMs >= now() - retentionMs),
  };
}

/** As recorded: an 8-byte big-endian counter and two zero bytes. */
export function replayBytes(replayId: number): Uint8Array {
  const bytes = Buffer.alloc(10);
  // A cursor within a group of events that share an id is told as that id.
  const id = Math.ceil(replayId);
  bytes.writeUInt32BE(Math.floor(id / 2 ** 32), 0);
  bytes.writeUInt32BE(id % 2 ** 32, 4);
  return bytes;
}

/** Some clients send the counter alone. */
export function replayIdOf(bytes: Uint8Array): number {
  const buffer = Buffer.from(bytes);
  if (buffer.length !== 8 && buffer.length !== 10) {
    throw new InvalidReplayIdError(`a replay id has 10 bytes, or 8; this one has ${buffer.length}`);
  }
  const id = buffer.readBigUInt64BE();
  const isWhole = buffer.length === 8 || buffer.readUInt16BE(8) === 0;
  if (!isWhole || id > BigInt(Number.MAX_SAFE_INTEGER)) throw new InvalidReplayIdError('this replay id was never given out');
  return Number(id);
}
