import type { Change } from '../model/change.ts';
import type { Failure } from '../store/store.ts';
import { forgetFailures, newFailure, remember, tellResults } from './apply.ts';
import { signedAnew } from './envelope.ts';
import { inTurn, type OpenedSync, type RunScope } from './opened-sync.ts';
import { UNREAD } from './unread.ts';

/** Failures tried in one go. */
const BATCH = 200;

/**
 * Tries failing records again: those that are due, or these. A retry writes the source's current record where it can be read,
 * so that the kept one, which may be old by now, never overwrites a newer one (P2, P3).
 */
export async function retryFailures(
  sync: OpenedSync,
  scope: RunScope,
  failing: Set<string>,
  ids?: readonly string[],
): Promise<void> {
  const { name } = sync.config;
  if (ids !== undefined) {
    for (let at = 0; at < ids.length && !scope.stopping(); at += BATCH) {
      const failures = await sync.store.failures({ sync: name, ids: ids.slice(at, at + BATCH) });
      await inTurn(sync, () => retryBatch(sync, scope, failures, failing));
    }
    return;
  }
  // What fails again is due later, so that the next batch holds others; memory stays flat however many there are (P9).
  const dueAtMs = sync.clock.now();
  while (!scope.stopping()) {
    const failures = await sync.store.failures({ sync: name, dueAtMs, limit: BATCH });
    if (failures.length === 0) return;
    await inTurn(sync, () => retryBatch(sync, scope, failures, failing));
  }
}

const isOfTarget = ({ place }: Failure) => place === 'target';

async function retryBatch(sync: OpenedSync, scope: RunScope, all: readonly Failure[], failing: Set<string>): Promise<void> {
  const { source, steps, target, store, config } = sync;
  const failures = all.filter(({ place }) => place !== UNREAD);
  // What could not be read once never can: it waits for somebody to look at it and to discard it.
  const unread = all.filter(({ place }) => place === UNREAD);
  await store.putFailures(unread.map((failure) => newFailure(sync, failure, failure, UNREAD, failure.attempts)));
  scope.tally.failed += unread.length;
  if (failures.length === 0) return;
  const attempts = new Map(failures.map((failure) => [failure.key, failure.attempts]));
  const keys = [...attempts.keys()];
  // A record that the target refused has been through the steps already; one that a step refused has not.
  const [refused, unstepped] = [failures.filter(isOfTarget), failures.filter((failure) => !isOfTarget(failure))];
  // What has another key than the source's is not found there by it: what was kept is tried, with what came since merged in.
  const asKept = source.readKeys !== undefined && !steps.ownKey ? [] : refused;
  const read = source.readKeys
    ? await source.readKeys(
        (steps.ownKey ? unstepped : failures).map(({ key }) => key),
        scope.signal,
      )
    : unstepped;
  const stepped = await steps.changes(read);
  // Two records of the source may come to one of the target: it is told of each once.
  const ready = new Map<string, Change>([...asKept, ...stepped.changes].map((change) => [change.key, change]));
  await store.putFailures(
    stepped.failures.map((failure) =>
      newFailure(
        sync,
        { op: 'upsert', ...failure },
        { code: failure.code, message: failure.message },
        failure.place,
        attempts.get(failure.key),
      ),
    ),
  );
  const changes = [...ready.values()].filter((change) => config.deletes !== 'ignore' || change.op === 'upsert');
  const kept = await signedAnew(sync);
  const size = Math.min(config.batchSize ?? Number.POSITIVE_INFINITY, target.batchSizeMax);
  const pending = new Set([...changes, ...stepped.failures].map(({ key }) => key));
  // What needs no write any more is done: a delete that is ignored, a record that its steps let go.
  const done = keys.filter((key) => !pending.has(key));
  for (let at = 0; at < changes.length; at += size) {
    const chunk = changes.slice(at, at + size);
    const results = await target.write(chunk, { epoch: scope.epoch, settle: async () => kept }, scope.signal);
    if (!target.compares) await remember(sync, chunk, results);
    tellResults(sync, chunk, results);
    const again = chunk.flatMap((change, i) => {
      const result = results[i]!;
      if (result.status === 'rejected')
        return [newFailure(sync, change, result.reason, 'target', attempts.get(change.sourceKey ?? change.key))];
      scope.tally[result.status]++;
      done.push(change.key);
      return [];
    });
    if (again.length > 0) await store.putFailures(again);
    scope.tally.failed += again.length;
  }
  scope.tally.failed += stepped.failures.length;
  await forgetFailures(sync, done, failing);
}
