import { TruncatedReplyError, UnexpectedReplyError } from '@tidemark/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ScannedRows, ScanPool, scanCsv } from './csv-scanner.ts';

type Cells = (string | null)[][];

async function* pieces(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const borders = [0, ...[...new Set(cuts)].filter((cut) => cut > 0 && cut < bytes.length).sort((a, b) => a - b), bytes.length];
  for (let i = 1; i < borders.length; i++) yield bytes.subarray(borders[i - 1], borders[i]);
}

function cellsOf({ rowCount, bytes, spans, offset }: ScannedRows, columns: number): Cells {
  return Array.from({ length: rowCount }, (_, row) =>
    Array.from({ length: columns }, (_, column) => {
      const at = offset + (row * columns + column) * 2;
      return spans[at]! < 0 ? null : bytes.toString('utf8', spans[at]!, spans[at + 1]!);
    }),
  );
}

async function scan(bytes: Buffer, header: string[], cuts: readonly number[] = [], blockBytes = 64): Promise<Cells> {
  const blocks: ScannedRows[] = [];
  for await (const block of scanCsv(pieces(bytes, cuts), header, { blockBytes })) blocks.push(block);
  // Looked at only now: a buffer that had been used twice would show later rows.
  return blocks.flatMap((block) => cellsOf(block, header.length));
}

/** As a loader reads that is done with each block at once, so that its memory is written again. */
async function scanReleasing(bytes: Buffer, header: string[], cuts: readonly number[], pool: ScanPool): Promise<Cells> {
  const rows: Cells = [];
  for await (const block of scanCsv(pieces(bytes, cuts), header, { blockBytes: 64, pool })) {
    rows.push(...cellsOf(block, header.length));
    block.release();
    block.bytes.fill('?');
  }
  return rows;
}

/** The plain way to read CSV, one character after the other: what the scanner is compared with. */
function parseSlowly(text: string): Cells {
  const rows: Cells = [];
  let row: (string | null)[] = [];
  let cell = '';
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (quoted) {
      if (char !== '"') cell += char;
      else if (text[i + 1] === '"') cell += text[i++];
      else quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === ',' || char === '\n') {
      row.push(cell === '' ? null : cell);
      cell = '';
      if (char === '\n') {
        rows.push(row);
        row = [];
      }
    } else if (char !== '\r' || text[i + 1] !== '\n') cell += char;
  }
  return rows.slice(1);
}

const nasty = fc
  .array(fc.constantFrom('"', ',', '\n', '\r', '\r\n', '\0', 'a', 'bc', 'é', '漢', '😀', '\\', ' ', '""', "'", '#N/A', 'NULL'), {
    maxLength: 8,
  })
  .map((parts) => parts.join(''));
const plainText = fc.constantFrom('', 'a', 'Łódź', '12.5', 'x y', '漢字', 'true');
const cell = fc.oneof(
  nasty.map((value) => ({ value, text: `"${value.replaceAll('"', '""')}"` })),
  plainText.map((value) => ({ value, text: value })),
);
const document = fc.integer({ min: 1, max: 4 }).chain((columns) =>
  fc.record({
    columns: fc.constant(columns),
    rows: fc.array(fc.array(cell, { minLength: columns, maxLength: columns }), { maxLength: 12 }),
    newline: fc.constantFrom('\n', '\r\n'),
  }),
);
const names = ['Id', 'Name', 'Über', 'Account.Name'];

