import { type ConnectorContext, SchemaChangedError, type Source, type SourceSpec } from '@tidemark/core';
import { describeCheckpoint } from './checkpoint.ts';
import type { Client } from './client.ts';
import type { From } from './config.ts';
import { createDataset } from './dataset.ts';
import { type DeltaMemory, type DeltaSource, markDelta, newDeltaMemory, readDelta, rewindDelta } from './delta.ts';
import type { Describes } from './describe.ts';
import { describeFields } from './describe-fields.ts';
import { salesforceCode } from './errors.ts';
import { callsOfFullRead, countRecords, type FullSource, readFull } from './full-read.ts';
import { readKeys } from './read-keys.ts';
import { derivedFields, driftingFields, fieldsOfFilter } from './stream/eventless-fields.ts';
import { bothFilters, parseFilter, parseUserQuery } from './user-query.ts';

/** Records in one query's answer: Salesforce sends no more. */
const queryRowsMax = 2000;
/** How far a delta reads back while the settled bound lags: for records committed late. */
const overlapMsDefault = 10 * 60_000;

export interface SourceParts {
  readonly client: Client;
  readonly context: ConnectorContext;
  readonly describes: Describes;
  /** What deltas remember beyond the source that read them: each run opens a new one. */
  readonly memories: Map<string, DeltaMemory>;
}

export async function openSource(
  { client, context, describes, memories }: SourceParts,
  spec: SourceSpec<From>,
  signal: AbortSignal,
  pageRows = queryRowsMax,
): Promise<Source> {
  const { from } = spec;
  const query = from.query === undefined ? null : parseUserQuery(from.query);
  const describe = await describes.get(query?.object ?? from.object!, signal);
  const wanted = { fields: spec.fields ?? query?.fields ?? null, exclude: spec.exclude };
  const dataset = await createDataset(describe, wanted, (object) => describes.get(object, signal));
  const filter = bothFilters(query?.where ?? null, spec.where === undefined ? null : parseFilter(spec.where));
  const { organizationId } = await client.session();
  for (const note of dataset.notes) context.log.info({ connection: context.connection, object: dataset.object }, note);

  const { stampField } = dataset;
  const full: FullSource = {
    client,
    context,
    object: dataset.object,
    dataset,
    filter,
    startAtMs: spec.startAtMs,
    bulkAbove: from.bulkAbove,
    bulkPageRows: from.pageRows,
    restPageRows: pageRows,
  };
  const delta: DeltaSource | null =
    stampField === undefined || !dataset.tellsChanges
      ? null
      : {
          client,
          context,
          dataset: { ...dataset, stampField },
          filter,
          overlapMs: spec.overlapMs ?? overlapMsDefault,
          pageRows,
          memory: memoryOf(memories, JSON.stringify([from, spec.where, spec.fields])),
        };
  if (delta !== null && !dataset.replicateable) {
    context.log.warn(
      { connection: context.connection, object: dataset.object },
      'the org cannot say up to when this object is settled: records whose transaction stays open for over an hour are found by full runs only',
    );
  }

  /** A field that describe had and the query has not any more: the next run describes again. */
  const explained = (error: unknown): unknown => {
    const code = salesforceCode(error);
    if (code !== 'INVALID_FIELD' && code !== 'INVALID_TYPE') return error;
    describes.forget(dataset.object);
    const { message } = error as Error;
    const named = /No such column '([^']+)'/i.exec(message)?.[1]?.toLowerCase();
    const field = dataset.schema.fields.find(({ name }) => name.toLowerCase() === named);
    // A column that only the user's own condition names is the user's to mend.
    if (field === undefined) return error;
    return new SchemaChangedError(`${dataset.object}.${field.name} is gone, or the user may not see it any more`, {
      cause: error,
      hint: 'Run again: the org is described anew. A field that is named in the sync has to come back, or leave the sync',
    });
  };
  const guarded = async function* <T>(items: AsyncIterable<T>): AsyncGenerator<T> {
    try {
      yield* items;
    } catch (error) {
      throw explained(error);
    }
  };
  const checked = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw explained(error);
    }
  };

  const names = dataset.schema.fields.map(({ name }) => name);
  return {
    schema: dataset.schema,
    ...(stampField === undefined ? {} : { stampField }),
    ...(filter === null ? {} : { filterFields: fieldsOfFilter(describe, filter) }),
    streamDataset: dataset.object,
    derivedFields: derivedFields(describe, names),
    driftingFields: driftingFields(describe, names),
    origin: organizationId,
    estimate: (abort) => checked(countRecords(full, abort)),
    async cost(kind, abort) {
      if (kind === 'delta') return 1;
      const records = await checked(countRecords(full, abort));
      return records === null ? null : callsOfFullRead(full, records);
    },
    mark: async (abort) => (delta === null ? null : checked(markDelta(delta, abort))),
    readFull: (resume, abort) => guarded(readFull(full, resume, abort)),
    ...(delta === null
      ? {}
      : {
          readDelta: (checkpoint: string, abort: AbortSignal) => guarded(readDelta(delta, checkpoint, abort)),
          rewind: rewindDelta,
        }),
    readKeys: (keys, abort) => checked(readKeys(client, dataset, filter, keys, abort)),
    describeFields: (abort) => describeFields(client, dataset.schema, abort),
    describeCheckpoint,
    async [Symbol.asyncDispose]() {},
  };
}

function memoryOf(memories: Map<string, DeltaMemory>, name: string): DeltaMemory {
  const memory = memories.get(name) ?? newDeltaMemory();
  memories.set(name, memory);
  return memory;
}
