import { OwnershipLostError } from '../base/errors.ts';
import type { StoreCheckpoints } from './store.ts';
import { fromStored, toStored } from './stored-text.ts';
import type { Database } from './tables.ts';

/** Checkpoints of targets that cannot keep their own. Who acquires a unit raises its epoch, and every write names one (P11). */
export function sqlCheckpoints({ db }: Database): StoreCheckpoints {
  return {
    async acquire(unit, signal, from) {
      signal?.throwIfAborted();
      const owned = await db
        .insertInto('checkpoints')
        .values({ unit: toStored(unit), epoch: 1, checkpoint: null })
        .onConflict((conflict) => {
          const raise = conflict.column('unit').doUpdateSet((eb) => ({ epoch: eb('checkpoints.epoch', '+', 1) }));
          return from === undefined ? raise : raise.where('checkpoints.epoch', '=', from);
        })
        .returning(['epoch', 'checkpoint'])
        .executeTakeFirst();
      if (owned === undefined) throw new OwnershipLostError(`${unit} is owned by another worker: its epoch is no longer ${from}`);
      return { epoch: owned.epoch, checkpoint: owned.checkpoint === null ? null : fromStored(owned.checkpoint) };
    },
    async read(unit) {
      const kept = await db.selectFrom('checkpoints').select('checkpoint').where('unit', '=', toStored(unit)).executeTakeFirst();
      return kept?.checkpoint == null ? null : fromStored(kept.checkpoint);
    },
    async epoch(unit) {
      const kept = await db.selectFrom('checkpoints').select('epoch').where('unit', '=', toStored(unit)).executeTakeFirst();
      return kept?.epoch ?? 0;
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
