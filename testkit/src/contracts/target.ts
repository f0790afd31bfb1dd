import { type Change, OwnershipLostError, type Target, type WriteResult } from '@tidemark/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contact, contactSchema, hostileTexts, remove, upsert, valuesByField } from './rows.ts';
import { describeStreamWriterContract } from './stream-writer.ts';
import { type CreateTarget, openTarget, statuses, type TargetTraits, withTarget } from './target-fixture.ts';
import { describeLoadContract } from './target-load.ts';
import { describeTargetSchemaContract } from './target-schema.ts';
import { describeScopeContract } from './target-scope.ts';

/**
 * What every target promises, in the words of the `Target` interface. A connector's test file calls it:
 *
 * ```ts
 * describeTargetContract('postgres', createFixture, sqlTraits);
 * ```
 */
export function describeTargetContract(name: string, create: CreateTarget, traits: TargetTraits): void {
  describe(`${name} keeps the target contract`, () => {
    test('it does what it claims to do', () =>
      withTarget(create, 'mirror', async ({ target }) => {
        expect(target.compares).toBe(traits.compares);
        expect(target.checkpoints !== undefined).toBe(traits.checkpoints);
        expect(target.beginLoad !== undefined).toBe(traits.loads);
        expect(target.batchSizeMax).toBeGreaterThan(0);
      }));
    describeWrites(create, traits);
    if (traits.compares && traits.stamps !== false) describeOrder(create, traits.runs ?? 20);
    describeDeletes(create, traits);
    if (traits.checkpoints) describeCommits(create, traits);
    describeTargetSchemaContract(create, traits);
    if (traits.loads) describeLoadContract(create, traits);
    if (traits.streams) describeStreamWriterContract(create, traits.runs ?? 20);
    if (traits.shares) describeScopeContract(create, traits.runs ?? 20);
  });
}

const never = new AbortController().signal;

