import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { Block } from '../model/block.ts';
import type { Log } from '../model/log.ts';
import type { DatasetSchema } from '../model/schema.ts';
import type { Row } from '../model/value.ts';

/** A record on its way, with what the steps may not lose. */
export interface Item {
  /** Its key in the source. */
  readonly key: string;
  readonly stampMs: number;
  readonly row: Row;
}

/** One record that a step could not handle, as the source gave it. Becomes a failure (P2). */
export interface StepFailure {
  readonly key: string;
  readonly stampMs: number;
  readonly row: Row;
  readonly code: string;
  readonly message: string;
  readonly place: string;
}

/** What a stage makes of some records: those that go on, those it took out, those it could not handle. */
export interface StageResult {
  readonly items: readonly Item[];
  readonly dropped: readonly Item[];
  readonly failures: readonly StepFailure[];
}

/** One step, compiled against the fields that reach it. */
export interface Stage {
  readonly name: string;
  readonly schema: DatasetSchema;
  items(items: readonly Item[]): Promise<StageResult>;
  /** The same for a block, column by column; null when a record needs the slower path. Absent: always the slower path. */
  block?(block: Block): Promise<{ readonly block: Block; readonly kept: readonly number[] | null } | null>;
}

export interface StageContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** What a step threw on one record, as a failure. JSONata throws plain objects with a code; a user's function throws anything. */
export function failureOf(item: Item, place: string, error: unknown): StepFailure {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return {
    ...item,
    code: typeof code === 'string' ? code : 'step_failed',
    message: typeof message === 'string' ? message : String(error),
    place,
  };
}
