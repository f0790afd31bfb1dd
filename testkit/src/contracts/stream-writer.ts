import { type DeleteRule, NO_STAMP, newRow, OwnershipLostError, type Row, type StreamChange, type Update } from '@tidemark/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { contact, contactSchema, hostileTexts, remove, upsert, valuesByField } from './rows.ts';
import { type ModelRow, modelOf } from './stream-model.ts';
import { type CreateTarget, type OpenStream, openStream, statuses, withStream } from './target-fixture.ts';

/** Called by `describeTargetContract`: how a stream's changes reach the targets of one connection. */
export function describeStreamWriterContract(create: CreateTarget, runs: number): void {
  describeUpdates(create);
  describeTransactions(create);
  describeRefusals(create);
  test('any batches of changes end as told, row by row and result by result (P1, P3, P6)', () => holdsModel(create, runs));
}

const never = new AbortController().signal;
const rowsOf = async ({ fixture }: OpenStream) => fixture.rows(contactSchema);
const nameOf = async (open: OpenStream, key: string) => (await rowsOf(open)).get(key)?.Name;

/** Sets these fields; a field that is not given is not touched. */
function update(key: string, values: { readonly [field: string]: Row[string] }, stampMs: number = NO_STAMP): Update {
  return { op: 'update', key, row: Object.assign(newRow(), values), stampMs };
}

