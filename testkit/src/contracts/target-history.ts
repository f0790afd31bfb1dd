import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contactColumns, type HistoryFixture, loadWhole, never, ownTarget, contactsPlace as place } from './history-fixture.ts';
import { HistoryWorld, historyStep } from './history-world.ts';
import { contact, contactSchema, remove, upsert, valuesByField } from './rows.ts';
import { expectSoundHistory, readCurrent, readVersions } from './sound-history.ts';

/** What a target with `keepsHistory` promises: whatever is written, by whom and however it ends, every version is kept, once. */
export function describeHistoryContract(name: string, create: () => Promise<HistoryFixture>, runs = 12): void {
  describe(`${name} keeps the history contract`, () => {
    for (const deletes of ['mirror', 'mark'] as const) {
      test(`deletes: ${deletes}: after each write, stream, load, crash and foreign statement, the versions are what the rows were, once each (P1, P6)`, () =>
        fc.assert(
          fc.asyncProperty(fc.array(historyStep, { minLength: 3, maxLength: 14 }), async (steps) => {
            await using fixture = await create();
            await using world = await HistoryWorld.open(fixture, deletes);
            for (const step of steps) {
              await world.take(step);
              await world.check();
            }
          }),
          { numRuns: runs },
        ));
    }

    test('values of every type begin a version when they come, none when they come again, and one when they change', async () => {
      await using fixture = await create();
      const owned = await ownTarget(fixture);
      const { write } = owned;
      const keys = Object.entries(valuesByField).flatMap(([field, values]) =>
        values.map((value, i) => ({ key: `${field}${i}`, values: { [field]: value } })),
      );
      const rows = keys.map((each) => upsert(contact(each.key, each.values), 1000));
      for (const stamp of [1000, 1000, 2000]) {
        await write(rows.map((each) => ({ ...each, stampMs: stamp })));
        expect(await readVersions(fixture.ask, place)).toHaveLength(rows.length);
      }
      const staged = rows.map(({ row }) => ({ row: row!, stampMs: 3000 }));
      expect(await loadWhole(owned, 'equal', staged)).toMatchObject({ created: 0, updated: 0, deleted: 0 });
      expect(await readVersions(fixture.ask, place)).toHaveLength(rows.length);
      await write(keys.map((each) => upsert(contact(each.key, { Name: 'other' }), 4000)));
      const versions = await readVersions(fixture.ask, place);
      expect(versions).toHaveLength(rows.length * 2);
      expectSoundHistory(versions, await readCurrent(fixture.ask, place));
    });

    test('a first load becomes the table as a whole, its rows begin their history, and writes after it go on with it', async () => {
      await using fixture = await create();
      const owned = await ownTarget(fixture);
      const { write } = owned;
      const rows = Array.from({ length: 3000 }, (_, i) => ({ row: contact(`k${i}`, { Count: i }), stampMs: 1000 }));
      expect(await loadWhole(owned, 'first', rows)).toMatchObject({ created: 3000 });
      expect(await (await fixture.open({ history: true })).prepare()).toEqual([]);
      await write([upsert(contact('k7', { Count: 77 }), 2000), remove('k8', 2000)]);
      const versions = await readVersions(fixture.ask, place);
      expect(versions).toHaveLength(3001);
      expectSoundHistory(versions, await readCurrent(fixture.ask, place));
    });

    test('rows that are there begin their history when it is asked for; what was missed while it was off is made good', async () => {
      await using fixture = await create();
      const { write } = await ownTarget(fixture, { history: undefined });
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
      await ownTarget(fixture);
      const owned = await ownTarget(fixture, { history: undefined });
      expect(await owned.target.plan()).toEqual([
        { summary: expect.stringContaining('history: false ends that'), informational: true },
      ]);
      await owned.write([upsert(contact('a'), 1000)]);
      await loadWhole(owned, 'silent', [{ row: contact('b'), stampMs: 1 }]);
      const versions = await readVersions(fixture.ask, place);
      expect(versions).toHaveLength(2);
      expectSoundHistory(versions, await readCurrent(fixture.ask, place));
    });

    test('a field that is new has a column in the history as well; one that is gone keeps its own, with what the row still holds', async () => {
      await using fixture = await create();
      const { epoch, write } = await ownTarget(fixture);
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
      const all = { ...place, columns: [...contactColumns, 'Added'] };
      const versions = await readVersions(fixture.ask, all);
      expect(versions).toHaveLength(2);
      expectSoundHistory(versions, await readCurrent(fixture.ask, all));
      expect(await (await fixture.open({ history: true, schema })).prepare()).toEqual(
        expect.not.arrayContaining([expect.objectContaining({ statement: expect.anything() })]),
      );
    });

    test('the clock is set back: a version still ends after it began, and the next one begins no earlier', async () => {
      await using fixture = await create();
      await ownTarget(fixture);
      await fixture.ask("INSERT INTO contacts (id, name) VALUES ('a', 'one')");
      await fixture.ask("UPDATE contacts_history SET valid_from = '2999-01-01T00:00:00.000Z'");
      await fixture.ask("UPDATE contacts SET name = 'two'");
      await fixture.ask('DELETE FROM contacts');
      await fixture.ask("INSERT INTO contacts (id, name) VALUES ('a', 'three')");
      const versions = await readVersions(fixture.ask, place);
      expect(versions).toHaveLength(3);
      expectSoundHistory(versions, await readCurrent(fixture.ask, place));
    });

    test("columns of the user's own that are called like ours are the user's, whatever stands in them", async () => {
      await using fixture = await create();
      await fixture.ask(
        'CREATE TABLE contacts (id varchar(18) PRIMARY KEY, valid_to varchar(9), valid_from varchar(9), operation varchar(9))',
      );
      const { write } = await ownTarget(fixture);
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
