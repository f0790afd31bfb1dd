import type { EngineParts } from '../engine-options.ts';

/** Orgs are connected, paused and set by other processes: how soon this one takes that over. */
const LOOK_MS = 5000;

/** Takes over which orgs are connected, as they come and go, until `stop`. */
export async function watchOrgs({ directory, clock, log }: EngineParts, stop: AbortSignal): Promise<void> {
  while (directory.hasOrgs && !stop.aborted) {
    try {
      await directory.refresh();
    } catch (error) {
      log.warn({ err: error }, 'it could not be looked whether orgs came or went, which is tried again');
    }
    await clock.sleep(LOOK_MS, stop).catch(() => {});
  }
}