function describeUpdates(create: CreateTarget): void {
  test('an update sets the fields that it holds and no other: null clears, absent stays', () =>
    withStream(create, 'mirror', async (open) => {
      await open.commit([upsert(contact('a', { Name: 'Ada', Count: 1, Day: '2024-02-29', Ratio: 0.5 }), 1000)]);
      expect(await open.commit([update('a', { Count: 2, Day: null }, 2000)])).toEqual(['updated']);
      expect((await rowsOf(open)).get('a')).toEqual(contact('a', { Name: 'Ada', Count: 2, Day: null, Ratio: 0.5 }));
      expect(await open.commit([update('a', { Name: '' }, 3000)])).toEqual(['updated']);
      expect(await open.commit([update('a', { Name: null }, 4000)])).toEqual(['updated']);
      expect((await rowsOf(open)).get('a')).toEqual(contact('a', { Count: 2, Ratio: 0.5 }));
    }));

  test('an update creates nothing: it says that the row is absent', () =>
    withStream(create, 'mirror', async (open) => {
      await open.commit([upsert(contact('b'), 1000)]);
      const results = await open.commit([update('a', { Name: 'x' }, 2000), update('b', { Name: 'y' }, 2000), update('c', {})]);
      expect(results).toEqual(['absent', 'updated', 'absent']);
      expect([...(await rowsOf(open)).keys()]).toEqual(['b']);
    }));

  test('a row that is marked as deleted is absent to an update, and stays marked (P4)', () =>
    withStream(create, 'mark', async (open) => {
      await open.commit([upsert(contact('a'), 1000), upsert(contact('b'), 1000)]);
      await open.commit([remove('a', 2000)]);
      for (const stampMs of [1500, 3000, NO_STAMP]) {
        expect(await open.commit([update('a', { Name: 'x' }, stampMs), update('b', { Name: `${stampMs}` })])).toEqual([
          'absent',
          'updated',
        ]);
      }
      expect([...(await rowsOf(open)).keys()]).toEqual(['b']);
      if (open.fixture.marked !== undefined) expect(await open.fixture.marked()).toEqual(['a']);
    }));

  test('a row that no sync has written is absent to an update: it is taken over whole or not at all', () =>
    withStream(create, 'mirror', async (open) => {
      if (open.fixture.insertForeign === undefined) return;
      await open.fixture.insertForeign(contact('own', { Name: 'mine' }), contactSchema);
      expect(await open.commit([update('own', { Name: 'x' }, 2000)])).toEqual(['absent']);
      expect(await open.commit([update('own', { Name: 'x' })])).toEqual(['absent']);
      expect(await nameOf(open, 'own')).toBe('mine');
    }));

  test('an update with an older stamp than the row changes nothing (P3)', () =>
    withStream(create, 'mirror', async (open) => {
      await open.commit([upsert(contact('a', { Name: 'new' }), 2000)]);
      expect(await open.commit([update('a', { Name: 'old' }, 1999)])).toEqual(['unchanged']);
      expect(await nameOf(open, 'a')).toBe('new');
    }));

  test('equal stamps compare values: two updates of one second both arrive (P3)', () =>
    withStream(create, 'mirror', async (open) => {
      await open.commit([upsert(contact('a'), 2000)]);
      expect(await open.commit([update('a', { Name: 'one' }, 2000)])).toEqual(['updated']);
      expect(await open.commit([update('a', { Name: 'two' }, 2000)])).toEqual(['updated']);
      expect(await open.commit([update('a', { Name: 'two' }, 2000)])).toEqual(['unchanged']);
      expect(await nameOf(open, 'a')).toBe('two');
    }));

  test('a newer stamp is kept although the values are equal: a delayed change from between is old (P3)', () =>
    withStream(create, 'mirror', async (open) => {
      await open.commit([upsert(contact('a', { Name: 'A' }), 1000), upsert(contact('b', { Name: 'A' }), 1000)]);
      expect(await open.commit([update('a', { Name: 'A' }, 3000), update('b', {}, 3000)])).toEqual(['unchanged', 'unchanged']);
      const late = [update('a', { Name: 'B' }, 2000), upsert(contact('b', { Name: 'B' }), 2000)];
      expect(await open.commit(late)).toEqual(['unchanged', 'unchanged']);
      expect([await nameOf(open, 'a'), await nameOf(open, 'b')]).toEqual(['A', 'A']);
    }));

  test('an update without a stamp is applied whatever the row has, and leaves it (P3)', () =>
    withStream(create, 'mirror', async (open) => {
      await open.commit([upsert(contact('a', { Name: 'A' }), 2000)]);
      expect(await open.commit([update('a', { Name: 'B' })])).toEqual(['updated']);
      expect(await open.commit([update('a', { Name: 'B' })])).toEqual(['unchanged']);
      expect(await nameOf(open, 'a')).toBe('B');
      expect(await open.commit([update('a', { Name: 'C' }, 1999)])).toEqual(['unchanged']);
      expect(await open.commit([update('a', { Name: 'C' }, 2000)])).toEqual(['updated']);
    }));

  test('an update that changes nothing is not written (P8)', () =>
    withStream(create, 'mirror', async (open) => {
      const values = Object.entries(valuesByField).flatMap(([field, all]) =>
        all.map((value, i) => ({ key: `${field}${i}`, set: { [field]: value } })),
      );
      await open.commit(values.map(({ key, set }) => upsert(contact(key, set), 1000)));
      const before = await open.fixture.writes?.();
      const same = await open.commit(values.map(({ key, set }) => update(key, set, 1000)));
      expect(new Set(same)).toEqual(new Set(['unchanged']));
      expect(await open.fixture.writes?.()).toBe(before);
      await open.commit([update('Name0', { Name: 'other' }, 1000)]);
      if (before !== undefined) expect(await open.fixture.writes?.()).toBe(before + 1);
    }));

  for (const [field, values] of Object.entries(valuesByField)) {
    test(`every value of ${field} arrives by an update as by a whole record`, () =>
      withStream(create, 'mirror', async (open) => {
        const others = [...values.slice(1), values[0]!];
        await open.commit(others.map((value, i) => upsert(contact(`k${i}`, { [field]: value }), 1000)));
        const updates = values.map((value, i) => update(`k${i}`, { [field]: value }, 2000));
        expect(new Set(await open.commit(updates))).toEqual(new Set(['updated']));
        const found = await rowsOf(open);
        expect(values.map((_, i) => found.get(`k${i}`))).toEqual(values.map((value, i) => contact(`k${i}`, { [field]: value })));
        // And is recognised afterwards, by either kind of change.
        const again = [...updates, ...values.map((value, i) => upsert(contact(`k${i}`, { [field]: value }), 2000))];
        expect(new Set([...(await open.commit(updates)), ...(await open.commit(again.slice(values.length)))])).toEqual(
          new Set(['unchanged']),
        );
      }));
  }

  test('hostile texts serve as keys of updates and deletes', () =>
    withStream(create, 'mirror', async (open) => {
      const keys = hostileTexts.filter((text) => text !== '');
      await open.commit(keys.map((key) => upsert(contact(key), 1000)));
      expect(new Set(await open.commit(keys.map((key) => update(key, { Name: key }, 2000))))).toEqual(new Set(['updated']));
      const found = await rowsOf(open);
      expect(keys.map((key) => found.get(key)?.Name)).toEqual(keys);
      expect(new Set(await open.commit(keys.map((key) => remove(key, 3000))))).toEqual(new Set(['deleted']));
    }));

  test('fields come and go from batch to batch, alone and all at once', () =>
    withStream(create, 'mirror', async (open) => {
      const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
      const fields = Object.keys(valuesByField);
      const model = new Map(keys.map((key) => [key, contact(key)]));
      await open.commit(keys.map((key) => upsert(contact(key), 1000)));
      for (let round = 0; round < 12; round++) {
        const updates = keys.map((key, k) => {
          const set = newRow();
          fields.forEach((field, f) => {
            if (round !== 11 && (f * 7 + k * round) % 12 > round / 2) return;
            const values = valuesByField[field]!;
            set[field] = values[(k + round) % values.length]!;
          });
          Object.assign(model.get(key)!, set);
          return update(key, set);
        });
        await open.commit(updates);
        expect(await rowsOf(open)).toEqual(model);
      }
    }));

  for (const size of [2, 399, 3000]) {
    test(`result i is about change i, of ${size} of all kinds`, () =>
      withStream(create, 'mirror', async (open) => {
        const kinds = [
          (key: string) => ({ change: update(key, { Name: 'set' }, 2000), expected: 'updated', name: 'set' }),
          (key: string) => ({ change: update(`not ${key}`, { Name: 'set' }, 2000), expected: 'absent', name: 'before' }),
          (key: string) => ({ change: remove(key, 2000), expected: 'deleted', name: undefined }),
          (key: string) => ({ change: upsert(contact(key, { Name: 'put' }), 2000), expected: 'updated', name: 'put' }),
          (key: string) => ({ change: update(key, { Name: 'late' }, 999), expected: 'unchanged', name: 'before' }),
          (key: string) => ({
            change: upsert(contact(`new ${key}`, { Name: 'new' }), 2000),
            expected: 'created',
            name: 'before',
          }),
          (key: string) => ({ change: update(key, { Name: 'before' }, 2000), expected: 'unchanged', name: 'before' }),
        ];
        const cases = Array.from({ length: size }, (_, i) => ({ key: `k${i}`, ...kinds[(i * 3) % kinds.length]!(`k${i}`) }));
        await open.commit(cases.map(({ key }) => upsert(contact(key, { Name: 'before' }), 1000)));
        expect(await open.commit(cases.map(({ change }) => change))).toEqual(cases.map(({ expected }) => expected));
        const found = await rowsOf(open);
        expect(cases.map(({ key }) => found.get(key)?.Name)).toEqual(cases.map(({ name }) => name));
      }));
  }
}

