import type { Block, Column, TextColumn } from '@tidemark/core';
import { noStamp, type TableStatements } from './statements.ts';
import type { TextCache } from './text-cache.ts';
import { bufferOf, textReader } from './text-reader.ts';
import { asItIs, type SqlValue } from './values.ts';

/**
 * Reads a block's rows as the values that are bound: the columns of the layout in order, then the stamp. The hot loop of every
 * full load. Scanned blocks hold all cells of a row in the same bytes, most of them as text that is bound as it is: those are
 * read here, without a call for each cell but the decoder's.
 *
 * @param caches  One for each column of the layout, the same for all blocks of a load.
 * @throws {MismatchError} from `read`, for a cell that is no value of its type.
 */
export function rowReader(
  block: Block,
  { layout, forms }: TableStatements,
  stampColumn: number,
  caches: readonly TextCache[],
): { read(row: number, values: SqlValue[]): void } {
  const columns = block.columns.slice(0, layout.columns.length);
  const count = columns.length;
  const stamp = block.columns[stampColumn]!;
  const main = columns.find((column) => column.kind === 'text');
  const bytes = main === undefined ? null : bufferOf(main.bytes);
  const spans = main?.spans ?? new Int32Array(0);
  const stride = main?.stride ?? 0;
  const cells = columns.map((column, c) => cellReader(column, forms[c]!, caches[c]));
  /** Where in `spans` the column's first cell is; -1 for a column that has to be asked. */
  const offsets = Int32Array.from(columns, (column, c) =>
    column.kind === 'text' && isBeside(column, main!) && forms[c]!.bindText === asItIs ? column.offset : -1,
  );
  const stampOf = stampReader(stamp);
  // A stamp is mostly a column of the table too: it is decoded once.
  const stampAt = stamp.kind === 'text' && main !== undefined && isBeside(stamp, main) ? offsets.indexOf(stamp.offset) : -1;
  return {
    read(row, values) {
      const shift = row * stride;
      for (let c = 0; c < count; c++) {
        const offset = offsets[c]!;
        if (offset < 0) {
          values[c] = cells[c]!(row);
          continue;
        }
        const start = spans[offset + shift]!;
        values[c] = start < 0 ? null : caches[c]!.text(bytes!, start, spans[offset + shift + 1]!);
      }
      values[count] = stampAt < 0 ? stampOf(row) : (values[stampAt] ?? noStamp);
    },
  };
}

function isBeside(a: TextColumn, b: TextColumn): boolean {
  return a.bytes === b.bytes && a.spans === b.spans && a.stride === b.stride;
}

export function cellReader(column: Column, form: TableStatements['forms'][number], cache?: TextCache): (row: number) => SqlValue {
  if (column.kind === 'constant') {
    const { value } = column;
    return () => (value === null ? null : form.bind(value));
  }
  if (column.kind === 'values') {
    const { values } = column;
    return (row) => {
      const value = values[row] ?? null;
      return value === null ? null : form.bind(value);
    };
  }
  const text = textReader(column, cache);
  const { bindText } = form;
  if (bindText === asItIs) return text;
  return (row) => {
    const cell = text(row);
    return cell === null ? null : bindText(cell);
  };
}

export function stampReader(column: Column): (row: number) => string {
  const cell = cellReader(column, { bind: String, bindText: asItIs, read: String });
  return (row) => (cell(row) as string | null) ?? noStamp;
}
