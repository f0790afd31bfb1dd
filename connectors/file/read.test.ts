import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CheckpointExpiredError,
  RequestRefusedError,
  type Row,
  rowsOfBlock,
  type Source,
  systemClock,
  TransientError,
} from '@tidemark/core';
import { stringify } from 'csv-stringify/sync';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fileFrom } from './config.ts';
import connector from './connector.ts';

let folder: string;
let files = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-file-'));
});
afterAll(() => rm(folder, { recursive: true }));

const never = new AbortController().signal;
const context = {
  connection: 'files',
  clock: systemClock,
  random: Math.random,
  log: { debug() {}, info() {}, warn() {}, error() {} },
  fetch,
  baseDir: '/',
};

async function open(content: string | Buffer, ending: string, from: object = {}, spec: object = {}) {
  const file = `data-${++files}.${ending}`;
  await writeFile(join(folder, file), content);
  const connection = connector.open({ folder }, context);
  const parsed = fileFrom.parse({ file, key: 'Id', ...from });
  const whole = { from: parsed, where: undefined, fields: null, exclude: [], startAtMs: null, ...spec };
  return { path: join(folder, file), source: await connection.openSource!(whole, never) };
}

async function pagesOf(source: Source, resume: string | null = null) {
  const pages: { position: string; rows: Row[] }[] = [];
  for await (const { position, blocks } of source.readFull(resume, never)) {
    const rows: Row[] = [];
    for await (const block of blocks) rows.push(...rowsOfBlock(block, source.schema.fields));
    pages.push({ position, rows });
  }
  return pages;
}

async function read(content: string | Buffer, ending: string, from: object = {}, spec: object = {}) {
  const { source } = await open(content, ending, from, spec);
  return (await pagesOf(source)).flatMap(({ rows }) => rows).map((row) => ({ ...row }));
}

