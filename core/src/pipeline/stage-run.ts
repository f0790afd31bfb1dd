import { RequestRefusedError } from '../base/errors.ts';
import type { StepConfig } from '../config/config.ts';
import { NO_STAMP } from '../model/change.ts';
import type { DatasetSchema, FieldSchema } from '../model/schema.ts';
import type { Once, StepContext, StepModule } from '../model/user-modules.ts';
import { type FieldValue, keyOf, newRow } from '../model/value.ts';
import { failureOf, type Item, type Stage, type StageContext, type StepFailure } from './stage.ts';
import { importUserModule } from './user-module.ts';

type Made = { [field: string]: FieldValue };

/** Stamps are of the source's records: of two that were made from different ones neither is the older. */
const itemOf = (record: Made, { key }: Item): Item => ({ key, row: Object.assign(newRow(), record), stampMs: NO_STAMP });

/**
 * A function of the user's over whole records. When it throws, its records are given to it one by one, so that the one that it
 * cannot handle becomes a failure and the others go on (P2): it must therefore be safe to call again.
 */
export async function runStage(
  step: Extract<StepConfig, { kind: 'run' }>,
  input: DatasetSchema,
  sourceKey: readonly string[],
  context: StageContext,
  once: Once,
): Promise<Stage> {
  const module = await importUserModule<StepModule>(step.file);
  const run = module.default;
  if (typeof run !== 'function') {
    throw new RequestRefusedError(`${step.file} has no default export that is a function`, {
      hint: 'export default (records, context) => records',
    });
  }
  const added: FieldSchema[] = Object.entries(module.fields ?? {})
    .filter(([name]) => !input.fields.some((field) => field.name === name))
    .map(([name, type]) => ({ name, type, nullable: true }));
  const schema: DatasetSchema = { ...input, fields: [...input.fields, ...added] };
  const stepContext: StepContext = {
    options: step.options,
    log: context.log,
    signal: context.signal,
    now: () => new Date(context.clock.now()),
    once,
  };

  async function call(items: readonly Item[]): Promise<Made[]> {
    const records = await run!(
      items.map((item) => ({ ...item.row })),
      stepContext,
    );
    if (!Array.isArray(records)) throw new TypeError(`${step.name} must return an array of records`);
    for (const record of records) {
      if (typeof record !== 'object' || record === null) throw new TypeError(`${step.name} returned what is no record`);
    }
    return records;
  }

  async function known(items: readonly Item[]): Promise<Item[]> {
    const given = new Map(items.map((item) => [item.key, item]));
    return (await call(items)).map((record) => {
      const key = keyOf(record, input.key);
      if (key === null) throw new TypeError(`${step.name} returned a record without its key ${input.key.join(', ')}`);
      return { key, row: Object.assign(newRow(), record), stampMs: given.get(key)?.stampMs ?? NO_STAMP };
    });
  }

  /**
   * For a target with a key of its own: what is returned may be other records, and several of one. By the source's key in them, or
   * because one is handed over at a time, it is known of which record they came, and which one is retried when one of them fails.
   */
  let oneByOne = false;
  async function made(items: readonly Item[]): Promise<Item[]> {
    const given = new Map(items.map((item) => [item.key, item]));
    if (items.length > 1 && !oneByOne) {
      const records = (await call(items)).map((record) => ({ record, from: given.get(keyOf(record, sourceKey) ?? '') }));
      if (records.every(({ from }) => from !== undefined)) return records.map(({ record, from }) => itemOf(record, from!));
      oneByOne = true;
    }
    const done: Item[] = [];
    for (const item of items) for (const record of await call([item])) done.push(itemOf(record, item));
    return done;
  }
  const handOver = input.key.length === 0 ? made : known;

  return {
    name: step.name,
    schema,
    async items(items) {
      const done: Item[] = [];
      const failures: StepFailure[] = [];
      if (items.length === 0) return { items: [], dropped: [], failures };
      try {
        done.push(...(await handOver(items)));
      } catch (error) {
        // It was told to stop, and so did as it should: its records are read again.
        context.signal.throwIfAborted();
        if (items.length === 1) return { items: [], dropped: [], failures: [failureOf(items[0]!, step.name, error)] };
        context.log.warn({ step: step.name, records: items.length }, 'a step failed on a batch; trying its records one by one');
        for (const item of items) {
          try {
            done.push(...(await handOver([item])));
          } catch (cause) {
            context.signal.throwIfAborted();
            failures.push(failureOf(item, step.name, cause));
          }
        }
      }
      const out = new Set(done.map((item) => item.key));
      const failed = new Set(failures.map((failure) => failure.key));
      return { items: done, dropped: items.filter((item) => !out.has(item.key) && !failed.has(item.key)), failures };
    },
  };
}
