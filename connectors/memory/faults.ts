import { type Random, type Rejection, type Row, seededRandom, TransientError } from '@tidemark/core';

/** Where an operation can break. `commit` comes after the checkpoint was asked for and before anything is written. */
export type FaultPoint = 'read' | 'write' | 'commit' | 'page' | 'finish';

/** Misbehaviour on request. Absent: none. */
export interface Faults {
  /** Throws to break the operation. */
  at?(point: FaultPoint): void;
  /** A reason makes the target refuse this record. */
  reject?(row: Row): Rejection | null;
}

/** Breaks operations at random, the same ones for the same seed. `rate` of 1 breaks every one. */
export function seededFaults(seed: number, rate: number): Faults {
  const random: Random = seededRandom(seed);
  return {
    at(point) {
      if (random() < rate) throw new TransientError(`Injected fault at ${point}`);
    },
  };
}
