import type { StreamEvent } from '../../model/stream.ts';
import { newRow, type Row } from '../../model/value.ts';
import type { Partial } from './partial.ts';

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
export async function foldEvent(folded: Folded, event: StreamEvent, partial: Partial, keyField: string): Promise<void> {
  for (const key of event.keys) {
    const before = folded.get(key);
    if (before?.kind === 'read' && event.op !== 'delete') continue;
    const pending = await nextPending(before, event, partial, { [keyField]: key });
    if (pending !== undefined) folded.set(key, pending);
  }
}

async function nextPending(
  before: Pending | undefined,
  event: StreamEvent,
  partial: Partial,
  identity: Row,
): Promise<Pending | undefined> {
  const { op, row, untold, stampMs } = event;
  switch (op) {
    case 'delete':
      // Undeleted since, perhaps: a read tells.
      return before?.kind === 'read' ? before : { kind: 'delete', stampMs: wholeSecond(event.committedAtMs) };
    case 'create':
    case 'undelete':
      if (row === null || stampMs === null) return { kind: 'read' };
      return putOf(Object.assign(newRow(), row, identity), stampMs, untold, partial);
    case 'update':
      return update(before, row ?? newRow(), event, partial);
    default:
      return { kind: 'read' };
  }
}

function putOf(row: Row, stampMs: number, untold: readonly string[], partial: Partial): Pending {
  return partial.carriesAll(row, untold) ? { kind: 'put', row, stampMs } : { kind: 'read' };
}

async function update(
  before: Pending | undefined,
  row: Row,
  { untold, stampMs }: StreamEvent,
  partial: Partial,
): Promise<Pending | undefined> {
  const meaning = await partial.update(row, untold);
  if (meaning.kind === 'nothing') return undefined;
  // An update of what was deleted in the same batch: the order was not what it seems, or an undelete was not told.
  if (meaning.kind === 'read' || before?.kind === 'delete') return { kind: 'read' };
  if (before?.kind === 'put') {
    Object.assign(before.row, row);
    before.stampMs = Math.max(before.stampMs, stampMs ?? 0);
    return before;
  }
  if (before?.kind === 'set') {
    Object.assign(before.row, meaning.row);
    before.stampMs = stampMs === null ? before.stampMs : Math.max(before.stampMs ?? 0, stampMs);
    return before;
  }
  return { kind: 'set', row: meaning.row, stampMs };
}

/** A record's own stamp counts whole seconds, and is set before its transaction commits. */
function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
