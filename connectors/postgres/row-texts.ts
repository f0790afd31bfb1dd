import { type FieldType, type FieldValue, keyParts, type StreamChange } from '@tidemark/core';
import type { LayoutColumn } from './layout.ts';
import { needsConversion, toPostgresText } from './values.ts';

/** A change, and which one of its batch it is. */
export interface Placed {
  readonly change: StreamChange;
  readonly place: number;
}

/** Types whose strings are sent as they are. */
function isPlain(type: FieldType): boolean {
  return type !== 'json' && !needsConversion(type);
}

export function textFor({ field, baseType }: LayoutColumn, value: FieldValue | undefined): string | null {
  // Nearly all cells: the driver takes the text as it is.
  if (typeof value === 'string' && isPlain(field.type)) return value;
  return toPostgresText(value, field, baseType === 'bytea');
}

export function stampText(stampMs: number): string {
  return new Date(stampMs).toISOString();
}

export function keyTexts(key: string, columns: readonly LayoutColumn[], keyFields: readonly string[]): string[] {
  const parts = keyParts(key, keyFields);
  return columns.map(
    ({ field, baseType }, i) =>
      toPostgresText(parts[i]!, { type: field.type === 'bytes' ? 'bytes' : 'text' }, baseType === 'bytea')!,
  );
}
