import type { Change, WriteResult } from '../model/change.ts';
import { differingFields } from '../model/compare.ts';
import type { Source, Target, TargetPreview } from '../model/connector.ts';
import {
  deletePreview,
  type Effect,
  noCalls,
  type RecordPreview,
  sendPreview,
  unchangedPreview,
  type WriteCalls,
} from '../model/preview.ts';
import type { DatasetSchema } from '../model/schema.ts';
import type { Row } from '../model/value.ts';
import { dryCheckpoints } from '../store/dry-store.ts';
import type { NewFailure } from '../store/store.ts';
import type { OpenedSync } from './opened-sync.ts';
import { isNew } from './prepare-target.ts';

/** A record that a run would write, or that would become a failure. */
export interface PlannedWrite extends RecordPreview {
  readonly key: string;
  /** Where it would be refused, when that is not the target: the step's name. */
  readonly place?: string;
}

/** Collects what a run would write. */
export class PlannedWrites {
  readonly effects: Record<Effect, number> = { create: 0, update: 0, send: 0, delete: 0, unchanged: 0, refused: 0 };
  calls: WriteCalls | null = null;
  readonly #onWrite: (write: PlannedWrite) => void;

  constructor(onWrite: (write: PlannedWrite) => void = () => {}) {
    this.#onWrite = onWrite;
  }

  add(write: PlannedWrite): void {
    this.effects[write.effect]++;
    if (write.effect !== 'unchanged') this.#onWrite(write);
  }

  /** What a step refused comes to the store alone; what the target refuses has been told by its own preview. */
  refused(failures: readonly NewFailure[]): void {
    for (const { key, code, message, place } of failures) {
      if (place !== 'target') this.add({ key, place, effect: 'refused', fields: [], resent: 0, reason: { code, message } });
    }
  }
}

/** The sync with a target that only tells what it would do. Whatever else it works with, its store among it, writes nothing either. */
export async function drySync(sync: OpenedSync, planned: PlannedWrites): Promise<OpenedSync> {
  const checkpoints = dryCheckpoints(sync.checkpoints);
  const unit = sync.config.watermarkKey;
  // A run forgets what it kept of a table that is gone, see `prepareTarget`.
  if (isNew(await sync.target.plan())) await checkpoints.write(unit, (await checkpoints.acquire(unit)).epoch, null);
  const target = new DryTarget(sync.target, sync.steps.schema, planned);
  return { ...sync, target, checkpoints, source: drySource(sync.source), gate: null, outcomes: undefined };
}

/** Where to mark the begin of a full read is a write, none is made: no closing delta follows then, which would find nothing. */
function drySource(source: Source): Source {
  if (source.markKeeps !== true) return source;
  return new Proxy(source, {
    get(target, name) {
      if (name === 'mark') return async () => null;
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

class DryTarget implements Target {
  readonly batchSizeMax: number;
  readonly compares: boolean;
  readonly read?: NonNullable<Target['read']>;
  readonly #target: Target;
  readonly #preview: TargetPreview;
  readonly #planned: PlannedWrites;

  constructor(target: Target, schema: DatasetSchema, planned: PlannedWrites) {
    this.#target = target;
    this.batchSizeMax = target.batchSizeMax;
    this.compares = target.compares;
    if (target.read !== undefined) this.read = (keys) => target.read!(keys);
    this.#preview = target.openPreview?.() ?? new ComparedPreview(target, schema);
    this.#planned = planned;
  }

  plan: Target['plan'] = () => this.#target.plan();
  prepare: Target['prepare'] = async () => [];

  async write(changes: readonly Change[], _: unknown, signal: AbortSignal): Promise<readonly WriteResult[]> {
    const previews = await this.#preview.write(changes, signal);
    this.#planned.calls = this.#target.openPreview === undefined ? null : this.#preview.calls;
    return previews.map((preview, i) => {
      this.#planned.add({ key: changes[i]!.key, ...preview });
      return resultOf(preview);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function resultOf({ effect, reason }: RecordPreview): WriteResult {
  if (effect === 'refused') return { status: 'rejected', reason: reason! };
  const statuses = { create: 'created', update: 'updated', send: 'updated', delete: 'deleted', unchanged: 'unchanged' } as const;
  return { status: statuses[effect] };
}

/** For a target that tells what it holds, or tells nothing at all: then everything is sent. */
class ComparedPreview implements TargetPreview {
  readonly calls = noCalls();
  readonly #target: Target;
  readonly #schema: DatasetSchema;
  /** As earlier writes would have left them; null for those that they would have taken away. */
  readonly #left = new Map<string, Row | null>();

  constructor(target: Target, schema: DatasetSchema) {
    this.#target = target;
    this.#schema = schema;
  }

  async write(changes: readonly Change[]): Promise<readonly RecordPreview[]> {
    // A table that has still to be made cannot be asked.
    const held = await this.#target.read?.(changes.map(({ key }) => key)).catch(() => new Map<string, Row>());
    const previews = changes.map(({ key, row }): RecordPreview => {
      const before = this.#left.has(key) ? this.#left.get(key)! : (held?.get(key) ?? null);
      if (row === null) return held !== undefined && before === null ? unchangedPreview : deletePreview;
      const sent = sendPreview(row, this.#schema);
      if (held === undefined) return sent;
      if (before === null) return { ...sent, effect: 'create' };
      const differing = new Set(differingFields(row, before, this.#schema.fields));
      if (differing.size === 0) return unchangedPreview;
      const fields = sent.fields
        .filter(({ field }) => differing.has(field))
        .map(({ field, after }) => ({ field, before: before[field] ?? null, after }));
      return { effect: 'update', fields, resent: 0 };
    });
    for (const { key, row } of changes) this.#left.set(key, row);
    return previews;
  }
}
