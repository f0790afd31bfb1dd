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
 * run is a full one (P1). So do those of all others that write it: they find it there, and could not tell that it is another one.
 */
export async function prepareTarget({
  target,
  checkpoints,
  config,
  log,
  neighbours = () => [],
}: Pick<OpenedSync, 'target' | 'checkpoints' | 'config' | 'log' | 'neighbours'>): Promise<PreparedTarget> {
  const own = config.watermarkKey;
  const passed: string[] = [];
  if (isNew(await target.plan())) {
    for (const unit of [own, ...neighbours()]) if ((await checkpoints.read(unit)) !== null) passed.push(unit);
  }
  // One of many that begin together may have made it by now, and its checkpoint is of the new one.
  const isLost = passed.length > 0 && isNew(await target.plan());
  if (isLost) {
    for (const unit of passed) {
      const { epoch } = await checkpoints.acquire(unit);
      await checkpoints.write(unit, epoch, null);
    }
    const told = 'what it writes to is not there any more: it is made anew, and everything is read again';
    log.warn({ sync: config.name, checkpoints: passed }, told);
  }
  return { changes: await target.prepare(), isMadeAnew: isLost && passed.includes(own) };
}

/** Whether a target with these changes to make can be used as it is: what is only told of it is nothing to do. */
export function isReady(changes: readonly SchemaChange[]): boolean {
  return changes.every(({ informational }) => informational === true);
}

/** Whether a target with these changes to make holds nothing yet, whatever its checkpoint says. */
export function isNew(changes: readonly SchemaChange[]): boolean {
  return changes.some((change) => change.isNew === true);
}
