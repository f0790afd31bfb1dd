import { sameValue } from '../../model/compare.ts';
import type { StreamChange, StreamWriteResult } from '../../model/stream.ts';
import type { Row } from '../../model/value.ts';
import type { OpenedSync, Tally } from '../opened-sync.ts';
import type { LeftReason, Planned } from './replay-plan.ts';

/**
 * Counts what became of a batch, and names the records that are not what they should be. Null results: nothing was written, and
 * what would have come of it is told from the rows as they are.
 */
export async function leftBehind(
  sync: OpenedSync,
  { changes, short, failures, dropped }: Planned,
  results: readonly StreamWriteResult[] | null,
  tally: Tally,
  left: Map<string, LeftReason>,
): Promise<void> {
  tally.dropped += dropped;
  tally.failed += failures.length;
  for (const [key, reason] of short) left.set(key, reason);
  const unchanged = changes.filter(
    (change, i) => results === null || (results[i]!.status === 'unchanged' && change.row !== null),
  );
  // Nothing was written because the table has to be changed first: then there is nothing to compare with.
  const read = async () => sync.target.read?.(unchanged.map(({ key }) => key)).catch(() => undefined);
  const rows = (unchanged.length === 0 ? undefined : await read()) ?? new Map<string, Row>();
  for (const [i, change] of changes.entries()) {
    const row = rows.get(change.key);
    const status = results === null ? wouldBe(sync, change, row) : results[i]!.status;
    if (status === 'absent') markAbsent(sync, change.key, tally, left);
    else if (status === 'rejected') tally.failed++;
    else tally[status]++;
    // It was not written, and still it is another: its stamp is newer, or somebody else has changed it under the same.
    if (status === 'unchanged' && row !== undefined && results !== null && differs(sync, change, row))
      left.set(change.key, 'newer');
  }
}

function wouldBe(sync: OpenedSync, change: StreamChange, row: Row | undefined) {
  if (change.op === 'delete') return row === undefined ? 'unchanged' : 'deleted';
  if (row === undefined) return change.op === 'update' ? 'absent' : 'created';
  return differs(sync, change, row) ? 'updated' : 'unchanged';
}

function differs({ steps }: OpenedSync, { row: wanted }: StreamChange, row: Row): boolean {
  if (wanted === null) return false;
  return steps.schema.fields.some(
    (field) => Object.hasOwn(wanted, field.name) && !sameValue(wanted[field.name], row[field.name], field),
  );
}

/** Of a filtered source most likely one that does not pass, and then nothing is amiss. */
function markAbsent({ config }: OpenedSync, key: string, tally: Tally, left: Map<string, LeftReason>): void {
  if (config.where === null) left.set(key, 'absent');
  else {
    left.delete(key);
    tally.dropped++;
  }
}
