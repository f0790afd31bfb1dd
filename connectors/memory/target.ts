import {
  type Change,
  type Checkpoints,
  type Clock,
  type Commit,
  type DatasetSchema,
  decide,
  type LastWrite,
  type Load,
  type LoadCommit,
  OwnershipLostError,
  type Rejection,
  type Row,
  type SchemaChange,
  type StoredRow,
  type Target,
  type TargetSpec,
  type WriteResult,
} from '@tidemark/core';
import type { MemoryTo } from './config.ts';
import type { Faults } from './faults.ts';
import { MemoryLoad } from './load.ts';
import { type Memory, type MemoryDataset, mismatchOf } from './memory.ts';

/** Writes to a dataset in memory, with the same promises as a SQL table. */
export class MemoryTarget implements Target {
  readonly batchSizeMax = 10_000;
  readonly compares = true;
  readonly checkpoints: Checkpoints;
  readonly memory: Memory;
  readonly spec: TargetSpec<MemoryTo>;
  readonly dataset: MemoryDataset;
  readonly faults: Faults;
  readonly clock: Clock;

  constructor(memory: Memory, spec: TargetSpec<MemoryTo>, faults: Faults, clock: Clock) {
    this.memory = memory;
    this.spec = spec;
    this.dataset = memory.dataset(spec.to.dataset);
    this.faults = faults;
    this.clock = clock;
    this.checkpoints = checkpointsOf(memory);
  }

  async plan(): Promise<readonly SchemaChange[]> {
    const { schema } = this.spec;
    const known = this.dataset.schema;
    if (known === null)
      return [{ summary: `create dataset ${this.dataset.name} with ${schema.fields.length} fields`, isNew: true }];
    const added = schema.fields.filter((field) => !known.fields.some((other) => other.name === field.name));
    const gone = known.fields.filter((field) => !schema.fields.some((other) => other.name === field.name));
    return [
      ...added.map((field) => ({ summary: `add field ${field.name}`, newField: field.name })),
      ...gone.map((field) => ({ summary: `field ${field.name} no longer arrives; it is kept`, informational: true })),
    ];
  }

  async prepare(): Promise<readonly SchemaChange[]> {
    const changes = await this.plan();
    this.dataset.schema = widened(this.dataset.schema, this.spec.schema);
    return changes;
  }

  write(changes: readonly Change[], commit: Commit, signal: AbortSignal): Promise<readonly WriteResult[]> {
    return this.memory.exclusively(async () => {
      signal.throwIfAborted();
      this.checkEpoch(commit.epoch);
      this.faults.at?.('write');
      const writes: [Change, StoredRow | null][] = [];
      const results = changes.map((change): WriteResult => {
        const reason = this.rejectionOf(change.row);
        if (reason !== null) return { status: 'rejected', reason };
        const stored = this.dataset.get(change.key);
        const { status, next } = decide(stored, change, this.spec.schema.fields, this.spec.deletes, this.clock.now());
        if (next !== undefined) writes.push([change, next]);
        return { status };
      });
      const checkpoint = await commit.settle(results);
      this.faults.at?.('commit');
      // Once more: another worker may have taken over while the results were settled.
      this.keepCheckpoint(commit.epoch, checkpoint);
      for (const [change, next] of writes) this.dataset.set(change.key, next, change.stampMs);
      return results;
    });
  }

  async beginLoad(commit: LoadCommit, signal: AbortSignal): Promise<Load> {
    signal.throwIfAborted();
    this.checkEpoch(commit.epoch);
    return new MemoryLoad(this, commit);
  }

  async read(keys: readonly string[]): Promise<ReadonlyMap<string, Row>> {
    const found = new Map<string, Row>();
    for (const key of keys) {
      const stored = this.dataset.get(key);
      if (stored !== undefined && stored.deletedAtMs === null) found.set(key, stored.row);
    }
    return found;
  }

  async lastWrite(key: string): Promise<LastWrite | null> {
    const { stampMs = null, deletedAtMs = null } = this.dataset.get(key) ?? {};
    return stampMs === null ? null : { stampMs, deletedAtMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  checkEpoch(epoch: number): void {
    const known = this.memory.units.get(this.spec.unit)?.epoch;
    if (known !== epoch) throw ownershipLost(this.spec.unit, epoch, known);
  }

  keepCheckpoint(epoch: number, checkpoint: string | null): void {
    this.checkEpoch(epoch);
    if (checkpoint !== null) this.memory.units.get(this.spec.unit)!.checkpoint = checkpoint;
  }

  rejectionOf(row: Row | null): Rejection | null {
    if (row === null) return null;
    for (const field of this.spec.schema.fields) {
      const message = mismatchOf(field, row[field.name]);
      if (message !== null) return { code: 'datatype_mismatch', message };
    }
    return this.faults.reject?.(row) ?? null;
  }
}

export function checkpointsOf(memory: Memory): Checkpoints {
  return {
    async acquire(unit, signal) {
      signal?.throwIfAborted();
      const known = memory.units.get(unit) ?? { epoch: 0, checkpoint: null };
      known.epoch++;
      memory.units.set(unit, known);
      return { ...known };
    },
    async read(unit) {
      return memory.units.get(unit)?.checkpoint ?? null;
    },
    async write(unit, epoch, checkpoint) {
      const known = memory.units.get(unit);
      if (known?.epoch !== epoch) throw ownershipLost(unit, epoch, known?.epoch);
      known.checkpoint = checkpoint;
    },
  };
}

function ownershipLost(unit: string, epoch: number, known: number | undefined): OwnershipLostError {
  return new OwnershipLostError(`${unit}: epoch ${epoch} is not the latest (${known ?? 'none'})`);
}

function widened(known: DatasetSchema | null, wanted: DatasetSchema): DatasetSchema {
  if (known === null) return wanted;
  const added = wanted.fields.filter((field) => !known.fields.some((other) => other.name === field.name));
  return { ...known, fields: [...known.fields, ...added] };
}
