import type { Checkpoints } from '../model/connector.ts';
import { dryLinks } from './dry-links.ts';
import type { Failure, NewFailure, Seen, Store } from './store.ts';

/**
 * A store that reads what there is and keeps what is written to itself, for a run that is only thought of. Runs and pauses are not
 * among what such a run writes.
 */
export function dryStore(store: Store, onFailures: (failures: readonly NewFailure[]) => void = () => {}): Store {
  const values = new Map<string, string | null>();
  const made = new Map<string, string>();
  const seen = new Map<string, Seen>();
  const failed = new Map<string, Failure>();
  const removed = new Set<string>();
  const name = (...parts: readonly string[]) => JSON.stringify(parts);
  const ofSync = (sync: string | undefined) =>
    [...failed.values()].filter((failure) => sync === undefined || failure.sync === sync);

  const failures: Store['failures'] = async (filter) => {
    const { sync, dueAtMs = Number.POSITIVE_INFINITY, ids, keys, limit } = filter;
    // As many more as this run has taken out of them.
    const enough = limit === undefined ? {} : { limit: limit + removed.size + failed.size };
    const kept = (await store.failures({ ...filter, ...enough })).filter(
      (failure) => !removed.has(failure.id) && !failed.has(name(failure.sync, failure.key)),
    );
    const own = ofSync(sync).filter(
      ({ id, key, nextAttemptAtMs }) =>
        nextAttemptAtMs <= dueAtMs && (ids === undefined || ids.includes(id)) && (keys === undefined || keys.includes(key)),
    );
    return [...kept, ...own].slice(0, limit);
  };

  return {
    checkpoints: { ...dryCheckpoints(store.checkpoints), epoch: (unit) => store.checkpoints.epoch(unit) },
    journal: store.journal,
    calls: store.calls,
    orgs: store.orgs,
    access: store.access,
    notifications: store.notifications,
    workers: store.workers,
    links: dryLinks(store.links),
    startRun: async () => '',
    updateRun: async () => {},
    runs: (filter) => store.runs(filter),
    run: (id) => store.run(id),
    summaries: (of) => store.summaries(of),
    lastSuccess: (sync) => store.lastSuccess(sync),
    failedRuns: () => store.failedRuns(),
    closeAbandonedRuns: async () => {},
    trimRuns: async () => 0,

    async putFailures(more) {
      for (const failure of more) {
        const [known] = await failures({ sync: failure.sync, keys: [failure.key] });
        const { id = `new ${failed.size}`, attempts = 0, firstAtMs = failure.lastAtMs } = known ?? {};
        failed.set(name(failure.sync, failure.key), { ...failure, id, attempts: attempts + 1, firstAtMs });
      }
      onFailures(more);
    },
    async mergeIntoFailures(sync, changes) {
      const known = await failures({ sync, keys: changes.map(({ key }) => key) });
      for (const failure of known) {
        const change = changes.find(({ key }) => key === failure.key)!;
        failed.set(name(sync, failure.key), { ...failure, ...change });
      }
    },
    failures,
    async failingKeys(sync) {
      const gone = [...removed];
      const cleared = gone.length === 0 ? [] : await store.failures({ sync, ids: gone });
      const keys = new Set(await store.failingKeys(sync));
      for (const { key } of cleared) keys.delete(key);
      for (const { key } of ofSync(sync)) keys.add(key);
      return keys;
    },
    async countFailures(sync) {
      return (await failures(sync === undefined ? {} : { sync })).length;
    },
    async removeFailures(ids) {
      for (const id of ids) {
        removed.add(id);
        for (const [key, failure] of failed) if (failure.id === id) failed.delete(key);
      }
    },
    async makeFailuresDue({ sync, ids }, atMs) {
      const due = await failures({ ...(sync === undefined ? {} : { sync }), ...(ids === undefined ? {} : { ids }) });
      for (const failure of due) failed.set(name(failure.sync, failure.key), { ...failure, nextAttemptAtMs: atMs });
      return due.length;
    },

    setPaused: async () => {},
    paused: (sync) => store.paused(sync),
    pausedSyncs: () => store.pausedSyncs(),
    async seen(sync, keys) {
      const known = new Map(await store.seen(sync, keys));
      for (const key of keys) {
        const own = seen.get(name(sync, key));
        if (own !== undefined) known.set(key, own);
      }
      return known;
    },
    async putSeen(sync, more) {
      for (const each of more) seen.set(name(sync, each.key), each);
    },
    async keepFirst(scope, key, value) {
      const first = (await store.keptFirst(scope, key)) ?? made.get(name(scope, key)) ?? value;
      made.set(name(scope, key), first);
      return first;
    },
    keptFirst: async (scope, key) => (await store.keptFirst(scope, key)) ?? made.get(name(scope, key)) ?? null,
    getValue: async (key) => (values.has(key) ? values.get(key)! : store.getValue(key)),
    async setValue(key, value) {
      values.set(key, value);
    },
    async setPassingValue(key, value) {
      values.set(key, value);
    },
    async values(prefix) {
      const known = new Map(await store.values(prefix));
      for (const [key, value] of values) {
        if (value === null) known.delete(key);
        else if (key.startsWith(prefix)) known.set(key, value);
      }
      return known;
    },
    reset: async () => {},
    // The store itself belongs to whoever opened it.
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Nobody is taken over from: whoever owns the unit goes on. */
export function dryCheckpoints(checkpoints: Checkpoints): Checkpoints {
  const written = new Map<string, string | null>();
  const read = async (unit: string) => (written.has(unit) ? written.get(unit)! : checkpoints.read(unit));
  return {
    acquire: async (unit) => ({ epoch: 0, checkpoint: await read(unit) }),
    read,
    async write(unit, _epoch, checkpoint) {
      written.set(unit, checkpoint);
    },
  };
}
