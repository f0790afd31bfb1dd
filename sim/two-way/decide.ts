import type { FieldValue } from '@tidemark/core';

/** A `conflicts:` module of a user's: the greater text wins, and of one it cannot judge it leaves the decision to people. */
export default function decide({ left, right }: { readonly left: FieldValue; readonly right: FieldValue }): FieldValue {
  if (left === null || right === null) throw new Error('one side has no value');
  return String(left) > String(right) ? left : right;
}
