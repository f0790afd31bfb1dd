import { decodeEnvelope } from '../envelope.ts';

/**
 * Notices runs that other processes make of syncs beside their stream: one by hand, or one of a process that was frozen while it followed
 * the stream itself, and goes on with what it had read then. They may bring what is older than what the stream has told since, above all
 * a record that is deleted, of which no row is left to tell (P3): the sync is then read again.
 */
export class OtherRuns {
  readonly #process: string;
  /** What is kept of each sync, as far as it is accounted for, and as it was seen last. */
  readonly #syncs = new Map<string, { known: string | null; seen: string | null }>();

  /** @param process  this one */
  constructor(process: string) {
    this.#process = process;
  }

  /**
   * A sync begins to be followed, or goes on.
   * @param kept      what is kept of it
   * @param follower  the process that has followed the stream until now, beside whose runs nothing was missed
   * @returns whether another one has written it
   */
  begin(sync: string, kept: string | null, follower: string | undefined): boolean {
    if (this.#syncs.has(sync)) return false;
    this.#syncs.set(sync, { known: kept, seen: kept });
    const by = signerOf(kept);
    return by !== null && by !== follower;
  }

  /**
   * Whether such a run has written, and no more since the last look: one that is under way would lose the sync to the run that reads it
   * again (P11). Each is told of once.
   */
  look(sync: string, kept: string | null): boolean {
    const of = this.#syncs.get(sync);
    if (of === undefined || kept === of.known) return false;
    const isOurs = kept === null || signerOf(kept) === this.#process;
    const isOver = kept === of.seen;
    of.seen = kept;
    if (isOurs || isOver) of.known = kept;
    return !isOurs && isOver;
  }
}

/** The process whose run has written what is kept of a sync; null where that is not told. */
function signerOf(kept: string | null): string | null {
  const by = decodeEnvelope(kept)?.by;
  return by === undefined ? null : by.slice(0, by.lastIndexOf('.'));
}
