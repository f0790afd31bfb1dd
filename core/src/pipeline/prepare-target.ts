import type { SchemaChange } from '../model/connector.ts';
import type { OpenedSync } from './opened-sync.ts';

export interface PreparedTarget {
  /** What was made. */
  readonly changes: readonly SchemaChange[];
  /** It is empty, though a checkpoint was kept: everything has to be read again. */
  readonly isMadeAnew: boolean;
}

/**
 * Makes what the target lacks. A table that somebody dropped holds nothing of what the checkpoint has
 * passed: a delta into a new one would leave a hole that nothing shows. So the checkpoint goes before the table comes, and the next
 * run is a full one (P1).
 */
export async function prepareTarget({
  target,
  checkpoints,
  config,
  log,
}: Pick<OpenedSync, 'target' | 'checkpoints' | 'config' | 'log'>): Promise<PreparedTarget> {
  const unit = config.watermarkKey;
  const isMadeAnew = (await checkpoints.read(unit)) !== null && isNew(await target.plan());
  if (isMadeAnew) {
    const { epoch } = await checkpoints.acquire(unit);
    await checkpoints.write(unit, epoch, null);
    log.warn({ sync: config.name }, 'what it writes to is not there any more: it is made anew, and everything is read again');
  }
  return { changes: await target.prepare(), isMadeAnew };
}

/** Whether a target with these changes to make can be used as it is: what is only told of it is nothing to do. */
export function isReady(changes: readonly SchemaChange[]): boolean {
  return changes.every(({ informational }) => informational === true);
}

/** Whether a target with these changes to make holds nothing yet, whatever its checkpoint says. */
export function isNew(changes: readonly SchemaChange[]): boolean {
  return changes.some((change) => change.isNew === true);
}
