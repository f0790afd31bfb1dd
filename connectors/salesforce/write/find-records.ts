import { TruncatedReplyError } from '@tidemark/core';
import type { Client } from '../client.ts';
import type { DescribeField } from '../describe.ts';
import { type JsonRecord, queryPage, queryPart, readRest } from '../queries.ts';
import { recordId } from '../record-id.ts';
import { path, selectText, text } from '../soql.ts';
import { decimalText } from '../values.ts';

/** Keys and characters of them in one query; queries in one Composite call; ids in one retrieve. */
const keysInQuery = 400;
const charactersInQuery = 60_000;
const queriesInCall = 5;
const idsInRetrieve = 2000;

export interface FindOptions {
  readonly client: Client;
  readonly object: string;
  readonly key: DescribeField;
  /** Besides Id. */
  readonly fields: readonly string[];
  readonly signal: AbortSignal | undefined;
}

/** How the org compares values of a key: an external id disregards capitals unless it is marked as case-sensitive. */
export function foldKey(value: string, key: Pick<DescribeField, 'type' | 'caseSensitive'>): string {
  if (key.type === 'id') return recordId(value) ?? value;
  if (numbers.has(key.type)) return decimalText(value.trim());
  const trimmed = value.trim();
  return key.caseSensitive ? trimmed : trimmed.toLowerCase();
}

const numbers = new Set(['double', 'int', 'currency', 'percent', 'long']);

/**
 * The records that have these keys, by folded key, in as few calls as there can be (P8). A key that is not unique after all may
 * have several.
 */
export async function findRecords(options: FindOptions, keys: readonly string[]): Promise<Map<string, JsonRecord[]>> {
  const { key, fields } = options;
  const wanted = [...new Set(keys.map((each) => foldKey(each, key)))].filter((each) => each !== '');
  const retrievable = key.type === 'id' && fields.every((field) => !field.includes('.'));
  const found = new Map<string, JsonRecord[]>();
  const records = retrievable ? retrieve(options, wanted) : query(options, wanted);
  for await (const record of records) {
    const folded = foldKey(String(record[key.name]), key);
    found.set(folded, [...(found.get(folded) ?? []), record]);
  }
  return found;
}

async function* retrieve({ client, object, fields, signal }: FindOptions, keys: readonly string[]): AsyncGenerator<JsonRecord> {
  const about = `reading ${object} by id`;
  const ids = keys.filter((id) => recordId(id) !== null);
  for (let at = 0; at < ids.length; at += idsInRetrieve) {
    const asked = ids.slice(at, at + idsInRetrieve);
    const body = { ids: asked, fields: ['Id', ...fields.filter((field) => field !== 'Id')] };
    const reply = await client.request({ method: 'POST', path: `/composite/sobjects/${object}`, body, about, signal });
    if (!Array.isArray(reply.body) || reply.body.length !== asked.length)
      throw new TruncatedReplyError(`${about}: not all were answered`);
    for (const record of reply.body as (JsonRecord | null)[]) if (record !== null) yield record;
  }
}

async function* query({ client, object, key, fields, signal }: FindOptions, keys: readonly string[]): AsyncGenerator<JsonRecord> {
  const about = `reading ${object} by ${key.name}`;
  const selected = [...new Set(['Id', key.name, ...fields])];
  const literal = (value: string) => (numbers.has(key.type) ? value : text(value));
  const askable = numbers.has(key.type) ? keys.filter((each) => /^-?\d+(\.\d+)?$/.test(each)) : keys;
  const lists = listsOf(askable.map(literal));
  for (let at = 0; at < lists.length; at += queriesInCall) {
    const parts = lists.slice(at, at + queriesInCall).map((list) => {
      const where = [`${path(key.name)} IN (${list.join(',')})`];
      return queryPart('query', selectText({ fields: selected, object, where }), about);
    });
    const { replies } = await client.composite(parts, signal);
    for (const reply of replies) yield* await readRest(client, queryPage(reply, about), about, signal);
  }
}

/** Calls that it takes to find records by a key that is text. */
export function callsToFind(keys: readonly string[]): number {
  return Math.ceil(listsOf([...new Set(keys)].map(text)).length / queriesInCall);
}

/** What goes into one query each. */
function listsOf(literals: readonly string[]): string[][] {
  const lists: string[][] = [];
  let characters = 0;
  for (const each of literals) {
    const last = lists.at(-1);
    if (last === undefined || last.length >= keysInQuery || characters + each.length > charactersInQuery) {
      lists.push([each]);
      characters = 0;
    } else last.push(each);
    characters += each.length + 1;
  }
  return lists;
}
