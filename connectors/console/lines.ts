import type { Writable } from 'node:stream';
import { RequestRefusedError } from '@tidemark/core';

/**
 * Without a listener Node ends the process over a closed pipe, in the middle of whatever else it is doing. One for each stream,
 * and for good: the event comes after the write has failed, when its writer may be gone.
 */
const guarded = new WeakSet<Writable>();

/** Writes to a stream that somebody may close at any moment, as `| head` does. */
export class Lines {
  readonly #stream: Writable;

  constructor(stream: Writable) {
    this.#stream = stream;
    if (!guarded.has(stream)) stream.on('error', () => {});
    guarded.add(stream);
  }

  /**
   * Resolves once the lines are out of our hands.
   * @throws {RequestRefusedError} nobody reads the stream any more, and no retry brings the reader back.
   */
  write(lines: readonly string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error: Error | null | undefined) => {
        if (error == null) return resolve();
        const hint = 'the next run prints what was not read';
        reject(new RequestRefusedError('nobody reads the console any more', { cause: error, hint }));
      };
      if (this.#stream.destroyed) return settle(this.#stream.errored ?? new Error('the stream is closed'));
      this.#stream.write(lines.map((line) => `${line}\n`).join(''), settle);
    });
  }
}