function describeTransactions(create: CreateTarget): void {
  test('nothing is visible before the commit: rows of two tables and the checkpoint appear together (P1, P6)', () =>
    withStream(create, 'mirror', async (open) => {
      const { fixture, writer, target, other, epoch } = open;
      await open.commit([upsert(contact('a', { Name: 'before' }), 1000)], 'first');
      const transaction = await writer.begin(never);
      await transaction.apply(target, [update('a', { Name: 'after' }, 2000), upsert(contact('b'), 2000)]);
      await transaction.apply(other, [upsert(contact('x'), 2000)]);
      // What the transaction itself has done, it sees.
      expect(statuses(await transaction.apply(target, [update('b', { Name: 'b' }, 2000)]))).toEqual(['updated']);
      expect(await rowsOf(open)).toEqual(new Map([['a', contact('a', { Name: 'before' })]]));
      expect((await fixture.rows(contactSchema, 'other')).size).toBe(0);
      expect(await target.checkpoints!.read('live')).toBe('first');
      await transaction.commit('live', epoch, 'second');
      expect(await rowsOf(open)).toEqual(
        new Map([
          ['a', contact('a', { Name: 'after' })],
          ['b', contact('b', { Name: 'b' })],
        ]),
      );
      expect(await fixture.rows(contactSchema, 'other')).toEqual(new Map([['x', contact('x')]]));
      expect(await target.checkpoints!.read('live')).toBe('second');
    }));

  test('a rollback leaves nothing, and the writer goes on', () =>
    withStream(create, 'mirror', async (open) => {
      const { writer, target, other } = open;
      await open.commit([upsert(contact('a', { Name: 'before' }), 1000)], 'first');
      const transaction = await writer.begin(never);
      await transaction.apply(target, [update('a', { Name: 'after' }, 2000), upsert(contact('b'), 2000)]);
      await transaction.apply(other, [upsert(contact('x'), 2000)]);
      await transaction.rollback();
      await transaction.rollback();
      expect(await rowsOf(open)).toEqual(new Map([['a', contact('a', { Name: 'before' })]]));
      expect((await open.fixture.rows(contactSchema, 'other')).size).toBe(0);
      expect(await target.checkpoints!.read('live')).toBe('first');
      expect(await open.commit([update('a', { Name: 'after' }, 2000)], 'second')).toEqual(['updated']);
      expect(await target.checkpoints!.read('live')).toBe('second');
    }));

  test('a writer that ends between apply and commit leaves nothing, and keeps nobody else from writing (P1)', () =>
    withStream(create, 'mirror', async (open) => {
      const { fixture, writer, target, other } = open;
      await open.commit([upsert(contact('a', { Name: 'before' }), 1000)], 'first');
      const transaction = await writer.begin(never);
      await transaction.apply(target, [update('a', { Name: 'after' }, 2000)]);
      await transaction.apply(other, [upsert(contact('x'), 2000)]);
      await writer[Symbol.asyncDispose]();
      const next = await openStream(fixture, 'mirror');
      expect(await nameOf(next, 'a')).toBe('before');
      expect((await fixture.rows(contactSchema, 'other')).size).toBe(0);
      expect(await target.checkpoints!.read('live')).toBe('first');
      expect(await next.commit([update('a', { Name: 'after' }, 2000)], 'second')).toEqual(['updated']);
    }));

  test('a former owner can change nothing: neither rows nor checkpoint (P11)', () =>
    withStream(create, 'mirror', async (former) => {
      const { fixture, writer, target, other, epoch } = former;
      await former.commit([upsert(contact('a', { Name: 'first owner' }), 1000)], 'first');
      const latest = await openStream(fixture, 'mirror');
      const transaction = await writer.begin(never);
      await transaction.apply(target, [update('a', { Name: 'late' }, 3000), upsert(contact('b'), 3000)]);
      await transaction.apply(other, [upsert(contact('x'), 3000)]);
      await expect(transaction.commit('live', epoch, 'late')).rejects.toThrow(OwnershipLostError);
      await transaction.rollback();
      await expect(former.commit([], 'late')).rejects.toThrow(OwnershipLostError);
      expect([...(await rowsOf(latest)).values()].map(({ Name }) => Name)).toEqual(['first owner']);
      expect((await fixture.rows(contactSchema, 'other')).size).toBe(0);
      expect(await target.checkpoints!.read('live')).toBe('first');
      expect(await latest.commit([update('a', { Name: 'second owner' }, 2000)], 'second')).toEqual(['updated']);
      expect(await former.target.checkpoints!.read('live')).toBe('second');
    }));

  test('a checkpoint can be kept without a change, and no change is no error', () =>
    withStream(create, 'mirror', async (open) => {
      expect(await open.commit([], 'moved')).toEqual([]);
      const transaction = await open.writer.begin(never);
      await transaction.commit('live', open.epoch, 'moved on "\n');
      expect(await open.target.checkpoints!.read('live')).toBe('moved on "\n');
    }));

  test('a transaction is one at a time, and work that was called off does not begin', () =>
    withStream(create, 'mirror', async (open) => {
      await expect(open.writer.begin(AbortSignal.abort())).rejects.toThrow();
      const transaction = await open.writer.begin(never);
      await expect(open.writer.begin(never)).rejects.toThrow();
      await transaction.rollback();
      expect(await open.commit([upsert(contact('a'), 1000)])).toEqual(['created']);
    }));

  test('stream and polls write the same table in turns', () =>
    withStream(create, 'mirror', async (open) => {
      const poll = (stampMs: number) =>
        open.target.write(
          [upsert(contact('a', { Name: `poll ${stampMs}`, Count: stampMs }), stampMs)],
          { epoch: open.ownEpoch, settle: async () => null },
          never,
        );
      await poll(1000);
      expect(await open.commit([update('a', { Name: 'stream' }, 2000)])).toEqual(['updated']);
      expect(statuses(await poll(1999))).toEqual(['unchanged']);
      expect((await rowsOf(open)).get('a')).toEqual(contact('a', { Name: 'stream', Count: 1000 }));
      expect(statuses(await poll(3000))).toEqual(['updated']);
      expect(await open.commit([update('a', { Name: 'late' }, 2500)])).toEqual(['unchanged']);
      expect((await rowsOf(open)).get('a')).toEqual(contact('a', { Name: 'poll 3000', Count: 3000 }));
    }));
}

