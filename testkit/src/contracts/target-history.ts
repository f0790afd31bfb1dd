import {
  type Change,
  newRow,
  OwnershipLostError,
  type StreamChange,
  type StreamWriter,
  type Target,
  type TargetScope,
} from '@tidemark/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contact, contactSchema, loadBlock, remove, upsert, valuesByField } from './rows.ts';
import { type Ask, expectSoundHistory, readCurrent, readVersions, Told } from './sound-history.ts';

/** A fresh SQL target whose versions can be looked at. */
export interface HistoryFixture extends AsyncDisposable {
  /** The dataset `contacts` for the unit `contract`, opened as a process of its own would. */
  open(options: {
    history: boolean | undefined;
    deletes?: 'mirror' | 'mark';
    schema?: typeof contactSchema;
    /** Who else writes it; `contract` unless told otherwise. */
    unit?: string;
    scope?: TargetScope;
  }): Promise<Target>;
  openStreamWriter(targets: readonly Target[]): Promise<StreamWriter>;
  /** As another program would. */
  readonly ask: Ask;
}

const never = new AbortController().signal;
const columns = contactSchema.fields.map(({ name }) => name);
const place = { table: 'contacts', columns };
const marked = { table: 'contacts', columns: [...columns, '_tidemark_deleted_at'] };

const key = fc.constantFrom('a', 'b', 'c', "d'd");
const name = fc.constantFrom('x', 'y', 'Y', '', null);
const stampMs = fc.constantFrom(1000, 2000, 2000, 3000, 4000);
const change = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constant('upsert' as const), key, name, stampMs }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('delete' as const), key, stampMs }) },
);
const update = fc.record({ op: fc.constant('update' as const), key, name, stampMs });
const distinct = { selector: ({ key }: { key: string }) => key, minLength: 1, maxLength: 4 };
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), changes: fc.uniqueArray(change, distinct) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('stream' as const), changes: fc.uniqueArray(fc.oneof(change, update), distinct) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('load' as const),
      rows: fc.uniqueArray(fc.record({ key, name, stampMs }), { ...distinct, minLength: 0 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('crash' as const, 'overtaken' as const, 'again' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('foreign' as const),
      sql: fc.constantFrom(
        "UPDATE contacts SET name = 'theirs'",
        'UPDATE contacts SET name = name',
        "DELETE FROM contacts WHERE id > 'b'",
        'DELETE FROM contacts',
        "UPDATE contacts SET id = id || '2' WHERE id < 'c'",
        "INSERT INTO contacts (id, name) VALUES ('their own', 'x') ON CONFLICT (id) DO UPDATE SET name = 'z'",
      ),
    }),
  },
);

type Arbitrary<T> = T extends fc.Arbitrary<infer Value> ? Value : never;

function asChange(told: Arbitrary<typeof change> | Arbitrary<typeof update>): StreamChange {
  if (told.op === 'delete') return remove(told.key, told.stampMs);
  if (told.op === 'upsert') return upsert(contact(told.key, { Name: told.name }), told.stampMs);
  return { op: 'update', key: told.key, row: Object.assign(newRow(), { Name: told.name }), stampMs: told.stampMs };
}

/** Thrown where a process would die. */
class Crash extends Error {}

