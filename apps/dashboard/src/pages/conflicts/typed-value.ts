import type { ConflictShape } from '@tidemark/core/api';

/** What somebody typed, as a value of the same kind as the field's others: a number among numbers, true or false among such. */
export function typedValue(text: string, { left, right, base }: Pick<ConflictShape, 'left' | 'right' | 'base'>): unknown {
  const kinds = new Set([left, right, base].filter((value) => value !== null).map((value) => typeof value));
  if (kinds.size !== 1) return text;
  if (kinds.has('number') && text.trim() !== '' && Number.isFinite(Number(text))) return Number(text);
  if (kinds.has('boolean') && /^(true|false)$/.test(text)) return text === 'true';
  return text;
}