function describeRefusals(create: CreateTarget): void {
  test('a refused record is named, leaves its row as it was, and the others alone (P2)', () =>
    withStream(create, 'mirror', async (open) => {
      const keys = ['a', 'b', 'c', 'd'];
      await open.commit(keys.map((key) => upsert(contact(key, { Name: 'before', Count: 1 }), 1000)));
      const transaction = await open.writer.begin(never);
      await transaction.apply(open.other, [upsert(contact('x'), 1000)]);
      const results = await transaction.apply(open.target, [
        update('a', { Name: 'after' }, 2000),
        update('b', { Name: 'bad', Count: 'not a number' }, 2000),
        upsert(contact('c', { Name: 'bad', Amount: 'many' }), 2000),
        remove('d', 2000),
        upsert(contact('e', { Name: 'after' }), 2000),
      ]);
      await transaction.commit('live', open.epoch, 'on');
      expect(statuses(results)).toEqual(['updated', 'rejected', 'rejected', 'deleted', 'created']);
      const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
      expect(reasons.map(({ code }) => code === '')).toEqual([false, false]);
      expect(reasons.map(({ message }) => message)).toEqual([
        expect.stringContaining('Count'),
        expect.stringContaining('Amount'),
      ]);
      expect(new Map([...(await rowsOf(open))].map(([key, { Name }]) => [key, Name]))).toEqual(
        new Map([
          ['a', 'after'],
          ['b', 'before'],
          ['c', 'before'],
          ['e', 'after'],
        ]),
      );
      expect((await open.fixture.rows(contactSchema, 'other')).size).toBe(1);
    }));

  test('a few bad ones among many are found (P2)', () =>
    withStream(create, 'mirror', async (open) => {
      const keys = Array.from({ length: 1000 }, (_, i) => `k${i}`);
      await open.commit(keys.map((key) => upsert(contact(key), 1000)));
      const isBad = (i: number) => i % 331 === 7 || i > 997;
      const results = await open.commit(
        keys.map((key, i) => update(key, isBad(i) ? { Ratio: 'much' } : { Count: i, Name: `n${i}` }, 2000)),
      );
      expect(results).toEqual(keys.map((_, i) => (isBad(i) ? 'rejected' : 'updated')));
      const found = await rowsOf(open);
      expect(keys.map((key) => found.get(key)?.Count)).toEqual(keys.map((_, i) => (isBad(i) ? null : i)));
    }));

  test('text that UTF-8 or the system cannot hold is refused and named, or kept in a form that stays the same', () =>
    withStream(create, 'mirror', async (open) => {
      const texts = ['a\u0000b', 'lone \ud83d surrogate'];
      await open.commit([...texts.keys(), 'good'].map((key) => upsert(contact(`${key}`, { Name: 'before' }), 1000)));
      const updates = [...texts.map((Name, i) => update(`${i}`, { Name }, 2000)), update('good', { Name: 'good' }, 2000)];
      const results = await open.commit(updates);
      expect(results.at(-1)).toBe('updated');
      const found = await rowsOf(open);
      texts.forEach((text, i) => {
        if (results[i] === 'rejected') expect(found.get(`${i}`)?.Name).toBe('before');
        else expect([text, text.toWellFormed()]).toContain(found.get(`${i}`)?.Name);
      });
      expect(await open.commit(updates)).not.toContain('updated');
    }));
}

