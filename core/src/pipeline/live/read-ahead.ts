import type { Change } from '../../model/change.ts';

/** So many records are remembered, and up to twice as many: the stream is soon past what was read of them. */
const KEYS_MIN = 10_000;

/**
 * Records that the stream has read are ahead of it, until it comes to what the read has seen already. What it tells of them before that
 * is mostly older by its stamp, and changes nothing. Stamps count seconds: what has the very stamp that was read may be from before the
 * read as well as from after it.
 */
export class ReadAhead {
  #stamps = new Map<string, number>();
  #stampsBefore: ReadonlyMap<string, number> = new Map();

  note(read: readonly Change[]): void {
    for (const { key, stampMs } of read) this.#stamps.set(key, stampMs);
    if (this.#stamps.size < KEYS_MIN) return;
    this.#stampsBefore = this.#stamps;
    this.#stamps = new Map();
  }

  /** Whether nobody can say which is newer: what has this stamp, or what was read. */
  isDoubtful(key: string, stampMs: number | null): boolean {
    return stampMs !== null && (this.#stamps.get(key) ?? this.#stampsBefore.get(key)) === stampMs;
  }
}
