/** So many events are remembered: a server that sends something twice does so soon. A power of two. */
const REMEMBERED = 4096;
const PLACE = REMEMBERED - 1;
const HASHES = 2 * REMEMBERED;

/**
 * What was delivered lately, so that a repetition on the same stream goes no further: it would undo what came between. A ring of the
 * last events, in which those of one hash are chained from the newest back. Nothing is ever taken out, or made for an event: a map of
 * as many costs as much as half of what reading the event does.
 */
export class RecentEvents {
  readonly #replayIds = new Array<string>(REMEMBERED).fill('');
  readonly #ids = new Array<string>(REMEMBERED).fill('');
  readonly #keys = new Array<string | undefined>(REMEMBERED).fill('');
  /** By hash, the number of the newest event; numbers begin with 1. More of them than 32 bits hold. */
  readonly #newest = new Float64Array(HASHES);
  /** By place in the ring, the number of the event before it of the same hash. */
  readonly #before = new Float64Array(REMEMBERED);
  #count = 0;

  /** Whether this is the first time. @param id, key  tell it from others of the same replay id */
  add(replayId: string, id: string, key: string | undefined): boolean {
    const hash = hashOf(replayId);
    const newest = this.#newest[hash]!;
    const forgotten = this.#count - REMEMBERED;
    for (let number = newest; number > 0 && number > forgotten; number = this.#before[number & PLACE]!) {
      const place = number & PLACE;
      if (this.#replayIds[place] === replayId && this.#ids[place] === id && this.#keys[place] === key) return false;
    }
    const number = ++this.#count;
    const place = number & PLACE;
    this.#replayIds[place] = replayId;
    this.#ids[place] = id;
    this.#keys[place] = key;
    this.#before[place] = newest;
    this.#newest[hash] = number;
    return true;
  }
}

function hashOf(replayId: string): number {
  let hash = 0;
  for (let i = 0; i < replayId.length; i++) hash = (Math.imul(hash, 31) + replayId.charCodeAt(i)) | 0;
  return (hash ^ (hash >>> 16)) & (HASHES - 1);
}
