import type { Failure, NewFailure, Row, Run, Store } from '@tidemark/core';
import { NO_STAMP, OwnershipLostError } from '@tidemark/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeAccess } from './store-access.ts';
import { describeCalls } from './store-calls.ts';
import { describeJournal } from './store-journal.ts';
import { describeLinks } from './store-links.ts';
import { describeNotifications } from './store-notifications.ts';
import { describeOrgs } from './store-orgs.ts';
import { describeWorkers } from './store-workers.ts';

/** An empty place for a state store: a file, a database. Each `open` is another process's view of the same store. */
export interface StorePlace extends AsyncDisposable {
  open(): Promise<Store>;
}

/** What every state store promises. `name` is for the report. */
export function describeStoreContract(name: string, createPlace: () => Promise<StorePlace>): void {
  describe(`store contract: ${name}`, () => {
    let place: StorePlace;
    let store: Store;
    let syncs = 0;
    /** Each test has syncs of its own, so that none sees another's rows. */
    const newSync = () => `sync-${++syncs}`;

    beforeAll(async () => {
      place = await createPlace();
      store = await place.open();
    });
    afterAll(async () => {
      await store?.[Symbol.asyncDispose]();
      await place?.[Symbol.asyncDispose]();
    });

    describeJournal(() => ({ store, reopen: () => place.open() }));
    describeLinks(() => ({ store, newSync }));
    describeAccess(() => ({ store, newSync }));
    describeCalls(() => ({ store, newSync }));
    describeNotifications(() => ({ store, newSync, reopen: () => place.open() }));
    describeWorkers(() => ({ open: async () => await place.open() }));
    describeOrgs(() => ({ store, newSync }));

    describe('runs', () => {
      test('a run is told in full, from its start through progress to its end', async () => {
        const sync = newSync();
        const id = await store.startRun({ sync, kind: 'delta', startedAtMs: 1_700_000_000_123 });
        const begun: Run = {
          id,
          sync,
          kind: 'delta',
          state: 'running',
          startedAtMs: 1_700_000_000_123,
          finishedAtMs: null,
          windowFromMs: null,
          windowToMs: null,
          counts: { read: 0, created: 0, updated: 0, unchanged: 0, deleted: 0, failed: 0, dropped: 0 },
          error: null,
          heldBy: null,
        };
        expect(await store.runs({ sync })).toEqual([begun]);
        const counts = { read: 9, created: 1, updated: 2, unchanged: 3, deleted: 1, failed: 1, dropped: 1 };
        await store.updateRun(id, { counts, windowFromMs: 5, windowToMs: 1_700_000_000_000 });
        await store.updateRun(id, {});
        expect(await store.runs({ sync })).toEqual([{ ...begun, counts, windowFromMs: 5, windowToMs: 1_700_000_000_000 }]);
        const end = {
          state: 'failed',
          finishedAtMs: 1_700_000_000_999,
          error: { code: 'transient', message: 'gone\0', hint: 'wait' },
          heldBy: 'k\0',
        } as const;
        await store.updateRun(id, end);
        expect(await store.runs({ sync })).toEqual([
          { ...begun, counts, windowFromMs: 5, windowToMs: 1_700_000_000_000, ...end },
        ]);
        await store.updateRun(id, { error: null, heldBy: null, windowFromMs: null });
        expect(await store.runs({ sync })).toMatchObject([{ error: null, heldBy: null, windowFromMs: null }]);
      });

      test('runs come newest first, in the order in which they began, whatever the clock said', async () => {
        const sync = newSync();
        const ids: string[] = [];
        for (const startedAtMs of [30, 10, 20]) ids.unshift(await store.startRun({ sync, kind: 'full', startedAtMs }));
        expect((await store.runs({ sync })).map((run) => run.id)).toEqual(ids);
        expect((await store.runs({ sync, limit: 2 })).map((run) => run.id)).toEqual(ids.slice(0, 2));
        expect((await store.runs({ limit: 1 })).map((run) => run.id)).toEqual(ids.slice(0, 1));
        expect((await store.runs({ sync, before: ids[0]! })).map((run) => run.id)).toEqual(ids.slice(1));
        expect(await store.run(ids[0]!)).toMatchObject({ id: ids[0], sync });
        expect(await store.run('0')).toBeNull();
      });

      test('the last success is the newest run of this sync that succeeded', async () => {
        const sync = newSync();
        expect(await store.lastSuccess(sync)).toBeNull();
        const [older, newer, failed] = [await begin(sync), await begin(sync), await begin(sync), await begin(sync)];
        const elsewhere = await begin(newSync());
        await store.updateRun(newer, { state: 'succeeded' });
        await store.updateRun(older, { state: 'succeeded' });
        await store.updateRun(failed, { state: 'failed' });
        await store.updateRun(elsewhere, { state: 'succeeded' });
        // A retry of single records read no window, whatever came of it.
        const retry = await store.startRun({ sync, kind: 'retry', startedAtMs: 2 });
        await store.updateRun(retry, { state: 'succeeded' });
        expect((await store.lastSuccess(sync))?.id).toBe(newer);
      });

      test('of the syncs whose newest run that came to an end failed, that run is told', async () => {
        const [healthy, broken, busy] = [newSync(), newSync(), newSync()];
        const end = async (sync: string, state: Run['state'], kind: Run['kind'] = 'delta') => {
          const id = await store.startRun({ sync, kind, startedAtMs: 1 });
          await store.updateRun(id, { state, finishedAtMs: 2 });
          return id;
        };
        await end(healthy, 'failed');
        await end(healthy, 'succeeded');
        await end(broken, 'succeeded');
        const failed = await end(broken, 'failed');
        await end(broken, 'stopped');
        await end(broken, 'succeeded', 'retry');
        await end(busy, 'failed', 'retry');
        await end(busy, 'failed', 'full');
        const last = await end(busy, 'failed');
        await begin(busy);
        const told = (await store.failedRuns()).filter(({ sync }) => [healthy, broken, busy].includes(sync));
        expect(told.map(({ sync, id }) => [sync, id]).sort()).toEqual(
          [
            [broken, failed],
            [busy, last],
          ].sort(),
        );
      });

      test('what a crash left running is closed as failed, and nothing else is', async () => {
        const [sync, other] = [newSync(), newSync()];
        const [done, left] = [await begin(sync), await begin(sync)];
        const alive = await begin(other);
        await store.updateRun(done, { state: 'succeeded', finishedAtMs: 7 });
        await store.closeAbandonedRuns(sync, 99);
        expect(await store.runs({ sync })).toMatchObject([
          { id: left, state: 'failed', finishedAtMs: 99, error: { code: 'abandoned' } },
          { id: done, state: 'succeeded', finishedAtMs: 7, error: null },
        ]);
        expect(await store.runs({ sync: other })).toMatchObject([{ id: alive, state: 'running' }]);
      });

      test('old runs are forgotten, but for the last of a sync, its last success and what still runs', async () => {
        const [sync, other] = [newSync(), newSync()];
        const runs = [await begin(sync), await begin(sync), await begin(sync), await begin(sync), await begin(sync)];
        const [success, young] = [runs[1]!, runs[4]!];
        for (const [i, run] of runs.entries()) {
          const state = run === success ? 'succeeded' : 'failed';
          await store.updateRun(run, { state, finishedAtMs: run === young ? 100 : 10 + i });
        }
        const alone = await begin(other);
        await store.updateRun(alone, { state: 'failed', finishedAtMs: 10 });
        const running = await begin(other);
        expect(await store.trimRuns(100)).toBeGreaterThanOrEqual(4);
        expect((await store.runs({ sync })).map(({ id }) => id)).toEqual([young, success]);
        expect((await store.runs({ sync: other })).map(({ id }) => id)).toEqual([running]);
        expect(await store.trimRuns(100)).toBe(0);
      });

      test('how each sync stands is told for all of them at once, and is what each tells by itself', async () => {
        const [busy, idle, unknown] = [newSync(), newSync(), newSync()];
        for (const state of ['succeeded', 'failed'] as const) {
          const id = await store.startRun({ sync: busy, kind: 'delta', startedAtMs: 1 });
          await store.updateRun(id, { state, finishedAtMs: 2 });
        }
        await store.startRun({ sync: busy, kind: 'retry', startedAtMs: 3 });
        await store.startRun({ sync: idle, kind: 'full', startedAtMs: 4 });
        await store.setPaused(idle, true);
        await store.putFailures([failure(busy, 'a'), failure(busy, 'b')]);
        const summary = await store.summaries();
        for (const sync of [busy, idle, unknown]) {
          expect(summary(sync)).toEqual({
            paused: await store.paused(sync),
            lastRun: (await store.runs({ sync, limit: 1 }))[0] ?? null,
            lastSuccess: await store.lastSuccess(sync),
            openFailures: await store.countFailures(sync),
            openConflicts: 0,
          });
          expect((await store.summaries(sync))(sync)).toEqual(summary(sync));
        }
        expect(summary(busy)).toMatchObject({ openFailures: 2, lastRun: { kind: 'retry' }, lastSuccess: { state: 'succeeded' } });
      });

      const begin = (sync: string) => store.startRun({ sync, kind: 'delta', startedAtMs: 1 });
    });

    describe('failures', () => {
      // A failure is the only trace of a record that a checkpoint has passed: losing its latest change, or letting an older one
      // over it, is silent data loss.                                                                            (P2, P3)
      test('any order of failing, merging and mending keeps one failure for each key, with the newest change', () =>
        fc.assert(
          fc.asyncProperty(fc.array(failureStep(), { maxLength: 30 }), async (steps) => {
            const sync = newSync();
            const model = new Map<string, Omit<Failure, 'id'>>();
            const ids = new Map<string, string>();
            for (const step of steps) {
              const changes = step.changes.map((change) => ({ ...change, sync }));
              if (step.do === 'put') {
                await store.putFailures(changes);
                for (const change of changes) putInModel(model, change);
              } else if (step.do === 'merge') {
                await store.mergeIntoFailures(sync, changes);
                for (const change of changes) mergeInModel(model, change);
              } else {
                const keys = changes.map((change) => change.key);
                await store.removeFailures((await store.failures({ sync, keys })).map((failure) => failure.id));
                for (const key of keys) {
                  model.delete(key);
                  ids.delete(key);
                }
              }
            }
            const kept = await store.failures({ sync });
            expect(sorted(kept.map(({ id: _, ...failure }) => failure))).toEqual(sorted([...model.values()]));
            expect(await store.failingKeys(sync)).toEqual(new Set(model.keys()));
            expect(await store.countFailures(sync)).toBe(model.size);
          }),
          { numRuns: 40 },
        ));

      test('a failure keeps its id and its first time while it fails again', async () => {
        const sync = newSync();
        await store.putFailures([failure(sync, 'a', { lastAtMs: 10, nextAttemptAtMs: 20 })]);
        const [first] = await store.failures({ sync });
        await store.putFailures([
          failure(sync, 'a', { lastAtMs: 30, nextAttemptAtMs: 50, code: 'other', message: 'again', place: 'step' }),
        ]);
        const [second] = await store.failures({ sync });
        expect(second).toEqual({
          ...first,
          attempts: 2,
          firstAtMs: 10,
          lastAtMs: 30,
          nextAttemptAtMs: 50,
          code: 'other',
          message: 'again',
          place: 'step',
        });
      });

      test('the same key may fail in two syncs, and twice in one call', async () => {
        const [one, two] = [newSync(), newSync()];
        await store.putFailures([failure(one, 'a'), failure(two, 'a'), failure(one, 'a', { message: 'later' })]);
        expect(await store.failures({ sync: one })).toMatchObject([{ attempts: 2, message: 'later' }]);
        expect(await store.failures({ sync: two })).toMatchObject([{ attempts: 1 }]);
      });

      test('a later change spends no attempt, and makes no failure where there is none', async () => {
        const sync = newSync();
        await store.putFailures([failure(sync, 'a', { stampMs: 5 })]);
        const [before] = await store.failures({ sync });
        await store.mergeIntoFailures(sync, [
          { key: 'b', op: 'upsert', row: { x: 1 }, stampMs: 9 },
          { key: 'a', op: 'upsert', row: { x: 1 }, stampMs: 8 },
          { key: 'a', op: 'delete', row: null, stampMs: NO_STAMP },
        ]);
        expect(await store.failures({ sync })).toEqual([{ ...before, op: 'delete', row: null, stampMs: 8 }]);
      });

      // The value that a target refuses is often the very one that a database cannot keep.                           (P2)
      test('any record, key and reason come back as they were', () =>
        fc.assert(
          fc.asyncProperty(
            fc.uniqueArray(fc.record({ key: anyText(), message: anyText(), row: fc.dictionary(anyText(), fc.jsonValue()) }), {
              selector: ({ key }) => key,
              maxLength: 5,
            }),
            async (records) => {
              const sync = newSync();
              const given = records.map(({ row, ...rest }) => failure(sync, rest.key, { ...rest, row: plain(row) as Row }));
              await store.putFailures(given);
              const kept = await store.failures({ sync, keys: records.map(({ key }) => key) });
              expect(sorted(kept.map(({ key, message, row }) => ({ key, message, row: plain(row) as Row })))).toEqual(
                sorted(given.map(({ key, message, row }) => ({ key, message, row }))),
              );
              expect(await store.failingKeys(sync)).toEqual(new Set(records.map(({ key }) => key)));
            },
          ),
          { numRuns: 50 },
        ));

      test('a record whose stamp is no number is kept all the same', async () => {
        const sync = newSync();
        await store.putFailures([failure(sync, 'a', { stampMs: Number.NaN })]);
        expect(await store.failures({ sync })).toMatchObject([{ key: 'a', stampMs: NO_STAMP }]);
      });

      test('failures are found by due time, id, key and number; the longest due first', async () => {
        const sync = newSync();
        await store.putFailures([
          failure(sync, 'late', { nextAttemptAtMs: 300 }),
          failure(sync, 'soon', { nextAttemptAtMs: 100 }),
          failure(sync, 'next', { nextAttemptAtMs: 200 }),
        ]);
        const keys = async (filter: Parameters<Store['failures']>[0]) => (await store.failures(filter)).map(({ key }) => key);
        expect(await keys({ sync })).toEqual(['soon', 'next', 'late']);
        expect(await keys({ sync, dueAtMs: 200 })).toEqual(['soon', 'next']);
        expect(await keys({ sync, dueAtMs: 99 })).toEqual([]);
        expect(await keys({ sync, limit: 1 })).toEqual(['soon']);
        expect(await keys({ sync, keys: ['late', 'nobody'] })).toEqual(['late']);
        expect(await keys({ sync, keys: [] })).toEqual([]);
        const [{ id }] = (await store.failures({ sync, keys: ['next'] })) as [Failure];
        expect(await keys({ ids: [id] })).toEqual(['next']);
        expect(await keys({ ids: ['no id', '', '99999999999999999999'] })).toEqual([]);
        expect(await keys({ sync: newSync() })).toEqual([]);
      });

      test('page by page, each failure comes once, whatever becomes of the others meanwhile', async () => {
        const sync = newSync();
        const put = (key: string, nextAttemptAtMs: number) => store.putFailures([failure(sync, key, { nextAttemptAtMs })]);
        for (const [i, key] of ['a', 'b', 'c', 'd', 'e'].entries()) await put(key, 500 - i);
        const first = await store.failures({ sync, afterId: '0', limit: 2 });
        expect(first.map(({ key }) => key)).toEqual(['a', 'b']);
        await put('c', 1);
        await put('a', 900);
        await store.removeFailures([first[1]!.id]);
        const others = await store.failures({ sync, afterId: first[1]!.id, limit: 9 });
        expect(others.map(({ key }) => key)).toEqual(['c', 'd', 'e']);
        expect(await store.failures({ sync, afterId: others[2]!.id })).toEqual([]);
      });

      test('failures are made due at once, all of a sync or these', async () => {
        const [sync, other] = [newSync(), newSync()];
        await store.putFailures(['a', 'b'].map((key) => failure(sync, key, { nextAttemptAtMs: 500 })));
        await store.putFailures([failure(other, 'c', { nextAttemptAtMs: 500 })]);
        const [{ id }] = (await store.failures({ sync, keys: ['a'] })) as [Failure];
        expect(await store.makeFailuresDue({ ids: [id] }, 7)).toBe(1);
        expect((await store.failures({ sync, dueAtMs: 7 })).map(({ key }) => key)).toEqual(['a']);
        expect(await store.makeFailuresDue({ sync }, 8)).toBe(2);
        expect(await store.makeFailuresDue({ sync, ids: [] }, 9)).toBe(0);
        expect(await store.failures({ sync: other, dueAtMs: 499 })).toEqual([]);
      });

      test('thousands of failures in one call are kept', async () => {
        const sync = newSync();
        const many = Array.from({ length: 3_001 }, (_, i) => failure(sync, `key-${i}`));
        await store.putFailures(many);
        expect(await store.countFailures(sync)).toBe(3_001);
        const kept = await store.failures({ sync, keys: many.map(({ key }) => key) });
        expect(kept.length).toBe(3_001);
        await store.mergeIntoFailures(sync, [{ key: 'key-2999', op: 'delete', row: null, stampMs: 2 }]);
        await store.removeFailures(kept.filter(({ key }) => key !== 'key-2999').map(({ id }) => id));
        expect(await store.failures({ sync })).toMatchObject([{ key: 'key-2999', op: 'delete' }]);
        expect(await store.countFailures()).toBeGreaterThanOrEqual(1);
      });

      test('a call that fails changes nothing', async () => {
        const sync = newSync();
        const broken = { ...failure(sync, 'b'), op: null } as unknown as NewFailure;
        await expect(store.putFailures([failure(sync, 'a'), broken])).rejects.toThrow();
        const twice = { ...failure(sync, 'a'), op: null } as unknown as NewFailure;
        await expect(store.putFailures([failure(sync, 'a'), twice])).rejects.toThrow();
        expect(await store.countFailures(sync)).toBe(0);
      });
    });

    describe('checkpoints', () => {
      // Workers stall and come back at any moment. Whoever acquired last is the one owner; all others change nothing.    (P11)
      test('only the latest owner moves the checkpoint, in any interleaving of owners and resets', () =>
        fc.assert(
          fc.asyncProperty(fc.array(ownerStep(), { maxLength: 25 }), async (steps) => {
            const sync = newSync();
            const epochs = new Map<number, number>();
            const given = new Set<number>();
            let owner: number | null = null;
            let kept: string | null = null;
            for (const { worker, does, checkpoint } of steps) {
              if (does === 'acquire') {
                const acquired = await store.checkpoints.acquire(sync);
                expect(acquired.checkpoint).toBe(kept);
                expect(given).not.toContain(acquired.epoch);
                expect(acquired.epoch).toBeGreaterThan(Math.max(0, ...given));
                given.add(acquired.epoch);
                epochs.set(worker, acquired.epoch);
                owner = worker;
              } else if (does === 'reset') {
                await store.reset(sync);
                kept = null;
                owner = null;
              } else {
                const writing = store.checkpoints.write(sync, epochs.get(worker) ?? 0, checkpoint);
                if (owner === worker) {
                  await writing;
                  kept = checkpoint;
                } else await expect(writing).rejects.toThrow(OwnershipLostError);
              }
              expect(await store.checkpoints.read(sync)).toBe(kept);
            }
          }),
          { numRuns: 40 },
        ));

      test('workers that acquire at the same time get different epochs, and one of them owns', async () => {
        const sync = newSync();
        await using other = await place.open();
        const acquired = await Promise.all(
          Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? store : other).checkpoints.acquire(sync)),
        );
        const epochs = acquired.map(({ epoch }) => epoch);
        expect(new Set(epochs).size).toBe(10);
        const written = await Promise.allSettled(epochs.map((epoch) => store.checkpoints.write(sync, epoch, `by ${epoch}`)));
        expect(written.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        expect(await store.checkpoints.read(sync)).toBe(`by ${Math.max(...epochs)}`);
      });

      test('who takes over from one owner alone takes nothing from anybody else (P11)', async () => {
        const sync = newSync();
        await using other = await place.open();
        expect(await store.checkpoints.epoch(sync)).toBe(0);
        const attempts = await Promise.allSettled(
          Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? store : other).checkpoints.acquire(sync, undefined, 0)),
        );
        expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        expect(await other.checkpoints.epoch(sync)).toBe(1);
        await store.checkpoints.write(sync, 1, 'position');
        for (const from of [0, 2]) {
          await expect(other.checkpoints.acquire(sync, undefined, from)).rejects.toThrow(OwnershipLostError);
        }
        expect(await other.checkpoints.acquire(sync, undefined, 1)).toEqual({ epoch: 2, checkpoint: 'position' });
        await expect(store.checkpoints.acquire(sync, undefined, 1)).rejects.toThrow(OwnershipLostError);
      });

      test('a unit that nobody acquired has no checkpoint, and takes none', async () => {
        const sync = newSync();
        expect(await store.checkpoints.read(sync)).toBeNull();
        await expect(store.checkpoints.write(sync, 1, 'x')).rejects.toThrow(OwnershipLostError);
        await expect(store.checkpoints.acquire(sync, AbortSignal.abort(new RangeError('over')))).rejects.toThrow('over');
        expect(await store.checkpoints.acquire(sync)).toEqual({ epoch: 1, checkpoint: null });
      });
    });

    describe('small things', () => {
      test('a pause holds for its sync until it is lifted, said once or twice', async () => {
        const [sync, other] = [newSync(), newSync()];
        await store.setPaused(sync, true);
        await store.setPaused(sync, true);
        expect([await store.paused(sync), await store.paused(other)]).toEqual([true, false]);
        const paused = await store.pausedSyncs();
        expect([paused.has(sync), paused.has(other)]).toEqual([true, false]);
        await store.setPaused(sync, false);
        await store.setPaused(other, false);
        expect(await store.paused(sync)).toBe(false);
      });

      test('a value is kept by name, replaced, and forgotten; an empty text is a value', async () => {
        const name = `${newSync()} org id`;
        expect(await store.getValue(name)).toBeNull();
        await store.setValue(name, '');
        expect(await store.getValue(name)).toBe('');
        await store.setPassingValue(name, 'told again soon');
        expect(await store.getValue(name)).toBe('told again soon');
        await store.setValue(name, 'a\0\ud800');
        expect(await store.getValue(name)).toBe('a\0\ud800');
        await store.setValue(name, null);
        expect(await store.getValue(name)).toBeNull();
      });

      test('values are found by how their names begin, to the letter', async () => {
        const prefix = `${newSync()} %_\\ `;
        await store.setValue(`${prefix}a`, '1');
        await store.setValue(`${prefix}b`, '\0');
        await store.setValue(`${prefix.toUpperCase()}c`, '3');
        await store.setValue(prefix.replace('_', 'x'), '4');
        expect(await store.values(prefix)).toEqual(
          new Map([
            [`${prefix}a`, '1'],
            [`${prefix}b`, '\0'],
          ]),
        );
      });

      test('what was seen is remembered from the given time on, by sync and key', async () => {
        const [sync, other] = [newSync(), newSync()];
        const seen = (key: string, stampMs: number, hash = `hash of ${key}`) => ({ key, stampMs, hash });
        await store.putSeen(sync, [seen('a', 10), seen('b', 20), seen('a', 11, 'newer')], 0);
        await store.putSeen(other, [seen('a', 1)], 0);
        expect(await store.seen(sync, ['a', 'b', 'c'])).toEqual(
          new Map([
            ['a', seen('a', 11, 'newer')],
            ['b', seen('b', 20)],
          ]),
        );
        await store.putSeen(sync, [seen('c', 12)], 12);
        expect([...(await store.seen(sync, ['a', 'b', 'c'])).keys()].sort()).toEqual(['b', 'c']);
        await store.putSeen(sync, [], 15);
        expect([...(await store.seen(sync, ['a', 'b', 'c'])).keys()]).toEqual(['b']);
        expect([...(await store.seen(other, ['a'])).keys()]).toEqual(['a']);
        expect(await store.seen(sync, [])).toEqual(new Map());
      });

      test('thousands of seen records are remembered', async () => {
        const sync = newSync();
        const many = Array.from({ length: 5_001 }, (_, i) => ({ key: `key-${i}`, stampMs: i + 1, hash: 'h' }));
        await store.putSeen(sync, many, 0);
        expect(
          (
            await store.seen(
              sync,
              many.map(({ key }) => key),
            )
          ).size,
        ).toBe(5_001);
      });

      test('a reset forgets checkpoint, pause, seen records and what was covered; runs and failures stay', async () => {
        const [sync, other] = [newSync(), newSync()];
        for (const name of [sync, other]) {
          const { epoch } = await store.checkpoints.acquire(name);
          await store.checkpoints.write(name, epoch, 'here');
          await store.setPaused(name, true);
          await store.putSeen(name, [{ key: 'a', stampMs: 1, hash: 'h' }], 0);
          await store.putFailures([failure(name, 'a')]);
          const run = await store.startRun({ sync: name, kind: 'full', startedAtMs: 1 });
          await store.updateRun(run, { state: 'succeeded', windowToMs: 7 });
        }
        await store.reset(sync);
        const state = async (name: string) => [
          await store.checkpoints.read(name),
          await store.paused(name),
          (await store.lastSuccess(name))?.windowToMs,
          (await store.seen(name, ['a'])).size,
          await store.countFailures(name),
          (await store.runs({ sync: name })).length,
        ];
        expect(await state(sync)).toEqual([null, false, null, 0, 1, 1]);
        expect(await state(other)).toEqual(['here', true, 7, 1, 1, 1]);
      });
    });

    describe('durability', () => {
      test('everything is there when the store is opened again', async () => {
        const sync = newSync();
        const first = await place.open();
        const run = await first.startRun({ sync, kind: 'full', startedAtMs: 3 });
        const { epoch } = await first.checkpoints.acquire(sync);
        await first.checkpoints.write(sync, epoch, 'position');
        await first.putFailures([failure(sync, 'a')]);
        await first.setPaused(sync, true);
        await first.setValue(`${sync} value`, 'v');
        await first.putSeen(sync, [{ key: 'a', stampMs: 1, hash: 'h' }], 0);
        const failures = await first.failures({ sync });
        await first[Symbol.asyncDispose]();

        await using again = await place.open();
        expect((await again.runs({ sync })).map(({ id }) => id)).toEqual([run]);
        expect(await again.failures({ sync })).toEqual(failures);
        expect(await again.paused(sync)).toBe(true);
        expect(await again.getValue(`${sync} value`)).toBe('v');
        expect((await again.seen(sync, ['a'])).size).toBe(1);
        expect(await again.checkpoints.acquire(sync)).toEqual({ epoch: epoch + 1, checkpoint: 'position' });
      });

      test('calls that run at the same time, from two processes, are each done whole', async () => {
        const sync = newSync();
        await using other = await place.open();
        const three = ['a', 'b', 'c'].map((key) => failure(sync, key));
        await Promise.all(
          Array.from({ length: 40 }, async (_, i) => {
            const at = i % 2 === 0 ? store : other;
            await at.putFailures(three);
            await at.mergeIntoFailures(sync, three);
          }),
        );
        expect((await store.failures({ sync })).map(({ attempts }) => attempts)).toEqual([40, 40, 40]);
      });
    });
  });
}