/** What a target with `keepsHistory` promises: whatever is written, by whom and however it ends, every version is kept, once. */
export function describeHistoryContract(name: string, create: () => Promise<HistoryFixture>, runs = 12): void {
  describe(`${name} keeps the history contract`, () => {
    for (const deletes of ['mirror', 'mark'] as const) {
      test(`deletes: ${deletes}: after each write, stream, load, crash and foreign statement, the versions are what the rows were, once each (P1, P6)`, () =>
        fc.assert(
          fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
            await using fixture = await create();
            const at = deletes === 'mark' ? marked : place;
            let target = await fixture.open({ history: true, deletes });
            await target.prepare();
            let { epoch } = await target.checkpoints!.acquire('contract');
            let writer = await fixture.openStreamWriter([target]);
            const told = new Told();
            const write = (changes: readonly Change[]) => target.write(changes, { epoch, settle: async () => 'on' }, never);
            for (const [i, each] of steps.entries()) {
              if (each.do === 'write') await write(each.changes.map((one) => asChange(one) as Change));
              else if (each.do === 'stream') {
                const transaction = await writer.begin(never);
                await transaction.apply(target, each.changes.map(asChange));
                await transaction.commit('contract', epoch, 'on');
              } else if (each.do === 'load') {
                await using load = await target.beginLoad!({ epoch, loadId: `load ${i}`, stampColumn: columns.length }, never);
                const rows = each.rows.map((one) => ({ row: contact(one.key, { Name: one.name }), stampMs: one.stampMs }));
                const style = () => (i % 2 === 0 ? 'text' : 'values');
                await load.writePage(blocks(loadBlock(rows, contactSchema, style)), 'page', async () => {}, never);
                const gone: string[] = [];
                for await (const keys of load.missingKeys()) gone.push(...keys);
                await load.finish({ gone, checkpoint: 'on', reject: async () => {}, signal: never });
                await load.settle?.(never);
              } else if (each.do === 'foreign') await fixture.ask(each.sql);
              else if (each.do === 'crash') {
                const changes = [
                  upsert(contact('a', { Name: `crash ${i}` }), 9000),
                  remove('b', 9000),
                  upsert(contact('new'), 9000),
                ];
                const dying = target.write(changes, { epoch, settle: () => Promise.reject(new Crash()) }, never);
                await expect(dying).rejects.toThrow(Crash);
                const transaction = await writer.begin(never);
                await transaction.apply(target, changes);
                await transaction.rollback();
              } else if (each.do === 'overtaken') {
                const former = epoch;
                ({ epoch } = await target.checkpoints!.acquire('contract'));
                const late = target.write(
                  [upsert(contact('a', { Name: 'late' }), 9000)],
                  { epoch: former, settle: async () => 'on' },
                  never,
                );
                await expect(late).rejects.toThrow(OwnershipLostError);
              } else {
                // As after a start: whatever is there, it is all there already.
                target = await fixture.open({ history: true, deletes });
                expect(await target.prepare()).toEqual([]);
                await writer[Symbol.asyncDispose]();
                writer = await fixture.openStreamWriter([target]);
              }
              const current = await readCurrent(fixture.ask, at);
              const versions = await readVersions(fixture.ask, at);
              expectSoundHistory(versions, current);
              told.note(current);
              told.expectOf(versions);
            }
            await writer[Symbol.asyncDispose]();
          }),
          { numRuns: runs },
        ));
    }

    test('values of every type begin a version when they come, none when they come again, and one when they change', async () => {
      await using fixture = await create();
      const { target, epoch, write } = await opened(fixture);
      const keys = Object.entries(valuesByField).flatMap(([field, values]) =>
        values.map((value, i) => ({ key: `${field}${i}`, values: { [field]: value } })),
      );
      const rows = keys.map((each) => upsert(contact(each.key, each.values), 1000));
      for (const stamp of [1000, 1000, 2000]) {
        await write(rows.map((each) => ({ ...each, stampMs: stamp })));
        expect(await readVersions(fixture.ask, place)).toHaveLength(rows.length);
      }
      await using load = await target.beginLoad!({ epoch, loadId: 'equal', stampColumn: columns.length }, never);
      const staged = rows.map(({ row }) => ({ row: row!, stampMs: 3000 }));
      await load.writePage(blocks(loadBlock(staged, contactSchema, () => 'text')), 'page', async () => {}, never);
      expect(await load.finish({ gone: [], checkpoint: null, signal: never })).toMatchObject({ created: 0, updated: 0 });
      expect(await readVersions(fixture.ask, place)).toHaveLength(rows.length);
      await write(keys.map((each) => upsert(contact(each.key, { Name: 'other' }), 4000)));
      const versions = await readVersions(fixture.ask, place);
      expect(versions).toHaveLength(rows.length * 2);
      expectSoundHistory(versions, await readCurrent(fixture.ask, place));
    });

    test('a first load becomes the table as a whole, its rows begin their history, and writes after it go on with it', async () => {
      await using fixture = await create();
      const { target, epoch, write } = await opened(fixture);
      await using load = await target.beginLoad!({ epoch, loadId: 'first', stampColumn: columns.length }, never);
      const rows = Array.from({ length: 3000 }, (_, i) => ({ row: contact(`k${i}`, { Count: i }), stampMs: 1000 }));
      await load.writePage(blocks(loadBlock(rows, contactSchema, () => 'text')), 'page', async () => {}, never);
      expect(await load.finish({ gone: [], checkpoint: null, signal: never })).toMatchObject({ created: 3000 });
      await load.settle?.(never);
      expect(await (await fixture.open({ history: true })).prepare()).toEqual([]);
      await write([upsert(contact('k7', { Count: 77 }), 2000), remove('k8', 2000)]);
      const versions = await readVersions(fixture.ask, place);
      expect(versions).toHaveLength(3001);
      expectSoundHistory(versions, await readCurrent(fixture.ask, place));
    });

    test('rows that are there begin their history when it is asked for; what was missed while it was off is made good', async () => {
      await using fixture = await create();
      const { write } = await opened(fixture, { history: undefined });
      await write(['same', 'changed', 'gone'].map((each) => upsert(contact(each, { Name: 'old' }), 1000)));
      const asked = await fixture.open({ history: true });
      const planned = (await asked.plan()).map(({ summary }) => summary);
      expect(planned.join('\n')).toMatch(/contacts_history.*versions[\s\S]*triggers[\s\S]*begin their history/);
      expect((await asked.prepare()).map(({ summary }) => summary)).toEqual(planned);
      expect(await readVersions(fixture.ask, place)).toHaveLength(3);

      const ended = await fixture.open({ history: false });
      expect((await ended.plan())[0]).toMatchObject({ summary: expect.stringContaining('no more versions of contacts') });
      await ended.prepare();
      expect(await ended.plan()).toEqual([]);
      await write([upsert(contact('changed', { Name: 'new' }), 2000), remove('gone', 2000), upsert(contact('added'), 2000)]);
      expect(await readVersions(fixture.ask, place)).toHaveLength(3);

      await (await fixture.open({ history: true })).prepare();
      const versions = await readVersions(fixture.ask, place);
      expect(versions).toHaveLength(5);
      expectSoundHistory(versions, await readCurrent(fixture.ask, place));

      await fixture.ask('DROP TABLE contacts');
      await (await fixture.open({ history: true })).prepare();
      expectSoundHistory(await readVersions(fixture.ask, place), new Map());
    });

    test('who does not ask for it leaves it as it is, and is told that it goes on', async () => {
      await using fixture = await create();
      await opened(fixture);
      const { target, epoch, write } = await opened(fixture, { history: undefined });
      expect(await target.plan()).toEqual([
        { summary: expect.stringContaining('history: false ends that'), informational: true },
      ]);
      await write([upsert(contact('a'), 1000)]);
      await using load = await target.beginLoad!({ epoch, loadId: 'silent', stampColumn: columns.length }, never);
      await load.writePage(
        blocks(loadBlock([{ row: contact('b'), stampMs: 1 }], contactSchema, () => 'text')),
        'p',
        async () => {},
        never,
      );
      await load.finish({ gone: ['a'], checkpoint: null, signal: never });
      const versions = await readVersions(fixture.ask, place);
      expect(versions).toHaveLength(2);
      expectSoundHistory(versions, await readCurrent(fixture.ask, place));
    });

    test('a field that is new has a column in the history as well; one that is gone keeps its own, with what the row still holds', async () => {
      await using fixture = await create();
      const { epoch, write } = await opened(fixture);
      await write([upsert(contact('a', { Name: 'A', Count: 1 }), 1000)]);
      const fields = [
        ...contactSchema.fields.filter(({ name }) => name !== 'Count'),
        { name: 'Added', type: 'text' as const, nullable: true },
      ];
      const schema = { ...contactSchema, fields };
      const changed = await fixture.open({ history: true, schema });
      const summaries = (await changed.prepare()).map(({ summary }) => summary.toLowerCase());
      expect(summaries).toEqual(expect.arrayContaining([expect.stringMatching(/add column added.*contacts_history/)]));
      const row = Object.assign(contact('a', { Name: 'B' }), { Added: 'new' });
      await changed.write([{ op: 'upsert', key: 'a', row, stampMs: 2000 }], { epoch, settle: async () => null }, never);
      const all = { ...place, columns: [...columns, 'Added'] };
      const versions = await readVersions(fixture.ask, all);
      expect(versions).toHaveLength(2);
      expectSoundHistory(versions, await readCurrent(fixture.ask, all));
      expect(await (await fixture.open({ history: true, schema })).prepare()).toEqual(
        expect.not.arrayContaining([expect.objectContaining({ statement: expect.anything() })]),
      );
    });

    test("columns of the user's own that are called like ours are the user's, whatever stands in them", async () => {
      await using fixture = await create();
      await fixture.ask(
        'CREATE TABLE contacts (id varchar(18) PRIMARY KEY, valid_to varchar(9), valid_from varchar(9), operation varchar(9))',
      );
      const { write } = await opened(fixture);
      await write([upsert(contact('a', { Name: 'A' }), 1000)]);
      await fixture.ask("UPDATE contacts SET valid_to = 'theirs', valid_from = 'x', operation = 'y', name = 'B'");
      expect(await (await fixture.open({ history: true })).plan()).toEqual([]);
      const versions = await readVersions(fixture.ask, place);
      expect(versions).toHaveLength(2);
      expectSoundHistory(versions, await readCurrent(fixture.ask, place));
    });

    test('bad input: a field called like a column of the history, and a table of its name that is none, are refused by name', async () => {
      await using fixture = await create();
      const schema = {
        ...contactSchema,
        fields: [...contactSchema.fields, { name: 'valid_to', type: 'date' as const, nullable: true }],
      };
      await expect((await fixture.open({ history: true, schema })).prepare()).rejects.toMatchObject({
        code: 'request_refused',
        message: expect.stringContaining('valid_to'),
      });
      await (await fixture.open({ history: undefined })).prepare();
      await fixture.ask('CREATE TABLE contacts_history (id text)');
      await expect((await fixture.open({ history: true })).prepare()).rejects.toMatchObject({
        code: 'request_refused',
        message: expect.stringContaining('is no history'),
      });
    });
  });
}

async function opened(fixture: HistoryFixture, { history }: { history: boolean | undefined } = { history: true }) {
  const target = await fixture.open({ history });
  await target.prepare();
  const { epoch } = await target.checkpoints!.acquire('contract');
  const write = (changes: readonly Change[]) => target.write(changes, { epoch, settle: async () => 'on' }, never);
  return { target, epoch, write };
}

async function* blocks<T>(block: T): AsyncGenerator<T> {
  yield block;
}
