import { SchemaChangedError, TruncatedReplyError } from '@tidemark/core';
import type { Client } from '../client.ts';
import type { To } from '../config.ts';
import { salesforceCode } from '../errors.ts';
import { type Outcome, type Outgoing, refusedWith, valuesOf } from './outcome.ts';
import type { Operation, WritePlan } from './write-plan.ts';

/** REST API Developer Guide, "sObject Collections": so many records, of which each has an answer of its own. */
export const collectionRecordsMax = 200;

export interface CollectionsContext {
  readonly client: Client;
  readonly plan: WritePlan;
  readonly to: To;
  /** Decided by what the records were a moment ago: no call is repeated that may have been done. */
  readonly momentary?: boolean;
}

interface RecordReply {
  readonly id?: unknown;
  readonly success?: unknown;
  readonly created?: unknown;
  readonly errors?: readonly { readonly statusCode?: unknown; readonly message?: unknown; readonly fields?: unknown }[];
}

/** Headers that decide what the org's rules do with our writes. */
export function ruleHeaders({ assignmentRule, allowDuplicates }: To): Readonly<Record<string, string>> {
  const assign = assignmentRule === 'none' ? 'FALSE' : assignmentRule === 'default' ? 'TRUE' : assignmentRule;
  return { 'sforce-auto-assign': assign, ...(allowDuplicates ? { 'sforce-duplicate-rule-header': 'allowSave=true' } : {}) };
}

/** One call: an outcome for each record, in their order. */
export async function writeCollection(
  { client, plan, to, momentary }: CollectionsContext,
  operation: Operation,
  records: readonly Outgoing[],
  signal: AbortSignal,
): Promise<Outcome[]> {
  const about = `${operation} of ${records.length} ${plan.object} records`;
  const upserts = operation === 'upsert';
  const reply = await client
    .request({
      method: operation === 'insert' ? 'POST' : 'PATCH',
      path: `/composite/sobjects${upserts ? `/${plan.object}/${plan.key!.name}` : ''}`,
      body: { allOrNone: to.allOrNone, records: records.map((record) => bodyOf(record, plan, operation)) },
      headers: ruleHeaders(to),
      // Upserts and updates done twice are done once; an insert is another record.
      repeatable: operation !== 'insert' && (momentary ? 'undone' : true),
      replies: true,
      about,
      signal,
    })
    .catch((error: unknown) => {
      refuseLostField(plan, salesforceCode(error), (error as Error).message);
      throw error;
    });
  const outcomes = outcomesOf(reply.body, records.length, about, operation === 'insert');
  for (const outcome of outcomes) if (!outcome.ok) refuseLostField(plan, outcome.reason.code, outcome.reason.message);
  return outcomes;
}

/** A field that was there when the org was described, and is not any more: no record's fault. */
function refuseLostField({ object, columns, key }: WritePlan, code: string | undefined, message: string): void {
  const named = code === 'INVALID_FIELD' ? /No such column '([^']+)'/i.exec(message)?.[1] : undefined;
  const field = [key?.name, ...columns.map(({ path }) => path)].find((name) => name?.toLowerCase() === named?.toLowerCase());
  if (named !== undefined && field !== undefined) throw lostField(object, field);
}

export function lostField(object: string, field: string): SchemaChangedError {
  return new SchemaChangedError(`${object}.${field} is gone, or the user may not write it any more`, {
    hint: 'Run again: the org is described anew. The field, or the right to edit it, has to come back, or it leaves the sync',
  });
}

/** Deletes by Id. */
export async function deleteCollection(
  {
    client,
    plan,
    to,
    momentary,
  }: Pick<CollectionsContext, 'client' | 'momentary'> & {
    readonly plan: Pick<WritePlan, 'object'>;
    readonly to: Pick<To, 'allOrNone'>;
  },
  ids: readonly string[],
  signal: AbortSignal,
): Promise<Outcome[]> {
  const about = `delete of ${ids.length} ${plan.object} records`;
  const reply = await client.request({
    method: 'DELETE',
    path: `/composite/sobjects?ids=${ids.join(',')}&allOrNone=${to.allOrNone}`,
    repeatable: momentary ? 'undone' : true,
    replies: true,
    about,
    signal,
  });
  return outcomesOf(reply.body, ids.length, about, false);
}

function bodyOf(record: Outgoing, { object, key: keyField, columns }: WritePlan, operation: Operation): object {
  const body: Record<string, unknown> = { attributes: { type: object } };
  if (operation === 'update') body.Id = record.key;
  else if (keyField !== null) body[keyField.name] = record.key;
  for (const [{ parent, field, path }, value] of valuesOf(record, columns)) {
    if (parent === null) body[path] = value;
    else if (value === null) body[parent.idField] = null;
    else body[parent.relationship] = { [field.name]: value };
  }
  return body;
}

function outcomesOf(body: unknown, count: number, about: string, created: boolean): Outcome[] {
  if (!Array.isArray(body) || body.length !== count) {
    const found = Array.isArray(body) ? body.length : 'no list of';
    throw new TruncatedReplyError(`${about}: ${found} results came`);
  }
  return (body as RecordReply[]).map((reply): Outcome => {
    if (reply.success === true) {
      const { id } = reply;
      return { ok: true, created: reply.created === true || created, ...(typeof id === 'string' && { id }) };
    }
    const error = reply.errors?.[0];
    const code = typeof error?.statusCode === 'string' ? error.statusCode : 'UNKNOWN';
    const message = typeof error?.message === 'string' ? error.message : 'the org refused the record without a reason';
    return refusedWith(code, message, Array.isArray(error?.fields) ? error.fields.map(String) : []);
  });
}
