import { ConfigError, type Problem } from '../base/errors.ts';
import type { SyncConfig } from '../config/config.ts';
import { type Block, blockOfRows, type Column, changesOfBlock, takeRows } from '../model/block.ts';
import { type Change, NO_STAMP } from '../model/change.ts';
import type { Source } from '../model/connector.ts';
import type { Lookup } from '../model/lookup.ts';
import type { DatasetSchema } from '../model/schema.ts';
import { keyOf } from '../model/value.ts';
import type { Store } from '../store/store.ts';
import { createOnce } from './once.ts';
import type { Item, Stage, StageContext, StepFailure } from './stage.ts';
import { filterStage } from './stage-filter.ts';
import { lookupStage, type OpenLookup } from './stage-lookup.ts';
import { mapStage } from './stage-map.ts';
import { runStage } from './stage-run.ts';
import { hasOwnKey, withOwnKey } from './target-key.ts';

export interface Stepped {
  /** By the target's key, in order. A record that a filter took out is a delete, so that it leaves a target that had it (P4). */
  readonly changes: readonly Change[];
  readonly dropped: number;
  readonly failures: readonly StepFailure[];
}

/** Everything that happens to a record between source and target. */
export interface Steps extends AsyncDisposable {
  /** What reaches the target. */
  readonly schema: DatasetSchema;
  /** The target's key is another than the source's: a record there need not stand for one here. */
  readonly ownKey: boolean;
  changes(changes: readonly Change[]): Promise<Stepped>;
  /** A block of the source's columns becomes one of the target's columns and, last, the stamp. */
  block(block: Block): Promise<{
    readonly block: Block;
    readonly dropped: number;
    readonly failures: readonly StepFailure[];
    /** Of a target with a key of its own: records of the source, by whose keys failures may be known. */
    readonly read?: readonly Change[];
  }>;
}

/**
 * Compiles a sync's steps and mapping against what its source yields.
 * @throws {ConfigError} a field that the source does not have, a key that does not reach the target.
 */
export async function createSteps(
  sync: SyncConfig,
  source: Pick<Source, 'schema' | 'stampField' | 'eventsOnly'>,
  context: StageContext & { readonly store: Pick<Store, 'keepFirst' | 'keptFirst'>; readonly openLookup: OpenLookup },
): Promise<Steps> {
  const lookups: Lookup[] = [];
  try {
    return await compile(sync, source, context, lookups);
  } catch (error) {
    await closeAll(lookups);
    throw error;
  }
}