function describeWrites(create: CreateTarget, traits: TargetTraits): void {
  const { stored = (row) => row, values: testedValues = valuesByField, keys: testedKeys = hostileTexts } = traits;

  test('writes are idempotent by key: the same change twice has the effect of one (P1)', () =>
    withTarget(create, 'mirror', async ({ fixture, write }) => {
      const first = upsert(contact('a', { Name: 'Ada' }), 1000);
      expect(statuses(await write([first]))).toEqual([traits.compares ? 'created' : expect.any(String)]);
      expect(statuses(await write([first]))).toEqual([traits.compares ? 'unchanged' : expect.any(String)]);
      expect(await fixture.rows(contactSchema)).toEqual(new Map([['a', stored(first.row!)]]));
    }));

  test('result i is about change i', () =>
    withTarget(create, 'mirror', async ({ write }) => {
      await write([upsert(contact('b', { Name: 'old' }), 1000), upsert(contact('c'), 1000), upsert(contact('d'), 1000)]);
      const results = await write([
        upsert(contact('a'), 2000),
        upsert(contact('b', { Name: 'new' }), 2000),
        upsert(contact('c'), 1000),
        remove('d', 2000),
      ]);
      expect(results).toHaveLength(4);
      if (traits.compares) expect(statuses(results)).toEqual(['created', 'updated', 'unchanged', 'deleted']);
    }));

  test('no change at all is no error', () =>
    withTarget(create, 'mirror', async ({ write, fixture }) => {
      expect(await write([])).toEqual([]);
      expect((await fixture.rows(contactSchema)).size).toBe(0);
    }));

  test('a batch of the largest size is written whole', () =>
    withTarget(create, 'mirror', async ({ target, write, fixture }) => {
      const count = Math.min(target.batchSizeMax, 5000);
      const changes = Array.from({ length: count }, (_, i) => upsert(contact(`k${i}`, { Count: i }), 1000));
      expect(await write(changes)).toHaveLength(count);
      expect((await fixture.rows(contactSchema)).size).toBe(count);
    }));

  for (const [field, values] of Object.entries(testedValues)) {
    test(`every value of ${field} comes back as it was written`, () =>
      withTarget(create, 'mirror', async ({ target, write, fixture }) => {
        const rows = values.map((value, i) => contact(`k${i}`, { [field]: value }));
        await write(rows.map((each) => upsert(each, 1000)));
        const found = await fixture.rows(contactSchema);
        expect(rows.map((each) => found.get(String(each.Id))?.[field])).toEqual(rows.map((each) => stored(each)[field]));
        const read = await target.read?.(rows.map((each) => String(each.Id)));
        if (read !== undefined) expect(rows.map((each) => read.get(String(each.Id)))).toEqual(rows.map(stored));
        if (!traits.compares) return;
        // And what came back is recognised: otherwise each delta would write the row again.
        expect(new Set(statuses(await write(rows.map((each) => upsert(each, 2000)))))).toEqual(new Set(['unchanged']));
      }));
  }

  test('hostile texts serve as keys', () =>
    withTarget(create, 'mirror', async ({ target, write, fixture }) => {
      const keys = testedKeys.filter((text) => text !== '');
      await write(keys.map((key) => upsert(contact(key, { Name: key }), 1000)));
      const found = await fixture.rows(contactSchema);
      expect(new Map([...found].map(([key, each]) => [key, each.Name]))).toEqual(new Map(keys.map((key) => [key, key])));
      expect([...((await target.read?.(keys)) ?? found).keys()].sort()).toEqual([...keys].sort());
      expect(statuses(await write(keys.map((key) => remove(key, 2000))))).toEqual(keys.map(() => 'deleted'));
    }));

  test('text that UTF-8 or the system cannot hold is refused and named, or kept in a form that stays the same', () =>
    withTarget(create, 'mirror', async ({ write, fixture }) => {
      const changes = ['a\u0000b', 'lone \ud83d surrogate'].map((Name, i) => upsert(contact(`k${i}`, { Name }), 1000));
      const results = await write([...changes, upsert(contact('good', { Name: 'good' }), 1000)]);
      const found = await fixture.rows(contactSchema);
      expect(found.get('good')?.Name).toBe('good');
      results.slice(0, 2).forEach((result, i) => {
        const name = found.get(`k${i}`)?.Name;
        if (result.status === 'rejected') expect(name).toBeUndefined();
        else expect([['a\u0000b'], ['lone \ufffd surrogate', 'lone \ud83d surrogate']][i]).toContain(name);
      });
      if (traits.compares) expect(statuses(await write(changes))).not.toContain('updated');
    }));

  if (!traits.typed) return;
  test('one bad record stops nothing: it is named and the rest is written (P2)', () =>
    withTarget(create, 'mirror', async ({ write, fixture }) => {
      const results = await write([
        upsert(contact('a', { Name: 'first' }), 1000),
        upsert(contact('bad', { Count: 'not a number' }), 1000),
        upsert(contact('worse', { At: 'yesterday', Count: 'x' }), 1000),
        upsert(contact('z', { Name: 'last' }), 1000),
      ]);
      expect(statuses(results)).toEqual(['created', 'rejected', 'rejected', 'created']);
      const [, bad] = results;
      if (bad?.status !== 'rejected') throw new Error('unreachable');
      expect(bad.reason.code).not.toBe('');
      expect(bad.reason.message).toContain('Count');
      expect([...(await fixture.rows(contactSchema)).keys()].sort()).toEqual(['a', 'z']);
    }));

  test('a bad change of a good record leaves the record as it was (P2)', () =>
    withTarget(create, 'mirror', async ({ write, fixture }) => {
      await write([upsert(contact('a', { Name: 'good' }), 1000)]);
      expect(statuses(await write([upsert(contact('a', { Name: 'bad', Count: 'x' }), 2000)]))).toEqual(['rejected']);
      expect((await fixture.rows(contactSchema)).get('a')?.Name).toBe('good');
    }));
}