function failure(sync: string, key: string, rest: Partial<NewFailure> = {}): NewFailure {
  return {
    sync,
    key,
    op: 'upsert',
    row: { Name: 'Ada' },
    stampMs: 1,
    code: '22001',
    message: 'too long',
    place: 'target',
    lastAtMs: 1,
    nextAttemptAtMs: 1,
    ...rest,
  };
}

/** Few keys and stamps, so that they meet. */
function failureStep() {
  const change = fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    stampMs: fc.constantFrom(NO_STAMP, 1, 2, 3),
    nth: fc.nat(999),
    gone: fc.boolean(),
  });
  return fc
    .record({ do: fc.constantFrom('put', 'put', 'merge', 'merge', 'remove'), changes: fc.array(change, { maxLength: 4 }) })
    .map((step) => ({
      do: step.do,
      changes: step.changes.map(({ key, stampMs, nth, gone }) =>
        failure('', key, {
          stampMs,
          op: gone ? 'delete' : 'upsert',
          row: gone ? null : { nth },
          message: `message ${nth}`,
          lastAtMs: nth,
          nextAttemptAtMs: nth * 2,
        }),
      ),
    }));
}

function putInModel(model: Map<string, Omit<Failure, 'id'>>, failure: NewFailure): void {
  const kept = model.get(failure.key);
  mergeInModel(model, failure);
  model.set(failure.key, {
    ...failure,
    ...pickChange(model.get(failure.key) ?? failure),
    attempts: (kept?.attempts ?? 0) + 1,
    firstAtMs: kept?.firstAtMs ?? failure.lastAtMs,
  });
}

