import type { Stored } from '../org/table.ts';

export type RollUpOperation = 'count' | 'sum' | 'min' | 'max';

/** Values of children that came to a parent, and that left it. */
export interface ValueChange {
  readonly added: readonly Stored[];
  readonly removed: readonly Stored[];
}

/** Of no children: a count and a sum are zero, the smallest and the largest are blank. */
export const emptyValue = (operation: RollUpOperation): Stored => (operation === 'count' || operation === 'sum' ? 0 : null);

/** Sums are made of whole units of the last decimal, so that what is added and taken away again leaves nothing. */
const unitsOf = (value: Stored, scale: number) => Math.round(Number((Number(value) * 10 ** scale).toPrecision(15)));

/** From all children. */
export function valueOfAll(operation: RollUpOperation, values: readonly Stored[], scale: number): Stored {
  if (operation === 'count') return values.length;
  if (operation === 'sum') return values.reduce<number>((sum, value) => sum + unitsOf(value, scale), 0) / 10 ** scale;
  return extreme(operation, values);
}

/** From what it was and what changed, if these are enough to tell. */
export function valueAfter(operation: RollUpOperation, was: Stored, change: ValueChange, scale: number): Stored | undefined {
  const { added, removed } = change;
  if (operation === 'count') return was === null ? undefined : Number(was) + added.length - removed.length;
  if (operation === 'sum') {
    if (was === null) return undefined;
    const units = (values: readonly Stored[]) => values.reduce<number>((sum, value) => sum + unitsOf(value, scale), 0);
    const total = unitsOf(was, scale) + units(added) - units(removed);
    return Number.isSafeInteger(total) ? total / 10 ** scale : undefined;
  }
  // Who was ahead has left: the next one is among those that stayed.
  if (removed.includes(was)) return undefined;
  return extreme(operation, was === null ? added : [...added, was]);
}

function extreme(operation: 'min' | 'max', values: readonly Stored[]): Stored {
  let found: Stored = null;
  for (const value of values) {
    if (value === null) continue;
    if (found === null || (operation === 'min' ? value < found : value > found)) found = value;
  }
  return found;
}