function describeOrder(create: CreateTarget, runs: number): void {
  test('a change with an older stamp than the row changes nothing (P3)', () =>
    withTarget(create, 'mirror', async ({ write, fixture }) => {
      await write([upsert(contact('a', { Name: 'new' }), 2000)]);
      expect(statuses(await write([upsert(contact('a', { Name: 'old' }), 1999)]))).toEqual(['unchanged']);
      expect(statuses(await write([remove('a', 1999)]))).toEqual(['unchanged']);
      expect((await fixture.rows(contactSchema)).get('a')?.Name).toBe('new');
    }));

  test('equal stamps compare values: two changes of one second both arrive (P3)', () =>
    withTarget(create, 'mirror', async ({ write, fixture }) => {
      await write([upsert(contact('a', { Name: 'one' }), 2000)]);
      expect(statuses(await write([upsert(contact('a', { Name: 'two' }), 2000)]))).toEqual(['updated']);
      expect(statuses(await write([upsert(contact('a', { Name: 'two' }), 2000)]))).toEqual(['unchanged']);
      expect((await fixture.rows(contactSchema)).get('a')?.Name).toBe('two');
    }));

  test('null and empty text are different values (P3)', () =>
    withTarget(create, 'mirror', async ({ write, fixture }) => {
      for (const Name of [null, '', null]) {
        await write([upsert(contact('a', { Name: 'some' }), 2000)]);
        await write([upsert(contact('a', { Name: Name === null ? '' : null }), 2000)]);
        expect(statuses(await write([upsert(contact('a', { Name }), 2000)]))).toEqual(['updated']);
        expect((await fixture.rows(contactSchema)).get('a')?.Name).toBe(Name);
      }
    }));

  test('a change without a stamp cannot be called old: the newest read wins (P3)', () =>
    withTarget(create, 'mirror', async ({ write, fixture }) => {
      await write([upsert(contact('a', { Name: 'stamped' }), 2000)]);
      expect(statuses(await write([upsert(contact('a', { Name: 'read just now' }))]))).toEqual(['updated']);
      expect(statuses(await write([upsert(contact('a', { Name: 'and again' }))]))).toEqual(['updated']);
      // The row's stamp did not go back with it.
      expect(statuses(await write([upsert(contact('a', { Name: 'stale' }), 1000)]))).toEqual(['unchanged']);
      expect((await fixture.rows(contactSchema)).get('a')?.Name).toBe('and again');
      expect(statuses(await write([remove('a')]))).toEqual(['deleted']);
    }));

  test('an unchanged record is not written (P8)', () =>
    withTarget(create, 'mirror', async ({ write, fixture }) => {
      const rows = Object.entries(valuesByField).flatMap(([field, values]) =>
        values.map((value, i) => upsert(contact(`${field}${i}`, { [field]: value }), 1000)),
      );
      await write(rows);
      const before = await fixture.writes?.();
      expect(new Set(statuses(await write(rows)))).toEqual(new Set(['unchanged']));
      expect(await fixture.writes?.()).toBe(before);
      await write([upsert(contact('one more'), 1000)]);
      if (before !== undefined) expect(await fixture.writes?.()).toBe(before + 1);
    }));

  // Versions of a record repeat values (A, B, A), because that is where a target goes wrong that compares values
  // and forgets to keep the newer stamp.
  test('permuted, duplicated and delayed deliveries end in the newest version (P3)', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.constantFrom('A', 'B', 'deleted'), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 }),
        fc.infiniteStream(fc.nat()),
        async (histories, choices) => {
          const choose = (below: number) => Number(choices.next().value) % below;
          const deliveries = histories.flatMap((versions, k) =>
            versions.map((value, v) => change(`k${k}`, value, (v + 1) * 1000)),
          );
          deliveries.push(...deliveries.filter(() => choose(3) === 0));
          shuffle(deliveries, choose);
          // `mark`, because only a kept row can remember the stamp of its deletion.
          await withTarget(create, 'mark', async ({ write, fixture }) => {
            // A record that the target has never seen leaves no mark when its deletion comes first.
            for (const k of histories.keys()) await write([change(`k${k}`, 'B', 500)]);
            for (const delivery of deliveries) await write([delivery]);
            const found = await fixture.rows(contactSchema);
            histories.forEach((versions, k) => {
              const last = versions.at(-1)!;
              expect(found.get(`k${k}`)?.Name).toBe(last === 'deleted' ? undefined : last);
            });
          });
        },
      ),
      { numRuns: runs },
    ));
}

const change = (key: string, value: string, stampMs: number) =>
  value === 'deleted' ? remove(key, stampMs) : upsert(contact(key, { Name: value }), stampMs);

function shuffle<T>(items: T[], choose: (below: number) => number): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = choose(i + 1);
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
}