function mergeInModel(model: Map<string, Omit<Failure, 'id'>>, change: NewFailure): void {
  const kept = model.get(change.key);
  if (kept === undefined || (change.stampMs !== NO_STAMP && change.stampMs < kept.stampMs)) return;
  model.set(change.key, { ...kept, ...pickChange(change), stampMs: Math.max(kept.stampMs, change.stampMs) });
}

function pickChange({ op, row, stampMs }: NewFailure): Pick<NewFailure, 'op' | 'row' | 'stampMs'> {
  return { op, row, stampMs };
}

function ownerStep() {
  return fc.record({
    worker: fc.nat(2),
    does: fc.constantFrom('acquire', 'acquire', 'write', 'write', 'write', 'reset'),
    checkpoint: fc.option(fc.string({ maxLength: 4 })),
  });
}

/** Texts with what databases and JSON stumble over: NUL, lone surrogates, quotes, names of object members. */
function anyText() {
  return fc.oneof(
    fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) }),
    fc.constantFrom(
      '',
      '\0',
      'a\0b',
      '\u0001',
      '\ud800',
      "'; drop table runs",
      '__proto__',
      'constructor',
      '{"a":1}',
      'é',
      'e\u0301',
    ),
  );
}

/** A row as a plain JSON value, with which `toEqual` compares well. */
function plain<T>(row: T): T {
  return JSON.parse(JSON.stringify(row)) as T;
}

function sorted<T extends { key: string }>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => (a.key < b.key ? -1 : 1));
}
