import { decodeEnvelope } from '../pipeline/envelope.ts';
import type { OpenedSync } from '../pipeline/opened-sync.ts';

/**
 * Waits until a sync has something to read, where its source can tell; otherwise it may have, and a run will see. What goes wrong
 * here goes wrong in the run as well, which reports it.
 */
export async function somethingChanged(sync: OpenedSync | undefined, signal: AbortSignal): Promise<void> {
  const { waitForChange } = sync?.source ?? {};
  if (sync === undefined || waitForChange === undefined) return;
  try {
    const envelope = decodeEnvelope(await sync.checkpoints.read(sync.config.watermarkKey));
    if (envelope !== null) await waitForChange.call(sync.source, envelope.position, signal);
  } catch (error) {
    if (!signal.aborted) sync.log.debug({ sync: sync.config.name, err: error }, 'whether anything has changed cannot be told');
  }
}
