/** So many events are remembered: a server that sends something twice does so soon. A power of two, as all sizes of the ring. */
const REMEMBERED = 4096;
/** A stream on which little happens, of one org among a thousand, takes little. */
const REMEMBERED_AT_FIRST = 16;

/** Numbers are such as 32 bits may not hold. */
interface Ring {
  readonly replayIds: string[];
  readonly ids: string[];
  readonly keys: (string | undefined)[];
  /** By hash, the number of the newest event; numbers begin with 1. Twice as many as there are places. */
  readonly newest: Float64Array;
  /** By place in the ring, the number of the event before it of the same hash. */
  readonly before: Float64Array;
}

/**
 * What was delivered lately, so that a repetition on the same stream goes no further: it would undo what came between. A ring of the
 * last events, in which those of one hash are chained from the newest back. Nothing is ever taken out, or made for an event: a map of
 * as many was a fifth of what reading an event costs.
 */
export class RecentEvents {
  #size = REMEMBERED_AT_FIRST;
  #ring = ringOf(REMEMBERED_AT_FIRST);
  #count = 0;

  /** Whether this is the first time. @param id, key  tell it from others of the same replay id */
  add(replayId: string, id: string, key: string | undefined): boolean {
    const { replayIds, ids, keys, newest, before } = this.#ring;
    const forgotten = this.#count - this.#size;
    const last = newest[hashOf(replayId) & (2 * this.#size - 1)]!;
    for (let number = last; number > 0 && number > forgotten; number = before[number & (this.#size - 1)]!) {
      const place = number & (this.#size - 1);
      if (replayIds[place] === replayId && ids[place] === id && keys[place] === key) return false;
    }
    if (this.#count === this.#size && this.#size < REMEMBERED) this.#grow();
    this.#put(replayId, id, key);
    return true;
  }

  #put(replayId: string, id: string, key: string | undefined): void {
    const { replayIds, ids, keys, newest, before } = this.#ring;
    const number = ++this.#count;
    const place = number & (this.#size - 1);
    const hash = hashOf(replayId) & (2 * this.#size - 1);
    replayIds[place] = replayId;
    ids[place] = id;
    keys[place] = key;
    before[place] = newest[hash]!;
    newest[hash] = number;
  }

  /** It is full for the first time, so that its events lie in their order, but for the last, which has the first place. */
  #grow(): void {
    const { replayIds, ids, keys } = this.#ring;
    const [count, mask] = [this.#count, this.#size - 1];
    this.#size *= 2;
    this.#ring = ringOf(this.#size);
    this.#count = 0;
    for (let number = 1; number <= count; number++) {
      const place = number & mask;
      this.#put(replayIds[place]!, ids[place]!, keys[place]);
    }
  }
}

function ringOf(size: number): Ring {
  const texts = () => new Array<string>(size).fill('');
  return { replayIds: texts(), ids: texts(), keys: texts(), newest: new Float64Array(2 * size), before: new Float64Array(size) };
}

function hashOf(replayId: string): number {
  let hash = 0;
  for (let i = 0; i < replayId.length; i++) hash = (Math.imul(hash, 31) + replayId.charCodeAt(i)) | 0;
  return (hash ^ (hash >>> 16)) >>> 0;
}
