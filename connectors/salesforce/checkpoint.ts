import { CheckpointExpiredError } from '@tidemark/core';

/** The two watermarks, epoch ms by the org's clock. See delta.ts for what they promise. */
export interface Bounds {
  readonly fresh: number;
  /** Null where the object has none. */
  readonly settled: number | null;
}

/** A stretch of stamps still to be read, in the order of stamp and id. */
export interface Window {
  /** `deleted` where the filter cannot be joined with a test for deleted records. */
  readonly kind: 'rows' | 'deleted';
  readonly from: number;
  /** Exclusive; null for no end. */
  readonly until: number | null;
  /** The last record read: the next page begins after it. */
  readonly after: readonly [stampMs: number, id: string] | null;
}

export interface Checkpoint extends Bounds {
  readonly v: 1;
  /** A read under way: what is left of it, and the bounds that hold once it is done. */
  readonly reading?: { readonly windows: readonly Window[]; readonly goal: Bounds };
}

export function encodeCheckpoint(bounds: Bounds, reading?: Checkpoint['reading']): string {
  const checkpoint: Checkpoint = {
    v: 1,
    fresh: bounds.fresh,
    settled: bounds.settled,
    ...(reading === undefined ? {} : { reading }),
  };
  return JSON.stringify(checkpoint);
}

/** @throws {CheckpointExpiredError} it was never one of ours: only a full read is safe then. */
export function decodeCheckpoint(text: string): Checkpoint {
  const checkpoint = parse(text);
  if (checkpoint?.v !== 1 || typeof checkpoint.fresh !== 'number') {
    throw new CheckpointExpiredError('the checkpoint is not one of a Salesforce source');
  }
  return checkpoint as Checkpoint;
}

function parse(text: string): Partial<Checkpoint> | null {
  try {
    return JSON.parse(text) as Partial<Checkpoint> | null;
  } catch {
    return null;
  }
}

export function describeCheckpoint(text: string): Record<string, string> {
  const { fresh, settled, reading } = decodeCheckpoint(text);
  const iso = (ms: number) => new Date(ms).toISOString();
  return {
    fresh: iso(fresh),
    settled: settled === null ? 'unknown: the object is not replicateable' : iso(settled),
    ...(settled === null ? {} : { 'settled lags by': `${Math.max(0, Math.round((fresh - settled) / 1000))} s` }),
    ...(reading === undefined ? {} : { reading: 'in the middle of a read' }),
  };
}
