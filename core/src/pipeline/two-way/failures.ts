import type { NewFailure } from '../../store/store.ts';
import type { Unpaired } from './find-partners.ts';
import type { SideName } from './merge-record.ts';
import type { OpenedPairing } from './opened-pairing.ts';
import type { Done, Work, Writes } from './work.ts';

/** The next try of a record that a side refused. */
const AGAIN_MS = 60_000;

/** How the place of a record begins that cannot be told from others. */
export const UNPAIRED = 'match with ';

/**
 * A record's name in failures: the left side's key, or, where only the right one has it, that key behind a colon. A left key that
 * begins like such a name stands behind a backslash.
 */
export function failureKey({ leftKey, rightKey }: { leftKey: string | null; rightKey: string | null }): string {
  if (leftKey === null) return `:${rightKey}`;
  return /^[:\\]/.test(leftKey) ? `\\${leftKey}` : leftKey;
}

function nameOn(side: SideName, key: string): string {
  return failureKey(side === 'left' ? { leftKey: key, rightKey: null } : { leftKey: null, rightKey: key });
}

/** Whom `failureKey` has named. */
export function recordNamed(name: string): { readonly side: SideName; readonly key: string } {
  if (name.startsWith(':')) return { side: 'right', key: name.slice(1) };
  return { side: 'left', key: name.replace(/^\\/, '') };
}

/** The records that failures are about, to be tried again. */
export function touchedBy(failureKeys: readonly string[]): { left: string[]; right: string[] } {
  const touched = { left: [] as string[], right: [] as string[] };
  for (const name of failureKeys) {
    const { side, key } = recordNamed(name);
    touched[side].push(key);
  }
  return touched;
}

/** Keeps what a side refused, and who could not be paired; forgets what has gone well since (P2). */
export async function keepFailures(
  works: readonly Work[],
  { touched, unpaired }: { touched: Readonly<Record<SideName, readonly string[]>>; unpaired: readonly Unpaired[] },
  pairing: OpenedPairing,
  done: Done,
  writes: Readonly<Record<SideName, Writes>>,
): Promise<void> {
  const { store, clock, names, name } = pairing;
  const common = { sync: name, stampMs: 0, lastAtMs: clock.now(), nextAttemptAtMs: clock.now() + AGAIN_MS };
  const failures: NewFailure[] = unpaired.map(({ side, row, code, message }) => ({
    ...common,
    key: nameOn(side, row.key),
    op: 'upsert',
    row: row.row,
    code,
    message,
    place: `${UNPAIRED}${names[side === 'left' ? 'right' : 'left']}`,
  }));
  // Whatever was looked at and is not refused is well, what is gone by now among it.
  const well = new Set((['left', 'right'] as const).flatMap((side) => [...touched[side]].map((key) => nameOn(side, key))));
  for (const { key } of failures) well.delete(key);
  for (const work of works) {
    const refused = (['left', 'right'] as const).flatMap((side) => {
      const result = done[side].get(work);
      return result?.status === 'rejected' ? [{ side, reason: result.reason, write: writes[side].get(work)! }] : [];
    });
    for (const { side, reason, write } of refused) {
      failures.push({
        ...common,
        key: failureKey(work),
        op: write.op === 'delete' ? 'delete' : 'upsert',
        row: write.op === 'delete' ? null : write.row,
        code: reason.code,
        message: reason.message,
        place: names[side],
      });
    }
    if (refused.length > 0) well.delete(failureKey(work));
    else {
      if (work.leftKey !== null) well.add(nameOn('left', work.leftKey));
      if (work.rightKey !== null) well.add(nameOn('right', work.rightKey));
    }
  }
  await store.putFailures(failures);
  if (well.size === 0 || (await store.countFailures(name)) === 0) return;
  const mended = await store.failures({ sync: name, keys: [...well] });
  await store.removeFailures(mended.map(({ id }) => id));
}