const keys = ['a', 'b', 'c'];
const stamps = fc.constantFrom(NO_STAMP, 1000, 2000, 3000);
const values = {
  Name: fc.constantFrom(null, '', 'A', 'B'),
  Count: fc.constantFrom(null, 0, 7),
  Active: fc.constantFrom(null, true),
};
const changeOf = (key: string): fc.Arbitrary<StreamChange> =>
  fc.oneof(
    { weight: 5, arbitrary: fc.tuple(fc.record(values, { requiredKeys: [] }), stamps).map(([set, at]) => update(key, set, at)) },
    { weight: 2, arbitrary: fc.tuple(fc.record(values), stamps).map(([set, at]) => upsert(contact(key, set), at)) },
    { weight: 1, arbitrary: stamps.map((at) => remove(key, at)) },
    // Refused: it must leave no trace.
    { weight: 1, arbitrary: stamps.map((at) => update(key, { Name: 'lost', Count: 'x' }, at)) },
  );
const batch = fc.record({
  dataset: fc.constantFrom('contacts' as const, 'other' as const),
  changes: fc.subarray(keys).chain((some) => fc.tuple(...some.map(changeOf))),
});
const transactionOf = fc.record({
  batches: fc.array(batch, { minLength: 1, maxLength: 3 }),
  end: fc.constantFrom('commit' as const, 'commit' as const, 'commit' as const, 'rollback' as const, 'death' as const),
});

