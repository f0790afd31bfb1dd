import type { Path } from './located-yaml.ts';
import type { Report } from './report.ts';
import type { SyncInput } from './schema.ts';

const alwaysLive = 'an event is brought as it comes, and can be read at no other time';

/** Keys of a sync that say how records are read again, and what to write instead. */
const meaningless: Readonly<Record<string, string>> = {
  every: alwaysLive,
  cron: alwaysLive,
  timezone: alwaysLive,
  startDelay: alwaysLive,
  full: alwaysLive,
  overlap: alwaysLive,
  startAt: 'write replay: earliest in from: to begin with all events that are still retained',
  where: 'use steps: with a filter',
  deletes: 'events are never deleted',
  sweepMax: 'events are never deleted',
};

/** Rules for a sync whose source is nothing but events. `block` is what the user wrote, without defaults. */
export function checkEventsOnly(
  block: Readonly<Record<string, unknown>>,
  { live, onFailure }: SyncInput,
  path: Path,
  report: Report,
): void {
  for (const [key, instead] of Object.entries(meaningless)) {
    if (key in block) report.error([...path, key], 'has no meaning for a topic', instead, 'key');
  }
  if (live === false) report.error([...path, 'live'], 'is always true for a topic', alwaysLive);
  if (onFailure === 'hold') {
    const hint = 'quarantine keeps a refused event aside and tries it again, whatever comes after it';
    report.error([...path, 'onFailure'], 'cannot be hold for a topic: what is retained would be over before it passes', hint);
  }
}
