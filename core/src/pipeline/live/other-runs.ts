import { decodeEnvelope } from '../envelope.ts';
import type { LiveEnvelope } from './live-envelope.ts';

interface Looked {
  /** What is kept of the sync, as far as it is accounted for. */
  known: string | null;
  /** By whom that was written. */
  signature: string | null;
  /** What was kept at the last look. */
  seen: string | null;
}

/**
 * Notices runs that other processes make of syncs beside their stream: one by hand, or one of a process that was frozen while it followed
 * the stream itself, and goes on with what it had read then. They may bring what is older than what the stream has told since, above all
 * a record that is deleted, of which no row is left to tell (P3): the sync is then read again.
 */
export class OtherRuns {
  readonly #process: string;
  readonly #syncs = new Map<string, Looked>();

  /** @param process  this one */
  constructor(process: string) {
    this.#process = process;
  }

  /**
   * A sync begins to be followed, or goes on.
   * @param kept    what is kept of it
   * @param before  what the process has kept that has followed the stream until now: beside its own runs nothing was missed, and for
   *                those of others it has accounted
   * @returns whether another one has written it
   */
  begin(sync: string, kept: string | null, before: Pick<LiveEnvelope, 'owner' | 'otherRuns'> | null): boolean {
    if (this.#syncs.has(sync)) return false;
    const signature = signatureOf(kept);
    this.#syncs.set(sync, { known: kept, signature, seen: kept });
    return signature !== null && signerOf(signature) !== before?.owner && signature !== before?.otherRuns?.[sync];
  }

  /**
   * Whether such a run has written, and no more since the last look: one that is under way would lose the sync to the run that reads it
   * again (P11). Each is told of once.
   */
  look(sync: string, kept: string | null): boolean {
    const of = this.#syncs.get(sync);
    if (of === undefined || kept === of.known) return false;
    const signature = signatureOf(kept);
    const isOurs = kept === null || (signature !== null && signerOf(signature) === this.#process);
    const isOver = kept === of.seen;
    of.seen = kept;
    if (isOurs || isOver) Object.assign(of, { known: kept, signature });
    return !isOurs && isOver;
  }

  /** Of syncs that another process has run last, by what signature. For the process that follows next. */
  get accounted(): Readonly<Record<string, string>> {
    const accounted: Record<string, string> = {};
    for (const [sync, { signature }] of this.#syncs) {
      if (signature !== null && signerOf(signature) !== this.#process) accounted[sync] = signature;
    }
    return accounted;
  }
}

/** By whom what is kept of a sync was written; null where that is not told. */
const signatureOf = (kept: string | null): string | null => decodeEnvelope(kept)?.by ?? null;

/** The process that has signed. */
const signerOf = (signature: string): string => signature.slice(0, signature.lastIndexOf('.'));
