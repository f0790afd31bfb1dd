import { type Block, type Column, cellText, type FieldType } from '@tidemark/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { affinityOf, declaredType } from './layout.ts';
import { rowReader } from './row-reader.ts';
import { noStamp, statementsOf } from './statements.ts';
import { TextCache } from './text-cache.ts';
import type { SqlValue } from './values.ts';

// Cells that lie together are read together. A row must come out as if each of its cells had been asked for by itself, wherever
// its column lies: otherwise a load would write values of one field into another, and count them as right.          (P12, P13)

const types = ['text', 'integer', 'boolean', 'datetime'] as const satisfies readonly FieldType[];
const cellOf: Record<(typeof types)[number], fc.Arbitrary<string>> = {
  text: fc.string({ unit: 'grapheme' }),
  integer: fc.integer().map(String),
  boolean: fc.boolean().map(String),
  datetime: fc.constantFrom('2026-01-01T00:00:00.000Z', '2026-02-03T04:05:06.789Z'),
};

/** A column of the table: which type it has, and where its cells lie. */
const columnOf = (rowCount: number) =>
  fc.constantFrom(...types).chain((type) =>
    fc.record({
      type: fc.constant(type),
      place: fc.constantFrom('together', 'together', 'together', 'apart', 'values', 'constant'),
      cells: fc.array(fc.option(cellOf[type]), { minLength: rowCount, maxLength: rowCount }),
    }),
  );

test('a row is what its cells are, wherever each lies', () =>
  fc.assert(
    fc.property(
      fc
        .nat(6)
        .chain((rowCount) =>
          fc.tuple(fc.constant(rowCount), fc.array(columnOf(rowCount), { minLength: 1, maxLength: 6 }), columnOf(rowCount)),
        ),
      fc.nat(12),
      ([rowCount, own, apart], pick) => {
        // The stamp is one of the table's columns, or one of its own beside them.
        const described = [...own, { ...apart, type: 'datetime' as const }];
        const stampColumn = pick % described.length;
        const columns = textColumns(described, rowCount);
        const block: Block = { rowCount, columns };
        const layout = {
          table: 'contacts',
          key: [0],
          columns: own.map(({ type }, c) => ({
            field: `f${c}`,
            column: `f${c}`,
            type,
            affinity: affinityOf(declaredType(type, true), true),
          })),
        };
        const statements = statementsOf(layout);
        const { read } = rowReader(
          block,
          statements,
          stampColumn,
          own.map(() => new TextCache()),
        );
        const values = new Array<SqlValue>(own.length + 1).fill(null);
        for (let r = 0; r < rowCount; r++) {
          read(r, values);
          const expected = own.map((_, c) => {
            const text = cellText(columns[c]!, r);
            return text === null ? null : statements.forms[c]!.bindText(text);
          });
          expect(values).toEqual([...expected, cellText(columns[stampColumn]!, r) ?? noStamp]);
        }
      },
    ),
  ));

interface Described {
  readonly place: string;
  readonly cells: readonly (string | null)[];
}

/** Columns `together` share their bytes and spans, row after row, as a scanned block has them. */
function textColumns(described: readonly Described[], rowCount: number): Column[] {
  const together = described.filter(({ place }) => place === 'together');
  const shared = placed(Array.from({ length: rowCount }, (_, r) => together.map(({ cells }) => cells[r]!)).flat());
  return described.map(({ place, cells }): Column => {
    if (place === 'values') return { kind: 'values', values: cells };
    if (place === 'constant') return { kind: 'constant', value: cells[0] ?? null };
    if (place === 'apart') return { kind: 'text', ...placed(cells), offset: 0, stride: 2 };
    const index = described
      .slice(
        0,
        described.findIndex((each) => each.cells === cells),
      )
      .filter((each) => each.place === place);
    return { kind: 'text', ...shared, offset: index.length * 2, stride: together.length * 2 };
  });
}

function placed(cells: readonly (string | null)[]): { bytes: Buffer; spans: Int32Array } {
  const parts = cells.map((cell) => Buffer.from(cell ?? ''));
  const spans = new Int32Array(cells.length * 2);
  let at = 0;
  parts.forEach((part, i) => {
    spans.set(cells[i] === null ? [-1, 0] : [at, at + part.length], i * 2);
    at += part.length;
  });
  return { bytes: Buffer.concat(parts), spans };
}