describe('CSV', () => {
  test('quotes, line ends, a byte order mark and empty values are what they are', async () => {
    const text = '\ufeffId,Näme,Note\r\n1,"a ""b"", c","two\r\nlines"\r\n\r\n2,,""\r\n3, padded ,é👍';
    expect(await read(text, 'csv')).toEqual([
      { Id: '1', Näme: 'a "b", c', Note: 'two\r\nlines' },
      { Id: '2', Näme: null, Note: '' },
      { Id: '3', Näme: ' padded ', Note: 'é👍' },
    ]);
  });

  test('types turn texts into canonical values, and what does not fit stays for the target to refuse (P2)', async () => {
    const types = { B: 'boolean', I: 'integer', D: 'decimal', F: 'double', At: 'datetime', Day: 'date', T: 'time', J: 'json' };
    const text = [
      'Id,B,I,D,F,At,Day,T,J',
      '1,TRUE,007,1234.50,1.5e-7,2024-05-22T15:05:09+02:00,2024-05-22,13:05,"{""a"":[1]}"',
      '2,0,-1,12345678901234567890.10,.5,2024-05-22 13:05:09Z,,13:05:09.1,',
      '3,maybe,9007199254740993,"1,5",x,22.05.2024,May 22,1pm,{',
    ].join('\n');
    expect(await read(text, 'csv', { types })).toEqual([
      {
        Id: '1',
        B: true,
        I: 7,
        D: 1234.5,
        F: 1.5e-7,
        At: '2024-05-22T13:05:09.000Z',
        Day: '2024-05-22',
        T: '13:05:00.000',
        J: { a: [1] },
      },
      {
        Id: '2',
        B: false,
        I: -1,
        D: '12345678901234567890.1',
        F: 0.5,
        At: '2024-05-22T13:05:09.000Z',
        Day: null,
        T: '13:05:09.100',
        J: null,
      },
      { Id: '3', B: 'maybe', I: '9007199254740993', D: '1,5', F: 'x', At: '22.05.2024', Day: 'May 22', T: '1pm', J: '{' },
    ]);
  });

  test('tabs by the ending, other delimiters by option, names by option where there is no header', async () => {
    expect(await read('Id\tName\n1\ta,b\n', 'tsv')).toEqual([{ Id: '1', Name: 'a,b' }]);
    expect(await read('Id;Name\n1;a,b\n', 'csv', { delimiter: ';' })).toEqual([{ Id: '1', Name: 'a,b' }]);
    expect(await read('1,a\n2,b\n', 'csv', { columns: ['Id', 'Name'] })).toEqual([
      { Id: '1', Name: 'a' },
      { Id: '2', Name: 'b' },
    ]);
  });

  test('an empty file is an empty dataset', async () => {
    expect(await read('', 'csv')).toEqual([]);
    expect(await read('Id,Name\n', 'csv')).toEqual([]);
  });

  // A part of a file taken for the whole would delete the rest in the target.                                      (P4, P13)
  test.each([
    ['too few values', 'Id,Name\n1,a\n\n2\n', 'line 4: 1 values for 2 columns'],
    ['too many values', 'Id,Name\n1,"a\nb"\n2,b,c\n', 'line 4: 3 values for 2 columns'],
    ['a quote that is never closed', 'Id,Name\n1,a\n2,"b\n3,c\n', 'line 3: a quotation mark'],
    ['text after a closing quote', 'Id,Name\n1,"a"b\n', 'line 2: '],
    ['an empty key', 'Id,Name\n1,a\n"",b\n', 'line 3: its key Id is empty'],
    ['a byte that is no UTF-8', Buffer.from('Id,Name\n1,a\n2,M\xfcller\n3,c\n', 'latin1'), 'line 3: its bytes are no UTF-8'],
    ['a character that is cut by the end', Buffer.from('Id,Name\n1,é', 'utf8').subarray(0, -1), 'line 2: its bytes are no UTF-8'],
    ['a column twice', 'Id,Name,Id\n1,a,2\n', 'line 1: the column Id comes twice'],
    ['UTF-16', Buffer.from('\ufeffId,Name\n', 'utf16le'), 'line 1: its bytes are no UTF-8'],
  ])('%s stops the read and names the line', async (_, content, message) => {
    const reading = read(content, 'csv');
    await expect(reading).rejects.toThrow(RequestRefusedError);
    await expect(reading).rejects.toThrow(message);
  });

  test('a bad line after the first page is named by its line in the file, after a resume too', async () => {
    const lines = Array.from({ length: 5_000 }, (_, i) => `${i},"name\n${i}"`);
    lines[4_500] = '4500,x,y';
    const { source } = await open(`Id,Name\n${lines.join('\n')}\n`, 'csv');
    const message = `line ${1 + 4_500 * 2 + 1}: 3 values`;
    const positions: string[] = [];
    const reading = async (resume: string | null) => {
      for await (const page of source.readFull(resume, never)) positions.push(page.position);
    };
    await expect(reading(null)).rejects.toThrow(message);
    expect(positions).toHaveLength(2);
    await expect(reading(positions[1]!)).rejects.toThrow(message);
  });

  test.each([
    ['a key', { key: 'id' }, {}, 'no field id'],
    ['a type', { types: { Age: 'integer' } }, {}, 'no field Age'],
    ['a field', {}, { fields: ['Age'] }, 'no field Age'],
    ['a watermark', { watermark: 'At' }, {}, 'no field At'],
    ['a filter', {}, { where: 'Id > 1' }, 'no query language'],
    ['a start without a watermark', {}, { startAtMs: 5 }, 'startAt'],
  ])('%s that the file does not have is refused, with what it has', async (_, from, spec, message) => {
    const opening = open('Id,Name\n1,a\n', 'csv', from, spec);
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.toMatchObject({ hint: expect.stringMatching(/it has Id, Name|filter|watermark/) });
  });

  test('records older than the start are left out', async () => {
    const text = 'Id,At\n1,2024-01-01T00:00:00Z\n2,2024-03-01T00:00:00Z\n3,\n';
    const rows = await read(text, 'csv', { watermark: 'At' }, { startAtMs: Date.UTC(2024, 1) });
    expect(rows.map(({ Id }) => Id)).toEqual(['2', '3']);
  });
});