/** Two tables and a checkpoint, against a model in memory that knows nothing of transactions but copying. */
function holdsModel(create: CreateTarget, runs: number): Promise<void> {
  return fc.assert(
    fc.asyncProperty(
      fc.constantFrom<DeleteRule>('mirror', 'mark', 'ignore'),
      fc.array(transactionOf, { minLength: 1, maxLength: 6 }),
      async (deletes, transactions) => {
        await using fixture = await create();
        let open = await openStream(fixture, deletes);
        let kept = { contacts: new Map<string, ModelRow>(), other: new Map<string, ModelRow>(), checkpoint: 'begun' };
        const begun = await open.writer.begin(never);
        for (const dataset of ['contacts', 'other'] as const) {
          // What does not exist can only be created: most of what is told is about rows that are there.
          const there = keys.slice(1).map((key) => upsert(contact(key, { Name: 'A' }), 1000));
          for (const change of there) modelOf(kept[dataset], change, deletes);
          await begun.apply(dataset === 'other' ? open.other : open.target, there);
        }
        await begun.commit('live', open.epoch, 'begun');
        for (const [n, { batches, end }] of transactions.entries()) {
          const next = { contacts: new Map(kept.contacts), other: new Map(kept.other), checkpoint: `${n}` };
          const transaction = await open.writer.begin(never);
          for (const { dataset, changes } of batches) {
            const target = dataset === 'other' ? open.other : open.target;
            const expected = changes.map((change) => modelOf(next[dataset], change, deletes));
            expect(statuses(await transaction.apply(target, changes))).toEqual(expected);
          }
          if (end === 'commit') {
            await transaction.commit('live', open.epoch, `${n}`);
            kept = next;
          } else if (end === 'rollback') {
            await transaction.rollback();
          } else {
            await open.writer[Symbol.asyncDispose]();
            open = await openStream(fixture, deletes);
          }
          for (const dataset of ['contacts', 'other'] as const) {
            const live = [...kept[dataset]].filter(([, { deleted }]) => !deleted).map(([key, { row }]) => [key, row] as const);
            expect(await fixture.rows(contactSchema, dataset)).toEqual(new Map(live));
          }
          expect(await open.target.checkpoints!.read('live')).toBe(kept.checkpoint);
        }
      },
    ),
    { numRuns: runs },
  );
}