function describeDeletes(create: CreateTarget, traits: TargetTraits): void {
  test('mirror removes the row (P4)', () =>
    withTarget(create, 'mirror', async ({ write, fixture, target }) => {
      await write([upsert(contact('a'), 1000), upsert(contact('b'), 1000)]);
      expect(statuses(await write([remove('a', 2000)]))).toEqual(['deleted']);
      expect([...(await fixture.rows(contactSchema)).keys()]).toEqual(['b']);
      expect((await target.read?.(['a']))?.size ?? 0).toBe(0);
      expect((await fixture.marked?.()) ?? []).toEqual([]);
      if (traits.compares)
        expect(statuses(await write([remove('a', 2000), remove('never was', 2000)]))).toEqual(['unchanged', 'unchanged']);
    }));

  if (traits.marks === false) {
    test('mark is refused before anything is written (P4)', async () => {
      await expect(withTarget(create, 'mark', async () => {})).rejects.toThrow('mark');
    });
  }

  test.skipIf(traits.marks === false)('mark keeps the row and says that it went; an undelete brings it back (P4)', () =>
    withTarget(create, 'mark', async ({ write, fixture, target }) => {
      const ada = upsert(contact('a', { Name: 'Ada' }), 1000);
      await write([ada, upsert(contact('b'), 1000)]);
      expect(statuses(await write([remove('a', 2000)]))).toEqual(['deleted']);
      expect([...(await fixture.rows(contactSchema)).keys()]).toEqual(['b']);
      expect((await target.read?.(['a']))?.size ?? 0).toBe(0);
      if (fixture.marked !== undefined) expect(await fixture.marked()).toEqual(['a']);
      if (!traits.compares) return;
      expect(statuses(await write([remove('a', 2000)]))).toEqual(['unchanged']);
      expect(statuses(await write([ada]))).toEqual(['unchanged']);
      expect(statuses(await write([{ ...ada, stampMs: 3000 }]))).toEqual(['updated']);
      expect((await fixture.rows(contactSchema)).get('a')).toEqual(ada.row);
      if (fixture.marked !== undefined) expect(await fixture.marked()).toEqual([]);
    }),
  );

  test('it tells of the last write by the stamp of the source, or says that it does not tell', () =>
    withTarget(create, traits.marks === false ? 'mirror' : 'mark', async ({ write, fixture, target }) => {
      if (target.lastWrite === undefined) return;
      await write([upsert(contact('a', { Name: 'A' }), 1000), upsert(contact('b'), 1000)]);
      expect(await target.lastWrite('a')).toEqual({ stampMs: 1000, deletedAtMs: null });
      await write([upsert(contact('a', { Name: 'AA' }), 2000), upsert(contact('b', { Name: 'late' }), 500)]);
      expect(await target.lastWrite('a')).toEqual({ stampMs: 2000, deletedAtMs: null });
      expect(await target.lastWrite('b')).toEqual({ stampMs: 1000, deletedAtMs: null });
      await write([remove('a', 3000)]);
      expect(await target.lastWrite('a')).toEqual(traits.marks === false ? null : { stampMs: 3000, deletedAtMs: 3000 });
      expect(await target.lastWrite('never was')).toBeNull();
      await fixture.insertForeign?.(contact('own', { Name: 'mine' }), contactSchema);
      expect(await target.lastWrite('own')).toBeNull();
    }));

  test('ignore leaves the row alone (P4)', () =>
    withTarget(create, 'ignore', async ({ write, fixture }) => {
      await write([upsert(contact('a'), 1000)]);
      expect(statuses(await write([remove('a', 2000)]))).toEqual(['unchanged']);
      expect([...(await fixture.rows(contactSchema)).keys()]).toEqual(['a']);
    }));

  test('a row that no sync has written is never deleted, and is taken over by an upsert (P4)', async () => {
    await withTarget(create, 'mirror', async ({ write, fixture }) => {
      if (fixture.insertForeign === undefined) return;
      await fixture.insertForeign(contact('own', { Name: 'mine' }), contactSchema);
      expect(statuses(await write([remove('own', 2000)]))).toEqual(['unchanged']);
      expect((await fixture.rows(contactSchema)).get('own')?.Name).toBe('mine');
      expect(statuses(await write([upsert(contact('own', { Name: 'synced' }), 1000)]))).toEqual(['updated']);
      expect(statuses(await write([remove('own', 2000)]))).toEqual(['deleted']);
    });
  });
}

