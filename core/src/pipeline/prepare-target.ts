import type { SchemaChange } from '../model/connector.ts';
import type { OpenedSync } from './opened-sync.ts';

/**
 * Makes what the target lacks, and answers what was made. A table that somebody dropped holds nothing of what the checkpoint has
 * passed: a delta into a new one would leave a hole that nothing shows. So the checkpoint goes before the table comes, and the next
 * run is a full one (P1).
 */
export async function prepareTarget({
  target,
  checkpoints,
  config,
  log,
}: Pick<OpenedSync, 'target' | 'checkpoints' | 'config' | 'log'>): Promise<readonly SchemaChange[]> {
  const unit = config.watermarkKey;
  if ((await checkpoints.read(unit)) !== null && isNew(await target.plan())) {
    const { epoch } = await checkpoints.acquire(unit);
    await checkpoints.write(unit, epoch, null);
    log.warn({ sync: config.name }, 'what it writes to is not there any more: it is made anew, and everything is read again');
  }
  return target.prepare();
}

/** Whether a target with these changes to make holds nothing yet, whatever its checkpoint says. */
export function isNew(changes: readonly SchemaChange[]): boolean {
  return changes.some((change) => change.isNew === true);
}
