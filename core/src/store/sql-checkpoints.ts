import { OwnershipLostError } from '../base/errors.ts';
import type { Checkpoints } from '../model/connector.ts';
import { fromStored, toStored } from './stored-text.ts';
import type { Database } from './tables.ts';

/** Checkpoints of targets that cannot keep their own. Who acquires a unit raises its epoch, and every write names one (P11). */
export function sqlCheckpoints({ db }: Database): Checkpoints {
  return {
    async acquire(unit, signal) {
      signal?.throwIfAborted();
      const owned = await db
        .insertInto('checkpoints')
        .values({ unit: toStored(unit), epoch: 1, checkpoint: null })
        .onConflict((conflict) => conflict.column('unit').doUpdateSet((eb) => ({ epoch: eb('checkpoints.epoch', '+', 1) })))
        .returning(['epoch', 'checkpoint'])
        .executeTakeFirstOrThrow();
      return { epoch: owned.epoch, checkpoint: owned.checkpoint === null ? null : fromStored(owned.checkpoint) };
    },
    async read(unit) {
      const kept = await db.selectFrom('checkpoints').select('checkpoint').where('unit', '=', toStored(unit)).executeTakeFirst();
      return kept?.checkpoint == null ? null : fromStored(kept.checkpoint);
    },
    async write(unit, epoch, checkpoint) {
      const { numUpdatedRows } = await db
        .updateTable('checkpoints')
        .set({ checkpoint: checkpoint === null ? null : toStored(checkpoint) })
        .where('unit', '=', toStored(unit))
        .where('epoch', '=', epoch)
        .executeTakeFirstOrThrow();
      if (numUpdatedRows === 0n) {
        throw new OwnershipLostError(`${unit} is owned by another worker: its epoch is no longer ${epoch}`);
      }
    },
  };
}