function describeCommits(create: CreateTarget, { compares }: TargetTraits): void {
  const settled = (target: Target, epoch: number, changes: readonly Change[], checkpoint: string | null) =>
    target.write(changes, { epoch, settle: async () => checkpoint }, never);

  test('the results are settled before anybody sees the data (P2)', () =>
    withTarget(create, 'mirror', async ({ target, epoch, fixture }) => {
      let seen: unknown;
      const settle = async (results: readonly WriteResult[]) => {
        seen = { statuses: statuses(results), rows: (await fixture.rows(contactSchema)).size };
        return null;
      };
      await target.write([upsert(contact('a'), 1000)], { epoch, settle }, never);
      expect(seen).toEqual({ statuses: [compares ? 'created' : expect.any(String)], rows: 0 });
      expect((await fixture.rows(contactSchema)).size).toBe(1);
    }));

  test('the checkpoint is kept with the data, and only when there is one (P1)', () =>
    withTarget(create, 'mirror', async ({ target, epoch, fixture }) => {
      expect(await target.checkpoints!.read('contract')).toBeNull();
      await settled(target, epoch, [upsert(contact('a'), 1000)], 'first "checkpoint"\n');
      expect(await target.checkpoints!.read('contract')).toBe('first "checkpoint"\n');
      await settled(target, epoch, [upsert(contact('b'), 1000)], null);
      expect(await target.checkpoints!.read('contract')).toBe('first "checkpoint"\n');
      await settled(target, epoch, [], 'second');
      expect((await openTarget(fixture, 'mirror')).target.checkpoints).toBeDefined();
      expect(await target.checkpoints!.read('contract')).toBe('second');
    }));

  test('when settling fails, neither data nor checkpoint are kept, and the target goes on working (P1, P2)', () =>
    withTarget(create, 'mirror', async ({ target, epoch, fixture, write }) => {
      await settled(target, epoch, [upsert(contact('a', { Name: 'before' }), 1000)], 'before');
      const settle = async () => {
        throw new RangeError('the store is full');
      };
      const changes = [upsert(contact('a', { Name: 'after' }), 2000), upsert(contact('b'), 1000)];
      await expect(target.write(changes, { epoch, settle }, never)).rejects.toThrow('the store is full');
      expect([...(await fixture.rows(contactSchema)).values()].map(({ Name }) => Name)).toEqual(['before']);
      expect(await target.checkpoints!.read('contract')).toBe('before');
      expect(statuses(await write(changes))).toEqual(
        compares ? ['updated', 'created'] : [expect.any(String), expect.any(String)],
      );
    }));

  test('work that was called off before it began writes nothing', () =>
    withTarget(create, 'mirror', async ({ target, epoch, fixture }) => {
      const commit = { epoch, settle: async () => 'kept' };
      await expect(target.write([upsert(contact('a'), 1000)], commit, AbortSignal.abort())).rejects.toThrow();
      expect((await fixture.rows(contactSchema)).size).toBe(0);
      expect(await target.checkpoints!.read('contract')).toBeNull();
    }));

  test('a former owner can change nothing: neither rows nor checkpoint (P11)', () =>
    withTarget(create, 'mirror', async ({ target: former, epoch, fixture }) => {
      await settled(former, epoch, [upsert(contact('a', { Name: 'first owner' }), 1000)], 'first');
      const { target: latest, epoch: latestEpoch } = await openTarget(fixture, 'mirror');
      expect(latestEpoch).toBeGreaterThan(epoch);
      const late = [upsert(contact('a', { Name: 'late' }), 3000), upsert(contact('b'), 3000)];
      await expect(settled(former, epoch, late, 'late')).rejects.toThrow(OwnershipLostError);
      await expect(settled(former, epoch, [], 'late')).rejects.toThrow(OwnershipLostError);
      await expect(former.checkpoints!.write('contract', epoch, 'late')).rejects.toThrow(OwnershipLostError);
      expect([...(await fixture.rows(contactSchema)).values()].map(({ Name }) => Name)).toEqual(['first owner']);
      expect(await latest.checkpoints!.read('contract')).toBe('first');
      await settled(latest, latestEpoch, [upsert(contact('a', { Name: 'second owner' }), 2000)], 'second');
      expect(await former.checkpoints!.read('contract')).toBe('second');
    }));

  test('a unit keeps its own checkpoint, which can be set and forgotten', () =>
    withTarget(create, 'mirror', async ({ target, epoch }) => {
      const checkpoints = target.checkpoints!;
      const other = await checkpoints.acquire('another unit');
      expect(other.checkpoint).toBeNull();
      await checkpoints.write('another unit', other.epoch, 'theirs');
      await checkpoints.write('contract', epoch, 'ours');
      expect(await checkpoints.read('another unit')).toBe('theirs');
      expect(await checkpoints.acquire('another unit')).toEqual({ epoch: other.epoch + 1, checkpoint: 'theirs' });
      // Who had to end before its turn came has taken nothing.
      const over = AbortSignal.abort(new RangeError('over'));
      await expect(checkpoints.acquire('another unit', over)).rejects.toThrow('over');
      expect((await checkpoints.acquire('another unit')).epoch).toBe(other.epoch + 2);
      await checkpoints.write('contract', epoch, null);
      expect(await checkpoints.read('contract')).toBeNull();
      expect(await checkpoints.read('never heard of')).toBeNull();
    }));
}