describe('JSON Lines', () => {
  test('types are those of the values in all lines; digits are kept', async () => {
    const text = [
      '\ufeff{"Id":1,"Name":"a\u2028b","Ok":true,"Sum":1,"Extra":null}',
      '',
      '{"Id":2,"Sum":1.5,"Tags":["x"],"Long":12345678901234567890.5,"Mixed":1}\r',
      '{"Id":3,"Mixed":"x","Long":0.1}',
    ].join('\n');
    const { source } = await open(text, 'jsonl');
    expect(Object.fromEntries(source.schema.fields.map(({ name, type }) => [name, type]))).toEqual({
      Id: 'integer',
      Name: 'text',
      Ok: 'boolean',
      Sum: 'decimal',
      Extra: 'text',
      Tags: 'json',
      Long: 'text',
      Mixed: 'text',
    });
    const rows = (await pagesOf(source)).flatMap((page) => page.rows);
    expect(rows.map((row) => ({ ...row }))).toMatchObject([
      { Id: 1, Name: 'a\u2028b', Ok: true, Sum: 1, Tags: null },
      { Id: 2, Sum: 1.5, Tags: ['x'], Long: '12345678901234567890.5', Mixed: '1' },
      { Id: 3, Mixed: 'x', Long: '0.1', Name: null },
    ]);
    expect(await read('{"Id":1,"Sum":12345678901234567890}', 'jsonl', { types: { Sum: 'decimal' } })).toEqual([
      { Id: 1, Sum: '12345678901234567890' },
    ]);
  });

  test.each([
    ['no JSON', '{"Id":1}\n{"Id":2\n', 'line 2: no JSON'],
    ['a list', '{"Id":1}\n\n[2]\n', 'line 3: no JSON object'],
    ['a key that is lacking', '{"Id":1}\n{"Name":"x"}\n', 'line 2: its key Id is empty'],
    ['a byte that is no UTF-8', Buffer.from('{"Id":1}\n{"Id":"\xfc"}\n', 'latin1'), 'line 2: its bytes are no UTF-8'],
  ])('%s stops the read and names the line', async (_, content, message) => {
    await expect(read(content, 'jsonl')).rejects.toThrow(message);
  });
});

// Pages are kept with the byte at which the next begins: one byte off, and a resumed load has a hole or a torn record.   (P1)
test.each(['csv', 'jsonl'] as const)('a read of %s goes on at any page, whatever the records hold', (format) =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r\n', 'é', '👍', ' ', '\u2028') }), {
        minLength: 1,
        maxLength: 8,
      }),
      fc.constantFrom('', '\ufeff'),
      async (names, mark) => {
        const rows = Array.from({ length: 4_100 }, (_, i) => ({ Id: String(i), Name: names[i % names.length]! }));
        const csv = () => stringify(rows, { header: true, quoted_match: /^$|[\r\n]/ });
        const text = mark + (format === 'csv' ? csv() : rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
        const { source, path } = await open(text, format);
        const pages = await pagesOf(source);
        expect(pages.flatMap((page) => page.rows).map((row) => ({ ...row }))).toEqual(rows);
        for (const [i, { position }] of pages.entries()) {
          const rest = (await pagesOf(source, position)).flatMap((page) => page.rows);
          expect(rest).toEqual(pages.slice(i + 1).flatMap((page) => page.rows));
        }
        await rm(path);
      },
    ),
    { numRuns: 8 },
  ),
);

test.each(['csv', 'jsonl'] as const)('characters of %s that lie across two reads of the file stay whole', async (format) => {
  for (let shift = 0; shift < 4; shift++) {
    const rows = Array.from({ length: 100 }, (_, i) => ({ Id: `${'x'.repeat(shift)}${i}`, Name: 'é€👍'.repeat(1_000) }));
    const text = format === 'csv' ? stringify(rows, { header: true }) : rows.map((row) => `${JSON.stringify(row)}\n`).join('');
    expect(await read(text, format)).toEqual(rows);
  }
});

describe('a file that changes', () => {
  test('a position in a file that was written anew is refused', async () => {
    const { source, path } = await open(`Id\n${'1\n'.repeat(3_000)}`, 'csv');
    const { position } = (await pagesOf(source))[0]!;
    await writeFile(path, `Id\n${'22\n'.repeat(3_000)}`);
    await expect(pagesOf(source, position)).rejects.toThrow(CheckpointExpiredError);
    await expect(pagesOf(source, 'no position')).rejects.toThrow(CheckpointExpiredError);
  });

  test('a file that grows while it is read is read again, not half', async () => {
    const { source, path } = await open(`Id\n${'1\n'.repeat(5_000)}`, 'csv');
    const reading = async () => {
      for await (const _ of source.readFull(null, never)) await writeFile(path, '2\n', { flag: 'a' });
    };
    await expect(reading()).rejects.toThrow(TransientError);
  });

  test('a file that goes away is named', async () => {
    const { source, path } = await open('Id\n1\n', 'csv');
    await rename(path, `${path}.gone`);
    await expect(pagesOf(source)).rejects.toThrow('no such file');
    expect(await readFile(`${path}.gone`, 'utf8')).toBe('Id\n1\n');
  });
});
