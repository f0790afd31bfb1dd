import { CheckpointExpiredError, InvariantError, RequestRefusedError, SyncError } from '../base/errors.ts';
import type { SyncSource } from '../config/config.ts';
import { blockOfRows } from '../model/block.ts';
import { type Batch, type Change, NO_STAMP } from '../model/change.ts';
import type { Page, Source } from '../model/connector.ts';
import type { DatasetSchema, FieldSchema } from '../model/schema.ts';
import type { SourceBatch, SourceModule } from '../model/user-modules.ts';
import { type FieldType, type FieldValue, keyOf, newRow, type Row } from '../model/value.ts';
import type { StageContext } from './stage.ts';
import { importUserModule, wordsOf } from './user-module.ts';

const YIELD_HINT = 'export default async function* (context) { yield { records: […], cursor: "…" } }';

/**
 * A source of the user's own. Its cursor is taken over only at the end of a run that succeeded: a run that fails half-way
 * begins again where the last good one ended, so a cursor set too early skips nothing (P1).
 */
export async function openCustomSource(
  from: Extract<SyncSource, { kind: 'run' }>,
  sync: string,
  context: StageContext & { readonly fetch: typeof globalThis.fetch; lastSuccess(): Promise<number | null> },
): Promise<Source> {
  const module = await importUserModule<SourceModule>(from.file);
  const generate = module.default;
  if (typeof generate !== 'function') {
    throw new RequestRefusedError(`${from.file} has no default export that is a generator function`, {
      hint: YIELD_HINT,
    });
  }

  const generated = (cursor: string | null, full: boolean, lastSuccess: Date | null, signal: AbortSignal) => {
    const { options } = from;
    const made: unknown = generate({ cursor, lastSuccess, full, options, signal, fetch: context.fetch, log: context.log });
    const iterable = made as Partial<AsyncIterable<SourceBatch> & Iterable<SourceBatch>> | null | undefined;
    if (iterable?.[Symbol.asyncIterator] !== undefined || iterable?.[Symbol.iterator] !== undefined) {
      return iterable as AsyncIterable<SourceBatch>;
    }
    throw new RequestRefusedError(`${from.file}: its default export returns nothing that yields batches`, { hint: YIELD_HINT });
  };

  async function* batches(cursor: string | null, full: boolean, signal: AbortSignal): AsyncGenerator<SourceBatch> {
    const last = full ? null : await context.lastSuccess();
    try {
      for await (const batch of generated(cursor, full, last === null ? null : new Date(last), signal)) {
        if (!Array.isArray(batch?.records)) {
          throw new RequestRefusedError(`${from.file} yielded a batch without \`records\``, { hint: YIELD_HINT });
        }
        signal.throwIfAborted();
        yield batch;
      }
      // One that heard the signal may simply have ended: its last cursor stands for what it would have yielded too.
      signal.throwIfAborted();
    } catch (error) {
      signal.throwIfAborted();
      // Errors of ours may come from the user's code too: a TransientError is tried again.
      if (error instanceof SyncError) throw error;
      throw new RequestRefusedError(`${from.file} threw: ${wordsOf(error)}`, {
        cause: error,
        hint: 'mend it, or what it reads; the next run begins again where the last one that succeeded ended',
      });
    }
  }

  const declared = from.fields === null ? module.fields : Object.fromEntries(from.fields);
  const fields = declared === undefined ? await inferFields(batches(null, true, context.signal), from.file) : fieldsOf(declared);
  for (const key of from.key) {
    if (!fields.some((field) => field.name === key)) {
      throw new RequestRefusedError(`${from.file} yields no field ${key}, which is the key`, {
        hint: `fields: ${fields.map((f) => f.name).join(', ')}`,
      });
    }
  }
  const schema: DatasetSchema = { name: sync, fields, key: from.key };

  const rowOf = (record: object): Row => {
    if (typeof record !== 'object' || record === null) {
      throw new RequestRefusedError(`${from.file} yielded among its records what is no record`, { hint: YIELD_HINT });
    }
    const row = newRow();
    const values = record as Readonly<Record<string, unknown>>;
    for (const field of fields) row[field.name] = toValue(values[field.name]);
    // Nobody could tell such records apart, and one failure would stand for all of them.
    if (keyOf(row, from.key) === null) {
      throw new RequestRefusedError(`${from.file} yielded a record without its key ${from.key.join(', ')}`, {
        hint: 'give every record a key, or leave such records out',
      });
    }
    return row;
  };

  return {
    schema,
    origin: `run:${sync}`,
    estimate: async () => null,
    mark: async () => encodeCursor(null),

    async *readFull(resume, signal): AsyncGenerator<Page> {
      // The generator cannot be resumed in its middle. What it yielded before might be gone by now, and would stay for good.
      if (resume !== null) throw new CheckpointExpiredError(`${from.file} cannot go on in the middle of a full read`);
      let cursor: string | null = null;
      let page = 0;
      for await (const batch of batches(null, true, signal)) {
        cursor = batch.cursor ?? cursor;
        const block = blockOfRows(batch.records.map(rowOf), fields);
        yield { position: String(++page), announced: null, checkpoint: encodeCursor(cursor), blocks: once(block) };
      }
      if (page === 0)
        yield { position: '0', announced: 0, checkpoint: encodeCursor(null), blocks: once(blockOfRows([], fields)) };
    },

    async *readDelta(checkpoint, signal): AsyncGenerator<Batch> {
      const start = decodeCursor(checkpoint);
      let cursor = start;
      const lastMs = await context.lastSuccess();
      const window = lastMs === null ? {} : { window: { fromMs: lastMs, toMs: context.clock.now() } };
      for await (const batch of batches(start, false, signal)) {
        cursor = batch.cursor ?? cursor;
        yield { changes: changesOf(batch), checkpoint: null, ...window };
      }
      yield { changes: [], checkpoint: cursor === start ? null : encodeCursor(cursor), ...window };
    },

    describeCheckpoint: (checkpoint) => ({ cursor: decodeCursor(checkpoint) ?? 'none' }),

    async [Symbol.asyncDispose]() {},
  };

  function changesOf(batch: SourceBatch): Change[] {
    const changes: Change[] = batch.records.map((record) => {
      const row = rowOf(record);
      return { op: 'upsert', key: keyOf(row, from.key)!, row, stampMs: NO_STAMP };
    });
    for (const key of batch.deleted ?? []) changes.push({ op: 'delete', key: String(key), row: null, stampMs: NO_STAMP });
    return changes;
  }
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}

