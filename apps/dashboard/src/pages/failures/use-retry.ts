import type { OperationShape } from '@tidemark/core/api';
import { outcomeOf, useAction } from '../../api/actions.ts';
import { ask } from '../../api/ask.ts';
import { keys } from '../../api/queries.ts';

/** Tries failing records of a sync again, all of them or these, and waits for what comes of it. */
export function useRetry(sync: string) {
  return useAction({
    done: 'tried again',
    send: async (ids: readonly string[] | undefined) =>
      outcomeOf(await ask<OperationShape>('/failures/retry', { method: 'POST', body: { sync, ...(ids && { ids }) } })),
    changes: [keys.failures, keys.syncs, keys.sync(sync), keys.records],
  });
}
