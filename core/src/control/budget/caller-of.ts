import type { Caller, Priority } from '../../base/caller.ts';
import type { RunOptions } from '../../pipeline/recorded-run.ts';

/** For whom a run of a sync makes its calls. What the user has set for the sync holds for all of it. */
export function callerOf(
  sync: { readonly priority: Priority | null },
  { full, priority, ignoreBudget }: Pick<RunOptions, 'full' | 'priority' | 'ignoreBudget'>,
): Caller {
  return {
    priority: sync.priority ?? priority ?? (full === true ? 'full' : 'delta'),
    fixed: sync.priority !== null,
    ignoresBudget: ignoreBudget ?? false,
  };
}
