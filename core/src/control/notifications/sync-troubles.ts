import type { TroubleKind } from '../../config/notifications-config.ts';
import { heldWindow } from '../../pipeline/held.ts';
import type { Findings, LookParts } from './find-troubles.ts';
import type { Trouble } from './notification.ts';

const kinds: readonly TroubleKind[] = ['run_failed', 'window_held', 'failures_open', 'conflicts_open'];

/** What is wrong with syncs, by what the store knows of them. */
export async function syncTroubles({ config, store, clock }: LookParts): Promise<Findings> {
  const { syncs, pairings } = config;
  const isOurs = (sync: string) => syncs.has(sync) || pairings.has(sync);
  const troubles: Trouble[] = [];
  for (const { sync, error, finishedAtMs } of await store.failedRuns()) {
    // What holds a window is told when it has held it for long.
    if (!isOurs(sync) || error?.code === 'held') continue;
    const { message = 'it is not known why', hint } = error ?? {};
    troubles.push({
      kind: 'run_failed',
      subject: sync,
      title: `${sync}: a run failed`,
      text: message,
      hint,
      sinceMs: finishedAtMs,
    });
  }
  const summary = await store.summaries();
  for (const subject of [...syncs.keys(), ...pairings.keys()]) {
    const { openFailures, openConflicts } = summary(subject);
    if (openFailures > 0) {
      const text = `${records(openFailures)} refused, and ${openFailures === 1 ? 'is' : 'are'} tried again.`;
      const hint = `tidemark failures list ${subject}`;
      troubles.push({ kind: 'failures_open', subject, title: `${subject}: records are refused`, text, hint, sinceMs: null });
    }
    if (openConflicts > 0) {
      const text = `${records(openConflicts)} changed on both sides, and ${openConflicts === 1 ? 'waits' : 'wait'} for somebody to decide.`;
      const hint = 'tidemark conflicts list';
      troubles.push({ kind: 'conflicts_open', subject, title: `${subject}: conflicts are open`, text, hint, sinceMs: null });
    }
    const sync = syncs.get(subject);
    const held = sync === undefined || openFailures === 0 ? null : await heldWindow(sync, store, clock.now());
    if (held?.overdue) {
      const text = `Record ${held.key} was refused, and nothing after it counts as done: ${held.message}`;
      const hint = 'mend the record, and the next run catches up; or give it up with tidemark failures discard';
      troubles.push({
        ...{ kind: 'window_held', subject, title: `${subject}: one record holds the window open`, text, hint },
        sinceMs: held.sinceMs,
      });
    }
  }
  return { troubles, lookedAt: (kind, subject) => kinds.includes(kind) && isOurs(subject) };
}

function records(count: number): string {
  return count === 1 ? 'One record was' : `${count} records were`;
}