async function compile(
  sync: SyncConfig,
  source: Pick<Source, 'schema' | 'stampField' | 'eventsOnly'>,
  context: Parameters<typeof createSteps>[2],
  lookups: Lookup[],
): Promise<Steps> {
  const stages: Stage[] = [];
  const problems: Problem[] = [];
  const ownKey = hasOwnKey(sync, source);
  // Then no field has to come along because it identifies a record in the source.
  let schema = ownKey ? { ...source.schema, key: [] } : keyedSchema(sync, source, problems);
  const add = (stage: Stage) => {
    stages.push(stage);
    schema = stage.schema;
  };
  let open = false; // after a `run:` step records may hold fields that no schema tells
  for (const step of sync.steps) {
    const place = `syncs.${sync.name}.${step.name}`;
    if (step.kind === 'filter') add(filterStage(step, schema, context));
    else if (step.kind === 'map')
      add(mapStage({ name: step.name, fields: step.fields, exclude: [] }, schema, { ...context, problems, place, open }));
    else if (step.kind === 'lookup') {
      const stage = await lookupStage(step, schema, { ...context, problems, place, open });
      lookups.push(stage.lookup);
      add(stage);
    } else {
      const once = createOnce(context.store, `${sync.name} ${step.name}`);
      add(await runStage(step, schema, source.schema.key, context, once));
      open = true;
    }
  }
  if (sync.fields !== null || sync.exclude.length > 0) {
    const place = `syncs.${sync.name}.fields`;
    const { fields, exclude, to } = sync;
    add(mapStage({ name: 'fields', fields, exclude, key: to.key }, schema, { ...context, problems, place, open }));
  }
  if (ownKey) schema = withOwnKey(sync, schema, open, problems);
  else if (sync.to.key !== null && sync.to.key.join() !== schema.key.join()) {
    problems.push({
      place: `syncs.${sync.name}.to.key`,
      message: `the key of the target must be what identifies a record in the source: ${schema.key.join(', ')}`,
      hint: `map ${source.schema.key.join(', ')} to the column that shall be the key, or leave \`key\` out`,
      severity: 'error',
    });
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return new CompiledSteps(source, stages, schema, ownKey, lookups);
}

/**
 * What identifies a record. Events are facts about something, and a target may want one row for each of those instead of one for each
 * event: then `to.key` says by which of their fields, and the latest event is the row.
 */
function keyedSchema(
  { name, to, fields, steps }: SyncConfig,
  { schema, eventsOnly }: Pick<Source, 'schema' | 'eventsOnly'>,
  problems: Problem[],
): DatasetSchema {
  if (eventsOnly === undefined || to.key === null) return schema;
  const open = steps.some(({ kind }) => kind !== 'filter');
  const key = to.key.map((target) => {
    const mapping = fields?.get(target);
    const wanted = mapping === undefined && fields === null ? target : mapping?.kind === 'field' ? mapping.field : null;
    const field = schema.fields.find((each) => each.name.toLowerCase() === wanted?.toLowerCase());
    if (field !== undefined || (open && wanted !== null)) return field?.name ?? wanted!;
    problems.push({
      place: `syncs.${name}.to.key`,
      message: `${target} is no field of ${schema.name} as it is`,
      hint: `map ${target} in fields: to the field of the event that identifies what it is about`,
      severity: 'error',
    });
    return target;
  });
  return { ...schema, key };
}

class CompiledSteps implements Steps {
  readonly schema: DatasetSchema;
  readonly ownKey: boolean;
  readonly #source: { readonly schema: DatasetSchema; readonly stampField?: string };
  readonly #stages: readonly Stage[];
  readonly #lookups: readonly Lookup[];

  constructor(
    source: { schema: DatasetSchema; stampField?: string },
    stages: readonly Stage[],
    schema: DatasetSchema,
    ownKey: boolean,
    lookups: readonly Lookup[],
  ) {
    this.#source = source;
    this.#lookups = lookups;
    this.#stages = stages;
    this.schema = schema;
    this.ownKey = ownKey;
  }

  async changes(changes: readonly Change[]): Promise<Stepped> {
    let items: readonly Item[] = changes.flatMap((c) =>
      c.op === 'upsert' ? [{ key: c.key, stampMs: c.stampMs, row: c.row! }] : [],
    );
    const gone = new Map(changes.filter((c) => c.op === 'delete').map((c) => [c.key, c]));
    const read = new Map(items.map((item) => [item.key, item]));
    let dropped = 0;
    const failures: StepFailure[] = [];
    for (const stage of this.#stages) {
      const result = await stage.items(items);
      items = result.items;
      dropped += result.dropped.length;
      for (const item of result.dropped) gone.set(item.key, { op: 'delete', key: item.key, row: null, stampMs: item.stampMs });
      failures.push(...result.failures.map((failure) => ({ ...failure, row: read.get(failure.key)?.row ?? failure.row })));
    }
    const upserts: Change[] = [];
    for (const item of items) {
      const key = keyOf(item.row, this.schema.key);
      const { stampMs, row } = item;
      if (key === null) failures.push({ ...item, row: read.get(item.key)?.row ?? row, ...NO_KEY(this.schema.key) });
      else upserts.push({ op: 'upsert', key, row, stampMs, ...(this.ownKey && { sourceKey: item.key }) });
    }
    // What left the source, or a filter here, is nothing that the target knows by this key.
    return { changes: this.ownKey ? upserts : [...gone.values(), ...upserts], dropped, failures };
  }

  async block(block: Block) {
    if (this.ownKey) return this.#slowly(block);
    let stamps = this.#stampColumn(block);
    let current = block;
    for (const stage of this.#stages) {
      const result = (await stage.block?.(current)) ?? null;
      if (result === null) return this.#slowly(block);
      current = result.block;
      if (result.kept !== null) {
        stamps = takeRows({ rowCount: 0, columns: [stamps] }, result.kept).columns[0]!;
      }
    }
    const columns = [...current.columns, stamps];
    // Columns that were not mapped still lie in the bytes that came in.
    const release = block.release === undefined ? {} : { release: block.release };
    return {
      block: { rowCount: current.rowCount, columns, ...release },
      dropped: block.rowCount - current.rowCount,
      failures: [],
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeAll(this.#lookups);
  }

  #stampColumn(block: Block): Column {
    const { stampField, schema } = this.#source;
    if (stampField === undefined) return { kind: 'constant', value: new Date(NO_STAMP).toISOString() };
    return block.columns[schema.fields.findIndex((field) => field.name === stampField)]!;
  }

  /** A block record by record: for the user's functions, and to name the record on which an expression fails. */
  async #slowly(block: Block) {
    const { schema, stampField } = this.#source;
    const read = changesOfBlock(block, schema.fields, schema.key, stampField);
    const stepped = await this.changes(read);
    const upserts = stepped.changes.filter((change) => change.op === 'upsert');
    const made = blockOfRows(
      upserts.map((change) => change.row!),
      this.schema.fields,
    );
    const stamps: Column = { kind: 'values', values: upserts.map((change) => new Date(change.stampMs).toISOString()) };
    return {
      block: { rowCount: made.rowCount, columns: [...made.columns, stamps] },
      dropped: stepped.dropped,
      failures: stepped.failures,
      ...(this.ownKey && { read }),
    };
  }
}

async function closeAll(lookups: readonly Lookup[]): Promise<void> {
  for (const lookup of lookups) await lookup[Symbol.asyncDispose]();
}

const NO_KEY = (key: readonly string[]) => ({
  code: 'key_missing',
  message: `the record has no value for its key ${key.join(', ')}`,
  place: 'steps',
});
