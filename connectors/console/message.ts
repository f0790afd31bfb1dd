import { type Change, RequestRefusedError, textOf } from '@tidemark/core';

/** `{Name}`, `{$key}`, `{$op}`; a brace that belongs to no such thing stands for itself. */
const PLACE = /\{([$\p{L}_][\p{L}\p{N}_.]*)\}/gu;

/**
 * The user's message as a function of a change. Of a delete only the key is known: other fields are empty.
 * @throws {RequestRefusedError} the message names a field that does not arrive.
 */
export function compileMessage(template: string, fields: readonly string[]): (change: Change) => string {
  const known = new Set([...fields, '$key', '$op']);
  for (const [, name] of template.matchAll(PLACE)) {
    if (known.has(name!)) continue;
    throw new RequestRefusedError(`message: there is no field ${name}`, { hint: `use one of ${[...known].join(', ')}` });
  }
  return (change) =>
    template.replace(PLACE, (_, name: string) => {
      if (name === '$key') return change.key;
      if (name === '$op') return change.op;
      return textOf(change.row?.[name]) ?? '';
    });
}
