import type { Get } from '../expression/fast.ts';
import { type Block, cellValue } from '../model/block.ts';
import type { DatasetSchema } from '../model/schema.ts';
import { newRow, type Row } from '../model/value.ts';

/** Reads a block as a record at a time, decoding only the cells that are asked for. */
export interface BlockReader {
  row: number;
  readonly get: Get;
  readonly all: () => Row;
}

export function blockReader(block: Block, schema: DatasetSchema): BlockReader {
  const index = new Map(schema.fields.map((field, c) => [field.name, c]));
  const reader: BlockReader = {
    row: 0,
    get: (name) => {
      const c = index.get(name);
      return c === undefined ? undefined : cellValue(block.columns[c]!, reader.row, schema.fields[c]!);
    },
    all: () => {
      const row = newRow();
      schema.fields.forEach((field, c) => {
        row[field.name] = cellValue(block.columns[c]!, reader.row, field);
      });
      return row;
    },
  };
  return reader;
}
