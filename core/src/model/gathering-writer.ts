import { InvariantError } from '../base/errors.ts';
import type { Change } from './change.ts';
import type { Target } from './connector.ts';
import type { StreamChange, StreamWriteResult, StreamWriter } from './stream.ts';

/** What a target that is only ever appended to makes of the changes of a stream. */
export interface Gathering<T extends Target> {
  /** Whether this target is one of the same connection. */
  isOwn(target: Target): target is T;
  /** What becomes of this change: its result, and what is appended for it. */
  take(target: T, change: StreamChange): { readonly result: StreamWriteResult; readonly appended: readonly Change[] };
  /** Appends all of it with the position, or does neither. */
  commit(
    gathered: ReadonlyMap<T, readonly Change[]>,
    commit: { readonly unit: string; readonly epoch: number; readonly checkpoint: string },
    signal: AbortSignal,
  ): Promise<void>;
}

/**
 * A stream writer that sends nothing before its commit (P1, P6): a stream that waits for the rest of a transaction keeps nobody else
 * from appending.
 */
export function gatheringWriter<T extends Target>(gathering: Gathering<T>): StreamWriter {
  return {
    async begin(signal) {
      signal.throwIfAborted();
      const gathered = new Map<T, Change[]>();
      let isOpen = true;
      const needOpen = () => {
        if (!isOpen) throw new InvariantError('The transaction of this stream has ended');
      };
      return {
        async apply(target, changes) {
          needOpen();
          signal.throwIfAborted();
          if (!gathering.isOwn(target)) throw new InvariantError('A stream writes targets of its own connection only');
          const kept = gathered.get(target) ?? [];
          gathered.set(target, kept);
          return changes.map((change) => {
            const { result, appended } = gathering.take(target, change);
            kept.push(...appended);
            return result;
          });
        },
        async commit(unit, epoch, checkpoint) {
          needOpen();
          isOpen = false;
          await gathering.commit(gathered, { unit, epoch, checkpoint }, signal);
        },
        async rollback() {
          isOpen = false;
        },
      };
    },
    async [Symbol.asyncDispose]() {},
  };
}