function encodeCursor(cursor: string | null): string {
  return JSON.stringify({ cursor });
}

function decodeCursor(checkpoint: string): string | null {
  const { cursor } = JSON.parse(checkpoint) as { cursor?: string | null };
  if (cursor === undefined) throw new InvariantError('a custom source was given a checkpoint of another kind');
  return cursor;
}

function fieldsOf(declared: Readonly<Record<string, FieldType>>): FieldSchema[] {
  return Object.entries(declared).map(([name, type]) => ({ name, type, nullable: true }));
}

async function inferFields(batches: AsyncGenerator<SourceBatch>, file: string): Promise<FieldSchema[]> {
  const types = new Map<string, FieldType>();
  for await (const batch of batches) {
    for (const record of batch.records) {
      for (const [name, value] of Object.entries(record ?? {})) {
        const type = typeOf(value);
        if (type === null) {
          if (!types.has(name)) types.set(name, 'text');
        } else types.set(name, types.has(name) && types.get(name) !== type ? widened(types.get(name)!, type) : type);
      }
    }
    if (types.size > 0) break;
  }
  if (types.size === 0) {
    throw new RequestRefusedError(`${file} yielded no record from which its fields could be told`, {
      hint: 'name them: `export const fields = { id: "text", … }`, or `fields:` under `from:`',
    });
  }
  return fieldsOf(Object.fromEntries(types));
}

function typeOf(value: unknown): FieldType | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return 'datetime';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'double';
  if (typeof value === 'boolean') return 'boolean';
  return typeof value === 'object' ? 'json' : 'text';
}

function widened(a: FieldType, b: FieldType): FieldType {
  const numbers = new Set<FieldType>(['integer', 'double']);
  return numbers.has(a) && numbers.has(b) ? 'double' : 'text';
}

function toValue(value: unknown): FieldValue {
  if (value === undefined || value === null) return null;
  if (value instanceof Date) return value.toISOString();
  if (typeof value === 'bigint') return value.toString();
  return value as FieldValue;
}
