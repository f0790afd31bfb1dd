import type { Block, Column, FieldSchema, FieldValue } from '@tidemark/core';
import type { ScannedRows } from './csv-scanner.ts';
import { datetimeText, decimalText } from './values.ts';

const ZERO = 0x30;
const POINT = 0x2e;
const UPPER_E = 0x45;
const LOWER_E = 0x65;
const MINUS = 0x2d;
const UPPER_Z = 0x5a;

/** Scanned cells as a block in canonical form: only the spans are corrected, the bytes stay where they are. */
export function blockOfScanned(scanned: ScannedRows, fields: readonly FieldSchema[]): Block {
  const stride = fields.length * 2;
  return {
    rowCount: scanned.rowCount,
    release: scanned.release,
    columns: fields.map((field, index): Column => {
      const text = {
        kind: 'text',
        bytes: scanned.bytes,
        spans: scanned.spans,
        offset: scanned.offset + index * 2,
        stride,
      } as const;
      switch (field.type) {
        case 'integer':
        case 'decimal':
        case 'double':
          return trimNumbers(text, scanned.rowCount)
            ? text
            : rewritten(text, scanned.rowCount, (cell) => numberText(cell, field));
        case 'datetime':
          return hasLength(text, scanned.rowCount, 24) ? text : rewritten(text, scanned.rowCount, datetimeText);
        case 'time':
          trimZone(text, scanned.rowCount);
          return text;
        default:
          return text;
      }
    }),
  };
}

interface Cells {
  readonly bytes: Buffer;
  readonly spans: Int32Array;
  readonly offset: number;
  readonly stride: number;
}

/** Takes off the zeros after the point; false when a cell has an exponent, which needs other digits altogether. */
function trimNumbers({ bytes, spans, offset, stride }: Cells, rowCount: number): boolean {
  for (let row = 0, at = offset; row < rowCount; row++, at += stride) {
    const start = spans[at]!;
    if (start < 0) continue;
    let end = spans[at + 1]!;
    let point = -1;
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!;
      if (byte === POINT) point = i;
      else if (byte === UPPER_E || byte === LOWER_E) return false;
    }
    if (point < 0) continue;
    while (bytes[end - 1] === ZERO) end--;
    if (end - 1 === point) end--;
    spans[at + 1] = end;
    // Minus zero is zero.
    if (bytes[start] === MINUS && end === start + 2 && bytes[start + 1] === ZERO) spans[at] = start + 1;
  }
  return true;
}

function numberText(text: string, field: FieldSchema): string {
  return field.type === 'double' ? String(Number(text)) : decimalText(text);
}

function hasLength({ spans, offset, stride }: Cells, rowCount: number, length: number): boolean {
  for (let row = 0, at = offset; row < rowCount; row++, at += stride) {
    if (spans[at]! >= 0 && spans[at + 1]! - spans[at]! !== length) return false;
  }
  return true;
}

function trimZone({ bytes, spans, offset, stride }: Cells, rowCount: number): void {
  for (let row = 0, at = offset; row < rowCount; row++, at += stride) {
    if (spans[at]! >= 0 && bytes[spans[at + 1]! - 1] === UPPER_Z) spans[at + 1]!--;
  }
}

/** The column as values, for the few that cannot be corrected in place. */
function rewritten({ bytes, spans, offset, stride }: Cells, rowCount: number, change: (text: string) => FieldValue): Column {
  const values: FieldValue[] = [];
  for (let row = 0, at = offset; row < rowCount; row++, at += stride) {
    values.push(spans[at]! < 0 ? null : change(bytes.toString('utf8', spans[at]!, spans[at + 1]!)));
  }
  return { kind: 'values', values };
}