describe('scanCsv', () => {
  // A chunk border may fall between the bytes of a character, the two quotes of a doubled one, or CR and LF.       (P12)
  test('reads what a plain parser reads, wherever chunks and blocks are cut', () =>
    fc.assert(
      fc.asyncProperty(
        document,
        fc.array(fc.nat(400)),
        fc.integer({ min: 8, max: 200 }),
        async ({ columns, rows, newline }, cuts, blockBytes) => {
          const header = names.slice(0, columns);
          const lines = [
            header.map((name) => `"${name}"`).join(','),
            ...rows.map((row) => row.map(({ text }) => text).join(',')),
          ];
          const text = lines.map((line) => line + newline).join('');
          const expected = rows.map((row) => row.map(({ value }) => (value === '' ? null : value)));
          expect(parseSlowly(text)).toEqual(expected);
          expect(await scan(Buffer.from(text), header, cuts, blockBytes)).toEqual(expected);
          // Memory that is used again, also with what an earlier reply has left in it.
          const pool = new ScanPool();
          for (let time = 0; time < 2; time++)
            expect(await scanReleasing(Buffer.from(text), header, cuts, pool)).toEqual(expected);
        },
      ),
      { numRuns: 500 },
    ));

  test('UTF-8 is whole again when it is split at every byte', async () => {
    const bytes = Buffer.from('"Id","Name"\n"1","😀漢é"\n"2","ok"\n');
    for (let cut = 1; cut < bytes.length; cut++)
      expect(await scan(bytes, ['Id', 'Name'], [cut])).toEqual([
        ['1', '😀漢é'],
        ['2', 'ok'],
      ]);
  });

  // A page that was cut must never pass for one that is shorter.                                                   (P13)
  test('a reply cut at any byte is refused, or lacks whole rows, which the count then misses', async () => {
    const rows = ['"1","say ""hi"" to me"\n', '"2","two\nlines"\n', '3,unquoted\n', '"4","ends with a quote"""\n'];
    const head = '"Id","Name"\n';
    const bytes = Buffer.from(head + rows.join(''));
    const whole = await scan(bytes, ['Id', 'Name']);
    expect(whole.map((row) => row[1])).toEqual(['say "hi" to me', 'two\nlines', 'unquoted', 'ends with a quote"']);
    const borders = new Map([[0, 0], ...rows.map((_, n) => [head.length + rows.slice(0, n).join('').length, n] as const)]);
    for (let length = 0; length < bytes.length; length++) {
      const read = scan(bytes.subarray(0, length), ['Id', 'Name']);
      const rowsLeft = borders.get(length);
      if (rowsLeft === undefined) await expect(read, `${length} bytes`).rejects.toThrow(TruncatedReplyError);
      else expect(await read).toEqual(whole.slice(0, rowsLeft));
    }
  });

  test.each([
    ['too few cells', '"a","b"\n"1"\n'],
    ['too many cells', '"a","b"\n"1","2","3"\n'],
    ['text after a closing quote', '"a","b"\n"1"x,"2"\n'],
    ['a lone CR as the end of a row', '"a","b"\n"1","2"\r"3","4"\n'],
    ['a web page', '<html>\n<body>Service, Unavailable, soon\n'],
  ])('refuses %s (P13)', async (_, text) => {
    await expect(scan(Buffer.from(text), ['a', 'b'])).rejects.toThrow(TruncatedReplyError);
  });

  test('other columns than asked for are refused, whatever their values', async () => {
    await expect(scan(Buffer.from('"Id","Phone"\n"1","2"\n'), ['Id', 'Email'])).rejects.toThrow(UnexpectedReplyError);
  });

  test('a row that is longer than a block is read whole', async () => {
    const long = 'x'.repeat(10_000);
    expect(await scan(Buffer.from(`"Id","T"\n"1","${long}"\n"2",""\n`), ['Id', 'T'], [5_000], 32)).toEqual([
      ['1', long],
      ['2', null],
    ]);
  });

  test('nothing at all has no rows', async () => {
    expect(await scan(Buffer.alloc(0), ['Id'])).toEqual([]);
    expect(await scan(Buffer.from('"Id"\n'), ['Id'])).toEqual([]);
  });

  test('every block has memory of its own', async () => {
    const bytes = Buffer.from(`"Id"\n${Array.from({ length: 100 }, (_, i) => `"${i}"\n`).join('')}`);
    const buffers = new Set<ArrayBufferLike>();
    let blocks = 0;
    for await (const block of scanCsv(pieces(bytes, []), ['Id'], { blockBytes: 64 })) {
      buffers.add(block.bytes.buffer).add(block.spans.buffer);
      blocks++;
    }
    expect(blocks).toBeGreaterThan(3);
    expect(buffers.size).toBe(blocks * 2);
  });
});
