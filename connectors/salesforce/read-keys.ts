import { type Change, NO_STAMP } from '@tidemark/core';
import type { Client } from './client.ts';
import type { Dataset } from './dataset.ts';
import { queryPage, queryPart, readRest, rowOfRecord } from './queries.ts';
import { recordId } from './record-id.ts';
import { inList, selectText } from './soql.ts';
import type { Filter } from './user-query.ts';

/** Ids in one query, and queries in one Composite call. */
const idsInQuery = 200;
const queriesInCall = 5;
export const idsInReadCall = idsInQuery * queriesInCall;

/**
 * Records by id as they are now, in the order of `keys`: an upsert for each that exists and matches the filter, a delete
 * for each that is deleted, does not match, or cannot be seen.
 *
 * A delete carries the record's own stamp where it can still be read, and none where the record cannot be seen: one that was
 * only hidden by sharing comes back with the stamp it had, and must not find a newer one in the target (P12).
 */
export async function readKeys(
  client: Client,
  dataset: Dataset,
  filter: Filter | null,
  keys: readonly string[],
  signal?: AbortSignal,
): Promise<Change[]> {
  const idOf = new Map(keys.map((key) => [key, recordId(key)]));
  const ids = [...new Set(idOf.values())].filter((id) => id !== null);
  const found = new Map<string, Change>();
  const perCall = Math.floor(queriesInCall / (filter === null ? 1 : 2)) * idsInQuery;
  for (let start = 0; start < ids.length; start += perCall) {
    const chunks = chunked(ids.slice(start, start + perCall), idsInQuery);
    await readChunks(client, dataset, filter, chunks, found, signal);
  }
  return keys.map((key) => {
    const change = found.get(idOf.get(key) ?? '');
    return change === undefined ? { op: 'delete', key, row: null, stampMs: NO_STAMP } : { ...change, key };
  });
}

async function readChunks(
  client: Client,
  dataset: Dataset,
  filter: Filter | null,
  chunks: readonly (readonly string[])[],
  found: Map<string, Change>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { object, schema, softDeletes, stampField } = dataset;
  const about = `reading ${object} by id`;
  const names = schema.fields.map((field) => field.name);
  const fields = softDeletes && !names.includes('IsDeleted') ? [...names, 'IsDeleted'] : names;
  const { replies } = await client.composite(
    [
      ...chunks.map((ids) => queryPart('queryAll', selectText({ fields, object, where: [inList('Id', ids)] }), about)),
      ...(filter === null ? [] : chunks).map((ids) =>
        queryPart('query', selectText({ fields: ['Id'], object, where: [inList('Id', ids), filter!.text(null)] }), about),
      ),
    ],
    signal,
  );
  const records = [];
  const matching = new Set<unknown>();
  for (const [index, reply] of replies.entries()) {
    const all = await readRest(client, queryPage(reply, about), about, signal);
    if (index < chunks.length) records.push(...all);
    else for (const record of all) matching.add(record.Id);
  }
  for (const record of records) {
    const alive = record.IsDeleted !== true && (filter === null || matching.has(record.Id));
    const key = String(record.Id);
    const stampMs = stampField === undefined ? NO_STAMP : Date.parse(String(record[stampField]));
    found.set(
      key,
      alive ? { op: 'upsert', key, row: rowOfRecord(record, schema.fields), stampMs } : { op: 'delete', key, row: null, stampMs },
    );
  }
}

function chunked<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size));
}
