import type { Change } from '../../model/change.ts';

/** So many records are remembered, and up to twice as many: the stream is soon past what was read of them. */
const KEYS_MIN = 10_000;
/**
 * A record that changes all the time is ahead of the stream by each read anew. After so many, one for the sake of the other, what is
 * told counts again: for a moment it may mix, and the org is spared (P8).
 */
const AGAIN_MAX = 10;

interface LastRead {
  /** Null when it is in doubt no more. */
  readonly stampMs: number | null;
  /** Reads before it that were made for the sake of one before them. */
  readonly again: number;
}

/**
 * Records that the stream has read are ahead of it, until it comes to what the read has seen already. What it tells of them before that
 * is mostly older by its stamp, and changes nothing. Stamps count seconds: what has the very stamp that was read may be from before the
 * read as well as from after it.
 */
export class ReadAhead {
  #reads = new Map<string, LastRead>();
  #readsBefore: ReadonlyMap<string, LastRead> = new Map();

  /** @param doubted  those that were read because they were in doubt */
  note(read: readonly Change[], doubted: ReadonlySet<string>): void {
    for (const { key, stampMs } of read) {
      const again = doubted.has(key) ? (this.#of(key)?.again ?? 0) + 1 : 0;
      this.#reads.set(key, { stampMs: again < AGAIN_MAX ? stampMs : null, again });
    }
    if (this.#reads.size < KEYS_MIN) return;
    this.#readsBefore = this.#reads;
    this.#reads = new Map();
  }

  /** Whether nobody can say which is newer: what has this stamp, or what was read. */
  isDoubtful(key: string, stampMs: number | null): boolean {
    return stampMs !== null && this.#of(key)?.stampMs === stampMs;
  }

  #of(key: string): LastRead | undefined {
    return this.#reads.get(key) ?? this.#readsBefore.get(key);
  }
}
