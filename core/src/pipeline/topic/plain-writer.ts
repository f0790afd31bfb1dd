import type { Change } from '../../model/change.ts';
import type { Checkpoints, Target } from '../../model/connector.ts';
import type { StreamChange, StreamTransaction, StreamWriteResult, StreamWriter } from '../../model/stream.ts';

/**
 * Brings a stream's changes to targets that have no transactions: a write is done once it is acknowledged, and the checkpoint follows
 * it, in the store. A crash in between repeats what was written and skips nothing (P1).
 */
export class PlainWriter implements StreamWriter {
  readonly #checkpoints: Checkpoints;
  readonly #epoch: number;

  constructor(checkpoints: Checkpoints, epoch: number) {
    this.#checkpoints = checkpoints;
    this.#epoch = epoch;
  }

  async begin(signal: AbortSignal): Promise<StreamTransaction> {
    const checkpoints = this.#checkpoints;
    const epoch = this.#epoch;
    return {
      apply: (target: Target, changes: readonly StreamChange[]): Promise<readonly StreamWriteResult[]> =>
        target.write(changes as readonly Change[], { epoch, settle: async () => null }, signal),
      commit: (unit, owner, checkpoint) => checkpoints.write(unit, owner, checkpoint),
      async rollback() {},
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
