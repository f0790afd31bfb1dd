import { type Change, type Clock, gatheringWriter, type StreamWriter, type Target } from '@tidemark/core';
import type { Queues } from './queue.ts';
import { QueueTarget } from './target.ts';

/** Appends what a stream brings to several queues in one transaction, with the stream's position (P1, P6). */
export function queueStreamWriter(queues: Queues, clock: Clock): StreamWriter {
  return gatheringWriter<QueueTarget>({
    isOwn: (target: Target): target is QueueTarget => target instanceof QueueTarget && target.queues === queues,
    // A message holds a whole record: of a partial change it is read first.
    take: (target, change) =>
      change.op === 'update'
        ? { result: { status: 'absent' }, appended: [] }
        : { result: target.resultOf(change), appended: target.kept([change]) },
    async commit(gathered, commit, signal) {
      const byQueue = new Map<string, Change[]>();
      for (const [{ name }, changes] of gathered) byQueue.set(name, [...(byQueue.get(name) ?? []), ...changes]);
      const appends = [...byQueue].map(([queue, changes]) => ({ queue, changes }));
      await queues.append(appends, commit, clock.now(), signal);
    },
  });
}
