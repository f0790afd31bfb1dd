import type { Problem } from '../base/errors.ts';
import type { SyncConfig } from '../config/config.ts';
import type { Source } from '../model/connector.ts';

/** Names in a message, at most. */
const NAMES_MAX = 6;

/** What no delta and no event tells of is brought by full runs only: a sync that needs it and has none goes stale. */
export function driftProblems(sync: SyncConfig, source: Pick<Source, 'driftingFields' | 'filterFields'>): readonly Problem[] {
  if (sync.full !== null) return [];
  const fields = source.driftingFields ?? [];
  const place = `syncs.${sync.name}`;
  const hint =
    'Give the sync full: with every: or cron:, as often as it has to be right (docs/live.md tells which fields these are)';
  const problems: Problem[] = [];
  if (fields.length > 0) {
    const more = fields.length > NAMES_MAX ? ` and ${fields.length - NAMES_MAX} more` : '';
    const message = `${fields.slice(0, NAMES_MAX).join(', ')}${more} may change without anything of the record telling so`;
    problems.push({ place, severity: 'warning', message, hint });
  }
  if (sync.where !== null && source.filterFields === null) {
    const message = 'whether a record matches where: may change without anything of the record telling so';
    problems.push({ place, severity: 'warning', message, hint });
  }
  return problems;
}
