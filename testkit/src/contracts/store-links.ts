import { type Link, type LinkOwner, type NewConflict, OwnershipLostError, type Store } from '@tidemark/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

/** What every state store promises of links and conflicts of two-way syncs. */
export function describeLinks(place: () => { store: Store; newSync(): string }): void {
  const link = (leftKey: string, rightKey: string, over: Partial<Link> = {}): Link => ({
    leftKey,
    rightKey,
    base: '{}',
    gone: null,
    changedAtMs: 1,
    ...over,
  });
  const owner = async (sync: string): Promise<LinkOwner> => ({
    sync,
    epoch: (await place().store.checkpoints.acquire(sync)).epoch,
  });
  const conflict = (sync: string, over: Partial<NewConflict> = {}): NewConflict => ({
    ...{ sync, leftKey: 'l', rightKey: 'r', field: 'f', base: 'o', left: 'a', right: 'b' },
    ...{ state: 'open', outcome: null, why: 'both', atMs: 1 },
    ...over,
  });

  describe('links', () => {
    const pair = fc.tuple(fc.constantFrom('a', 'b\0', 'c'), fc.constantFrom('1', '2', '3'));
    test('whatever is linked in whatever order: a record of either side has one partner at most, the latest (P7)', () =>
      fc.assert(
        fc.asyncProperty(fc.array(fc.array(pair, { maxLength: 4 })), async (calls) => {
          const { store, newSync } = place();
          const sync = newSync();
          let model: [string, string][] = [];
          for (const pairs of calls) {
            const links = pairs.map(([left, right]) => link(left, right, { base: JSON.stringify({ left }) }));
            await store.links.putLinks(await owner(sync), links);
            for (const [left, right] of pairs) model = [...model.filter(([l, r]) => l !== left && r !== right), [left, right]];
          }
          const found = await store.links.linksByLeft(sync, ['a', 'b\0', 'c', 'd']);
          expect(new Set(found.map(({ leftKey, rightKey }) => `${leftKey} ${rightKey}`))).toEqual(
            new Set(model.map((pair) => pair.join(' '))),
          );
          expect(await store.links.linksByRight(sync, ['1', '2', '3'])).toHaveLength(model.length);
          expect(await store.links.countLinks(sync)).toBe(model.length);
        }),
        { numRuns: 30 },
      ));

    test('what is open about two records is no question any more once one of them belongs to another (P7)', async () => {
      const { store, newSync } = place();
      const sync = newSync();
      const ours = await owner(sync);
      await store.links.putLinks(ours, [link('l', 'r'), link('l2', 'r2')]);
      const of = (leftKey: string, rightKey: string) => conflict(sync, { leftKey, rightKey });
      await store.links.putConflicts(ours, [of('l', 'r'), of('l2', 'r2')]);
      await store.links.putLinks(ours, [link('l', 'new'), link('l2', 'r2', { changedAtMs: 2 })]);
      expect(await store.links.conflicts({ sync, state: 'open' })).toMatchObject([{ leftKey: 'l2', rightKey: 'r2' }]);
      expect(await store.links.conflicts({ sync, state: 'settled' })).toMatchObject([
        { leftKey: 'l', rightKey: 'r', why: 'one of the two records belongs to another one by now' },
      ]);
    });

    test('thousands are kept in one call; those gone on both sides are forgotten in time', async () => {
      const { store, newSync } = place();
      const sync = newSync();
      const many = Array.from({ length: 5000 }, (_, i) =>
        link(`l${i}`, `r${i}`, { gone: i % 2 === 0 ? 'both' : null, changedAtMs: i }),
      );
      await store.links.putLinks(await owner(sync), many);
      expect(await store.links.countLinks(sync)).toBe(2500);
      expect(await store.links.removeGoneLinks(sync, 1000)).toBe(500);
      expect(await store.links.linksByRight(sync, ['r998', 'r999', 'r1000'])).toHaveLength(2);
    });
  });

  describe('conflicts', () => {
    test('an open conflict is one row with the latest values; what was settled twice, by a crash, is told once', async () => {
      const { store, newSync } = place();
      const sync = newSync();
      await store.links.putConflicts(await owner(sync), [conflict(sync), conflict(sync, { left: { deep: ['\0'] }, atMs: 2 })]);
      const [open, ...more] = await store.links.conflicts({ sync });
      expect(more).toEqual([]);
      expect(open).toMatchObject({ left: { deep: ['\0'] }, state: 'open', outcome: null });
      const settled = conflict(sync, { state: 'settled', outcome: 'a', field: null });
      await store.links.putConflicts(await owner(sync), [settled]);
      await store.links.putConflicts(await owner(sync), [settled]);
      expect(await store.links.conflicts({ sync, state: 'settled' })).toHaveLength(1);
      expect(await store.links.conflicts({ sync, keys: [{ leftKey: 'l', rightKey: 'other' }] })).toEqual([]);
      await store.links.settleConflicts([open!.id], { why: 'decided', value: 'b' });
      expect(await store.links.conflicts({ ids: [open!.id] })).toMatchObject([
        { state: 'settled', outcome: 'b', why: 'decided' },
      ]);
    });

    test('page by page, from the newest to the oldest', async () => {
      const { store, newSync } = place();
      const sync = newSync();
      const fields = ['a', 'b', 'c', 'd', 'e'].map((field) => conflict(sync, { field }));
      await store.links.putConflicts(await owner(sync), fields);
      const seen: (string | null)[] = [];
      for (let before: string | undefined; ; ) {
        const page = await store.links.conflicts({ sync, limit: 2, ...(before !== undefined && { before }) });
        if (page.length === 0) break;
        seen.push(...page.map(({ field }) => field));
        before = page.at(-1)!.id;
      }
      expect(seen).toEqual(['e', 'd', 'c', 'b', 'a']);
    });

    test('an overwrite that is about to be made is told as made, or goes; one that decides an open conflict takes its place', async () => {
      const { store, newSync } = place();
      const sync = newSync();
      const [open] = await store.links.putConflicts(await owner(sync), [conflict(sync)]);
      const writing = { state: 'writing', outcome: 'b', why: 'decided' } as const;
      const ids = await store.links.putConflicts(await owner(sync), [
        conflict(sync, { ...writing, left: 'c' }),
        conflict(sync, { ...writing, field: 'g' }),
        conflict(sync, { ...writing, field: 'h\0' }),
      ]);
      expect(await store.links.conflicts({ sync, state: ['open', 'writing'] })).toHaveLength(4);
      await store.links.confirmConflicts(await store.links.conflicts({ ids: [ids[0]!] }));
      await store.links.presumeConflicts([ids[2]!], 'as far as known');
      await store.links.dropConflicts([...ids, open!]);
      expect(await store.links.conflicts({ sync })).toMatchObject([
        { id: ids[2], field: 'h\0', state: 'settled', why: 'decided (as far as known)' },
        { id: open, field: 'f', state: 'settled', left: 'c', outcome: 'b', why: 'decided' },
      ]);
    });

    test('an overwrite that was acknowledged is told once, though somebody has dropped it meanwhile as not made', async () => {
      const { store, newSync } = place();
      const sync = newSync();
      const writing = { state: 'writing', outcome: 'b', why: 'decided' } as const;
      const ids = await store.links.putConflicts(await owner(sync), [
        conflict(sync, { ...writing, field: 'as shown' }),
        conflict(sync, { ...writing, field: 'changed since' }),
        conflict(sync, { ...writing, field: null }),
      ]);
      const written = await store.links.conflicts({ ids });
      await store.links.dropConflicts(ids);
      // What the new owner finds, to whom it was not made.
      const [shown, another] = await store.links.putConflicts(await owner(sync), [
        conflict(sync, { field: 'as shown', atMs: 2 }),
        conflict(sync, { field: 'changed since', right: 'c', atMs: 2 }),
      ]);
      await store.links.presumeConflicts(ids);
      expect(await store.links.conflicts({ sync, state: 'settled' })).toEqual([]);
      await store.links.confirmConflicts(written);
      await store.links.confirmConflicts(written);
      const told = await store.links.conflicts({ sync, state: 'settled' });
      expect(new Set(told.map(({ field }) => field))).toEqual(new Set(['as shown', 'changed since', null]));
      expect(told.find(({ field }) => field === 'as shown')!.id).toBe(shown);
      expect(await store.links.conflicts({ sync })).toHaveLength(4);
      expect(await store.links.conflicts({ sync, state: 'open' })).toMatchObject([{ id: another, right: 'c' }]);
    });

    test('a former owner keeps nothing, and is told so even when it has nothing to keep (P11)', async () => {
      const { store, newSync } = place();
      const sync = newSync();
      await expect(store.links.putConflicts({ sync, epoch: 1 }, [])).rejects.toThrow(OwnershipLostError);
      const former = await owner(sync);
      await store.links.putLinks(former, [link('l', 'r')]);
      await owner(sync);
      await expect(store.links.putLinks(former, [link('l', 'other')])).rejects.toThrow(OwnershipLostError);
      await expect(store.links.putLinks(former, [])).rejects.toThrow(OwnershipLostError);
      await expect(store.links.putConflicts(former, [conflict(sync)])).rejects.toThrow(OwnershipLostError);
      await expect(store.links.putConflicts(former, [])).rejects.toThrow(OwnershipLostError);
      expect(await store.links.linksByLeft(sync, ['l'])).toMatchObject([{ rightKey: 'r' }]);
      expect(await store.links.conflicts({ sync })).toEqual([]);
    });

    test('a sync that begins anew has no links and nothing open; what was overwritten stays told', async () => {
      const { store, newSync } = place();
      const [sync, other] = [newSync(), newSync()];
      await store.links.putLinks(await owner(sync), [link('l', 'r')]);
      await store.links.putLinks(await owner(other), [link('l', 'r')]);
      await store.links.putConflicts(await owner(sync), [
        conflict(sync),
        conflict(sync, { field: 'g', state: 'settled', outcome: 'a' }),
      ]);
      await store.links.removeLinks(sync);
      expect(await store.links.countLinks(sync)).toBe(0);
      expect(await store.links.countLinks(other)).toBe(1);
      expect(await store.links.conflicts({ sync })).toMatchObject([{ state: 'settled' }]);
    });
  });

  test('what is kept first under a key stays, whatever comes later and at the same time', async () => {
    const { store, newSync } = place();
    const scope = newSync();
    const kept = await Promise.all(['one', 'two', 'three'].map((value) => store.keepFirst(scope, 'k\0', value)));
    expect(new Set(kept).size).toBe(1);
    expect(await store.keptFirst(scope, 'k\0')).toBe(kept[0]);
    expect(await store.keptFirst(scope, 'k')).toBeNull();
  });
}
