import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DeleteRule, RequestRefusedError, systemClock } from '@tidemark/core';
import { contactSchema, remove, upsert } from '@tidemark/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fileTo } from './config.ts';
import connector from './connector.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-file-'));
});
afterEach(() => rm(folder, { recursive: true }));

const never = new AbortController().signal;
const commit = { epoch: 1, settle: async () => null };
const log = { debug() {}, info() {}, warn() {}, error() {} };
const schema = { ...contactSchema, fields: contactSchema.fields.filter(({ name }) => ['Id', 'Name'].includes(name)) };
const person = (id: string, name: string | null) => ({ Id: id, Name: name });
const text = (file: string) => readFile(join(folder, file), 'utf8');

async function openTarget(file: string, deletes: DeleteRule = 'mirror') {
  const clock = { ...systemClock, now: () => Date.UTC(2026, 0, 2) };
  const connection = connector.open(
    { folder: '.' },
    { connection: 'files', clock, random: Math.random, log, fetch, baseDir: folder },
  );
  const target = await connection.openTarget!({ to: fileTo.parse({ file }), unit: 'u', schema, deletes }, never);
  await target.prepare();
  return target;
}

describe('a log of changes', () => {
  test('each change is a line, appended to what is there', async () => {
    for (const name of ['Ada', 'Ada "L"']) {
      const target = await openTarget('deep/log.jsonl');
      await target.write([upsert(person('a', name), Date.UTC(2026, 0, 1)), remove('b')], commit, never);
    }
    const lines = (await text('deep/log.jsonl')).split('\n');
    expect(lines).toHaveLength(5);
    expect(lines.slice(2).map((line) => (line === '' ? '' : JSON.parse(line)))).toEqual([
      { op: 'upsert', key: 'a', modifiedAt: '2026-01-01T00:00:00.000Z', row: { Id: 'a', Name: 'Ada "L"' } },
      { op: 'delete', key: 'b', row: null },
      '',
    ]);
  });

  // The piece of a line that a crash leaves would spoil the next one, and with it a change that the checkpoint has passed.  (P1)
  test.each([
    ['a line that a crash cut', '{"op":"upsert","key":"x","ro', ''],
    ['a long line that a crash cut', `{"op":"upsert","key":"${'x'.repeat(200_000)}`, ''],
    ['a last line without its end', '{"op":"delete","key":"x","row":null}', '{"op":"delete","key":"x","row":null}\n'],
    ['a whole last line', '{"op":"delete","key":"x","row":null}\n', '{"op":"delete","key":"x","row":null}\n'],
  ])('%s is mended before the next is written', async (_, end, mended) => {
    const first = '{"op":"delete","key":"w","row":null}\n';
    await appendFile(join(folder, 'log.jsonl'), first + end);
    const target = await openTarget('log.jsonl');
    await target.write([remove('y')], commit, never);
    expect(await text('log.jsonl')).toBe(`${first}${mended}{"op":"delete","key":"y","row":null}\n`);
  });

  test('lines are there when the results are settled', async () => {
    const target = await openTarget('log.jsonl');
    let seen = '';
    const settle = async () => {
      seen = await text('log.jsonl');
      return null;
    };
    await target.write([remove('a')], { epoch: 1, settle }, never);
    expect(seen).toContain('"key":"a"');
  });
});

describe('a table', () => {
  test('it says what is there: new lines at the end, others in their place', async () => {
    const target = await openTarget('table.csv');
    await target.write([upsert(person('a', 'Ada')), upsert(person('b', 'a,"b"\nc')), upsert(person('c', ''))], commit, never);
    const results = await target.write(
      [upsert(person('b', null)), upsert(person('d', 'Dora')), remove('a'), upsert(person('c', '')), remove('zz')],
      commit,
      never,
    );
    expect(results.map(({ status }) => status)).toEqual(['updated', 'created', 'deleted', 'unchanged', 'unchanged']);
    expect(await text('table.csv')).toBe('Id,Name\nb,\nc,""\nd,Dora\n');
  });

  test('an unchanged batch writes nothing, and nothing is left lying about', async () => {
    const target = await openTarget('table.csv');
    await target.write([upsert(person('a', 'Ada'))], commit, never);
    const before = await stat(join(folder, 'table.csv'));
    await target.write([upsert(person('a', 'Ada')), remove('b')], commit, never);
    expect((await stat(join(folder, 'table.csv'))).ino).toBe(before.ino);
    expect(await readdir(folder)).toEqual(['table.csv']);
  });

  test('marked records keep their line, with the moment of their deletion', async () => {
    const target = await openTarget('table.csv', 'mark');
    await target.write([upsert(person('a', 'Ada')), upsert(person('b', 'Ben'))], commit, never);
    await target.write([remove('a')], commit, never);
    expect(await text('table.csv')).toBe('Id,Name,_tidemark_deleted_at\na,Ada,2026-01-02T00:00:00.000Z\nb,Ben,\n');
    await target.write([upsert(person('a', 'Ada'))], commit, never);
    expect(await text('table.csv')).toContain('a,Ada,\n');
  });

  test('columns of the user stay, with their values', async () => {
    await writeFile(join(folder, 'table.csv'), 'Note,Id\nmine,a\n');
    const target = await openTarget('table.csv');
    await target.write([upsert(person('a', 'Ada'))], commit, never);
    expect(await text('table.csv')).toBe('Note,Id,Name\nmine,a,Ada\n');
  });

  test('a file without the key is refused and left alone', async () => {
    await writeFile(join(folder, 'table.csv'), 'Other\nx\n');
    await expect(openTarget('table.csv')).rejects.toThrow(RequestRefusedError);
    expect(await text('table.csv')).toBe('Other\nx\n');
  });

  test('thousands of lines are merged', async () => {
    const target = await openTarget('table.csv');
    const many = Array.from({ length: 5_000 }, (_, i) => upsert(person(`k${i}`, `name ${i}`)));
    await target.write(many, commit, never);
    await target.write([upsert(person('k4999', 'changed')), remove('k0')], commit, never);
    const lines = (await text('table.csv')).trimEnd().split('\n');
    expect([lines.length, lines[1], lines.at(-1)]).toEqual([5_000, 'k1,name 1', 'k4999,changed']);
  });
});

describe('the connection', () => {
  const open = (path: string) =>
    connector.open(
      { folder: path },
      { connection: 'files', clock: systemClock, random: Math.random, log, fetch, baseDir: folder },
    );

  test('it finds the files that it can read', async () => {
    for (const name of ['b.jsonl', 'a.CSV', 'c.txt', 'd.tsv']) await writeFile(join(folder, name), '');
    expect(await open('.').discover!()).toEqual(['a.CSV', 'b.jsonl', 'd.tsv']);
    expect(await open('.').check()).toEqual([]);
  });

  test('a folder that is not there is a problem with a place and a remedy', async () => {
    expect(await open('nowhere').check()).toMatchObject([
      { place: 'connections.files.folder', severity: 'error', hint: expect.any(String) },
    ]);
  });

  test('a file of an unknown kind is refused until its format is said', async () => {
    const spec = { unit: 'u', schema, deletes: 'mirror' as const };
    await expect(open('.').openTarget!({ ...spec, to: fileTo.parse({ file: 'x.txt' }) }, never)).rejects.toThrow('format');
    await open('.').openTarget!({ ...spec, to: fileTo.parse({ file: 'x.txt', format: 'csv' }) }, never);
  });
});
