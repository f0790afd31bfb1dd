import type { StreamEvent } from '../../model/stream.ts';
import { newRow, type Row } from '../../model/value.ts';
import type { Meaning, Partial } from './partial.ts';

/** What is to be done to one record, all events of a batch taken together. */
export type Pending =
  /** Fields of the target. */
  | { readonly kind: 'set'; row: Row; stampMs: number | null }
  /** A whole record as the source has it. */
  | { readonly kind: 'put'; row: Row; stampMs: number }
  | { readonly kind: 'delete'; stampMs: number }
  /** Only the source knows: it is read. */
  | { readonly kind: 'read' };

/** Changes of a batch, by key, in the order in which their records came up first. */
export type Folded = Map<string, Pending>;

/**
 * Folds one event into what the batch already holds for its records. A later event wins field by field; once a record has to be
 * read, later events add nothing, because the read comes after them.
 */
export function foldEvent(folded: Folded, event: StreamEvent, partial: Partial, keyField: string): void | Promise<void> {
  if (event.op === 'update') {
    const meaning = partial.update(event.row ?? newRow(), event.untold);
    if (meaning instanceof Promise) return meaning.then((known) => foldUpdate(folded, event, known));
    return foldUpdate(folded, event, meaning);
  }
  for (const key of event.keys) {
    const before = folded.get(key);
    if (before?.kind === 'read' && event.op !== 'delete') continue;
    folded.set(key, nextPending(before, event, partial, { [keyField]: key }));
  }
}

function nextPending(before: Pending | undefined, event: StreamEvent, partial: Partial, identity: Row): Pending {
  const { op, row, untold, stampMs } = event;
  switch (op) {
    case 'delete':
      // Undeleted since, perhaps: a read tells.
      return before?.kind === 'read' ? before : { kind: 'delete', stampMs: wholeSecond(event.committedAtMs) };
    case 'create':
      if (row === null || stampMs === null) return { kind: 'read' };
      return putOf(Object.assign(newRow(), row, identity), stampMs, untold, partial);
    default:
      // An undelete among them: its modification stamp need not be newer than the commit of the delete that it takes back (P3).
      return { kind: 'read' };
  }
}

function putOf(row: Row, stampMs: number, untold: readonly string[], partial: Partial): Pending {
  return partial.carriesAll(row, untold) ? { kind: 'put', row, stampMs } : { kind: 'read' };
}

function foldUpdate(folded: Folded, { keys, row, stampMs }: StreamEvent, meaning: Meaning): void {
  if (meaning.kind === 'nothing') return;
  for (const key of keys) {
    const before = folded.get(key);
    if (before?.kind === 'read') continue;
    // An update of what was deleted in the same batch: the order was not what it seems, or an undelete was not told.
    if (meaning.kind === 'read' || before?.kind === 'delete') folded.set(key, { kind: 'read' });
    // Under the stamp of what came before it, it would be taken for older than a row that is newer than that and older than this.
    else if (stampMs === null && before !== undefined && before.stampMs !== null) folded.set(key, { kind: 'read' });
    else if (before === undefined) folded.set(key, { kind: 'set', row: newRowOf(meaning.row, keys), stampMs });
    else if (before.kind === 'put') {
      Object.assign(before.row, row);
      before.stampMs = Math.max(before.stampMs, stampMs!);
    } else {
      Object.assign(before.row, meaning.row);
      before.stampMs = stampMs === null ? null : Math.max(before.stampMs ?? 0, stampMs);
    }
  }
}

/** Each record has a row of its own, which later events add to. */
function newRowOf(row: Row, keys: readonly string[]): Row {
  return keys.length === 1 ? row : Object.assign(newRow(), row);
}

/** A record's own stamp counts whole seconds, and is set before its transaction commits. */
function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
