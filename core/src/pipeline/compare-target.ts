import { RequestRefusedError } from '../base/errors.ts';
import type { SyncConfig } from '../config/config.ts';
import type { Change } from '../model/change.ts';
import { differingFields } from '../model/compare.ts';
import type { Target } from '../model/connector.ts';
import type { OpenedSync } from './opened-sync.ts';

/** Records that are read back in one go. */
const KEYS_IN_A_READ = 1000;

/** @throws {RequestRefusedError} the sync is to compare, and nothing tells what the target holds. */
export function refuseBlindComparison({ name, compare }: SyncConfig, target: Target): void {
  if (!compare || target.compares || target.read !== undefined) return;
  throw new RequestRefusedError(`${name} cannot compare: its target cannot be read back`, {
    hint: 'leave the compare step out: what was written is not written again as long as its source does not change it',
  });
}

/**
 * Of these changes those by which the target's records would become others, for a sync with a `compare:` step (P8). A target that
 * compares by itself gets them all. What stands in the target is what counts, whoever wrote it.
 */
export async function differing(
  { config, target, steps }: Pick<OpenedSync, 'config' | 'target' | 'steps'>,
  changes: readonly Change[],
): Promise<readonly Change[]> {
  if (!config.compare || target.compares || target.read === undefined) return changes;
  const kept: Change[] = [];
  for (let at = 0; at < changes.length; at += KEYS_IN_A_READ) {
    const some = changes.slice(at, at + KEYS_IN_A_READ);
    const held = await target.read(some.map(({ key }) => key));
    for (const change of some) {
      const row = held.get(change.key);
      const same =
        change.row === null
          ? row === undefined
          : row !== undefined &&
            (target.differing?.(change.row, row) ?? differingFields(change.row, row, steps.schema.fields)).length === 0;
      if (!same) kept.push(change);
    }
  }
  return kept;
}
