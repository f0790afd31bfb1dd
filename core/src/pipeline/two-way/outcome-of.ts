import { scrub } from '../../base/secrets.ts';
import type { RecordOutcome } from '../../model/inbox.ts';
import { failureKey } from './failures.ts';
import { otherSide, type SideName } from './merge-record.ts';
import type { OpenedPairing, PairingTally } from './opened-pairing.ts';

/** What has become of a record of one side that was looked at alone, with the tally of that look: the other side's verdict. */
export async function outcomeOf(
  { name, names, store }: OpenedPairing,
  side: SideName,
  key: string,
  tally: PairingTally,
): Promise<RecordOutcome> {
  const [link] = await (side === 'left' ? store.links.linksByLeft(name, [key]) : store.links.linksByRight(name, [key]));
  const keys = link ?? { leftKey: side === 'left' ? key : null, rightKey: side === 'right' ? key : null };
  // Kept under the one or the other, by what was known of the record then.
  const known = [failureKey(keys), ...(keys.rightKey === null ? [] : [failureKey({ ...keys, leftKey: null })])];
  const [failure] = await store.failures({ sync: name, keys: known });
  if (failure !== undefined) return { status: 'refused', code: failure.code, message: scrub(failure.message) };
  const other = otherSide(side);
  const open = link === undefined ? [] : await store.links.conflicts({ sync: name, state: 'open', keys: [link] });
  if (open.length > 0) {
    const fields = open.map(({ field }) => field ?? 'whether it exists').join(', ');
    return {
      status: 'refused',
      code: 'conflict',
      message: `${names[other]} has changed as well: ${fields}. Somebody has to decide`,
    };
  }
  const id = link?.[`${other}Key`];
  const { created, updated, deleted } = tally[other];
  const status = created > 0 ? 'created' : deleted > 0 ? 'deleted' : updated > 0 ? 'updated' : 'unchanged';
  return { status, ...(id !== undefined && { id }) };
}
