import { type FieldSchema, newRow, type Row, TruncatedReplyError } from '@tidemark/core';
import type { Client, Subreply, Subrequest } from './client.ts';
import { fromRest } from './values.ts';

export type JsonRecord = { readonly [field: string]: unknown };

/** The first page of a query's answer. */
export interface QueryPage {
  readonly records: readonly JsonRecord[];
  readonly totalSize: number;
  /** The rest can be had from here; null when this is all of it. */
  readonly nextUrl: string | null;
}

/** `queryAll` reads deleted records too. */
export function queryPart(kind: 'query' | 'queryAll', soql: string, about: string): Subrequest {
  return { path: `/${kind}?q=${encodeURIComponent(soql)}`, about };
}

/**
 * A query's reply, if it is whole: what is announced and what is there have to agree (P13).
 * @throws {TruncatedReplyError}
 */
export function queryPage(reply: Subreply, about: string): QueryPage {
  if (reply.error !== null) throw reply.error;
  const body = reply.body as { totalSize?: unknown; done?: unknown; records?: unknown; nextRecordsUrl?: unknown } | null;
  const { totalSize, done, records, nextRecordsUrl } = body ?? {};
  if (!Array.isArray(records) || typeof totalSize !== 'number' || typeof done !== 'boolean') {
    throw new TruncatedReplyError(`${about}: the reply is no query result`);
  }
  const whole = done ? records.length === totalSize : records.length < totalSize && records.length > 0;
  if (!whole) throw new TruncatedReplyError(`${about}: ${records.length} records came, ${totalSize} were announced`);
  return { records, totalSize, nextUrl: done ? null : String(nextRecordsUrl) };
}

export async function readCount(client: Client, soql: string, about: string, signal?: AbortSignal): Promise<number> {
  const { replies } = await client.composite([queryPart('query', soql, about)], signal);
  if (replies[0]!.error !== null) throw replies[0]!.error;
  const { totalSize } = replies[0]!.body as { totalSize?: unknown };
  if (typeof totalSize !== 'number') throw new TruncatedReplyError(`${about}: the reply has no count`);
  return totalSize;
}

/** Follows a query to its end. For reads whose order does not matter: later pages show records as they are by then. */
export async function readRest(client: Client, page: QueryPage, about: string, signal?: AbortSignal): Promise<JsonRecord[]> {
  const records = [...page.records];
  for (let url = page.nextUrl; url !== null; ) {
    const reply = await client.request({ method: 'GET', path: url, about, signal });
    const body = reply.body as { done?: unknown; records?: unknown; nextRecordsUrl?: unknown };
    if (!Array.isArray(body?.records) || (body.done === false && body.records.length === 0)) {
      throw new TruncatedReplyError(`${about}: the reply is no query result`);
    }
    records.push(...body.records);
    url = body.done === false ? String(body.nextRecordsUrl) : null;
  }
  if (records.length !== page.totalSize) {
    throw new TruncatedReplyError(`${about}: ${records.length} records came, ${page.totalSize} were announced`);
  }
  return records;
}

export function rowOfRecord(record: JsonRecord, fields: readonly FieldSchema[]): Row {
  const row = newRow();
  for (const field of fields) row[field.name] = fromRest(valueAt(record, field.name), field);
  return row;
}

/** A field, or one of a parent; null when there is no parent. */
export function valueAt(record: JsonRecord, path: string): unknown {
  if (!path.includes('.')) return record[path];
  let value: unknown = record;
  for (const name of path.split('.')) value = (value as JsonRecord | null | undefined)?.[name];
  return value;
}
