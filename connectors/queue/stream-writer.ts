import {
  type Change,
  type Clock,
  InvariantError,
  type StreamChange,
  type StreamTransaction,
  type StreamWriteResult,
  type StreamWriter,
  type Target,
} from '@tidemark/core';
import type { Queues } from './queue.ts';
import { QueueTarget } from './target.ts';

/** Appends what a stream brings to several queues in one transaction, with the stream's position (P1, P6). */
export class QueueStreamWriter implements StreamWriter {
  readonly #queues: Queues;
  readonly #clock: Clock;

  constructor(queues: Queues, clock: Clock) {
    this.#queues = queues;
    this.#clock = clock;
  }

  async begin(signal: AbortSignal): Promise<StreamTransaction> {
    signal.throwIfAborted();
    // Gathered here until the commit, so that a stream that waits for the rest of a transaction keeps nobody from appending.
    const gathered = new Map<string, Change[]>();
    let isOpen = true;
    return {
      apply: async (target, changes) => {
        if (!isOpen) throw new InvariantError('The transaction of this stream has ended');
        signal.throwIfAborted();
        const queue = this.#ownQueue(target);
        const kept = gathered.get(queue.name) ?? [];
        gathered.set(queue.name, kept);
        return changes.map((change) => take(queue, change, kept));
      },
      commit: async (unit, epoch, checkpoint) => {
        if (!isOpen) throw new InvariantError('The transaction of this stream has ended');
        isOpen = false;
        const appends = [...gathered].map(([queue, changes]) => ({ queue, changes }));
        await this.#queues.append(appends, { unit, epoch, checkpoint }, this.#clock.now(), signal);
      },
      async rollback() {
        isOpen = false;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #ownQueue(target: Target): QueueTarget {
    if (target instanceof QueueTarget && target.queues === this.#queues) return target;
    throw new InvariantError('A stream writes targets of its own connection only');
  }
}

/** A message holds a whole record: of a partial change it is read first. */
function take(target: QueueTarget, change: StreamChange, kept: Change[]): StreamWriteResult {
  if (change.op === 'update') return { status: 'absent' };
  kept.push(...target.kept([change]));
  return target.resultOf(change);
}
