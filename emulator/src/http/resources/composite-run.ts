import type { Transaction } from '../../org/types.ts';
import type { ApiReply, ApiRequest, Method, Subrequest } from '../api-types.ts';
import { asSalesforceError, badRequest, errorReply } from '../errors.ts';
import { asRecord } from '../record-body.ts';
import { subrequestHeaders } from '../write-options.ts';
import { MissingReferenceError, resolveReferences } from './composite-references.ts';

/** What Composite and Composite Graph share: named subrequests, built from answers of earlier ones. */

export interface NamedSubrequest extends Omit<Subrequest, 'transaction' | 'within'> {
  referenceId: string;
}

export interface Subresponse {
  body: unknown;
  httpHeaders: Record<string, string>;
  httpStatusCode: number;
  referenceId: string;
}

export interface CompositeRun {
  responses: Subresponse[];
  /** Of subrequests that failed themselves, not because another one did. */
  failed: ReadonlySet<string>;
}

/** Where the writes of subrequests go; without either each commits its own. */
interface Writing {
  /** All of them into one transaction: nothing more is tried once a part has failed. */
  readonly transaction?: Transaction;
  /** Those of each group into one, of which each part may fail alone. */
  readonly begin?: () => Transaction;
}

/** Group by group, in order: a reference can only point back. */
export async function runSubrequests(
  groups: readonly (readonly NamedSubrequest[])[],
  request: ApiRequest,
  writing: Writing,
): Promise<CompositeRun> {
  const responses: Subresponse[] = [];
  const answers = new Map<string, unknown>();
  const failed = new Set<string>();
  for (const group of groups) {
    const shared = group.length > 1 && group[0]?.method !== 'GET' ? writing.begin?.() : undefined;
    const replies: ApiReply[] = [];
    for (const subrequest of group) {
      const isOver = writing.transaction !== undefined && failed.size > 0;
      const reply = isOver ? haltedReply() : await runOne(subrequest, answers, request, shared ?? writing.transaction);
      if (reply.status >= 300 || hasFailedRecord(reply.body)) failed.add(subrequest.referenceId);
      replies.push(reply);
    }
    const refusal = shared && commitRefusal(shared);
    for (const [index, { referenceId }] of group.entries()) {
      const own = replies[index] as ApiReply;
      const reply = own.status < 300 && refusal ? refusal : own;
      if (reply.status < 300) answers.set(referenceId, reply.body);
      const httpHeaders = pick(reply.headers ?? {}, ['Location']);
      responses.push({ body: reply.body ?? null, httpHeaders, httpStatusCode: reply.status, referenceId });
    }
  }
  return { responses, failed };
}

/** Why a transaction could not be committed: then none of its writes is there. */
function commitRefusal(transaction: Transaction): ApiReply | undefined {
  try {
    transaction.commit();
    return undefined;
  } catch (error) {
    return errorReply(asSalesforceError(error));
  }
}

/** All or nothing: what it answers when a part has failed is that everything was undone. */
export async function runAllOrNone(
  groups: readonly (readonly NamedSubrequest[])[],
  request: ApiRequest,
  begin: () => Transaction,
): Promise<{ responses: Subresponse[]; done: boolean }> {
  const transaction = begin();
  let run: CompositeRun;
  try {
    run = await runSubrequests(groups, request, { transaction });
  } catch (error) {
    transaction.rollback();
    throw error;
  }
  if (run.failed.size > 0) {
    transaction.rollback();
    return { responses: run.responses.map(halted), done: false };
  }
  transaction.commit();
  return { responses: run.responses, done: true };
}

async function runOne(
  subrequest: NamedSubrequest,
  answers: ReadonlyMap<string, unknown>,
  request: ApiRequest,
  transaction: Transaction | undefined,
): Promise<ApiReply> {
  let url: string;
  let body: unknown;
  try {
    url = String(resolveReferences(subrequest.url, answers));
    body = resolveReferences(subrequest.body, answers);
  } catch (error) {
    if (!(error instanceof MissingReferenceError)) throw error;
    return { status: 400, body: [{ errorCode: 'PROCESSING_HALTED', message: error.message }] };
  }
  const headers = subrequestHeaders(subrequest.headers, request.headers);
  return request.call({ method: subrequest.method, url, headers, body, transaction, within: 'composite' });
}

const haltedMessage = 'The transaction was rolled back since another operation in the same transaction failed.';
const haltedReply = (): ApiReply => ({ status: 400, body: [{ errorCode: 'PROCESSING_HALTED', message: haltedMessage }] });

/** What an undone subrequest says. A collection keeps its own answer, as the guide warns. */
function halted(response: Subresponse): Subresponse {
  if (response.httpStatusCode >= 300 || Array.isArray(response.body)) return response;
  return { ...response, body: haltedReply().body, httpHeaders: {}, httpStatusCode: 400 };
}

function hasFailedRecord(body: unknown): boolean {
  return Array.isArray(body) && body.some((item: unknown) => (item as { success?: unknown } | null)?.success === false);
}

/** @throws {SalesforceError} one that cannot be read, or a name given twice. */
export function readSubrequests(value: unknown): NamedSubrequest[] {
  if (!Array.isArray(value) || value.length === 0) throw badRequest('REQUIRED_FIELD_MISSING', 'compositeRequest is required');
  const subrequests = value.map(readSubrequest);
  const ids = new Set(subrequests.map((subrequest) => subrequest.referenceId));
  if (ids.size < subrequests.length) throw badRequest('INVALID_INPUT', 'Each referenceId must be unique');
  return subrequests;
}

function readSubrequest(value: unknown): NamedSubrequest {
  const { method, url, referenceId, body, httpHeaders } = asRecord(value);
  if (typeof method !== 'string' || !/^(GET|POST|PATCH|PUT|DELETE)$/i.test(method)) {
    throw badRequest('INVALID_INPUT', `A subrequest has no valid method: ${String(method)}`);
  }
  if (typeof url !== 'string' || !url.startsWith('/services/data/v')) {
    throw badRequest('INVALID_INPUT', 'The url of a subrequest must begin with /services/data/vXX.X/');
  }
  if (typeof referenceId !== 'string' || !/^[A-Za-z0-9]\w*$/.test(referenceId)) {
    throw badRequest('INVALID_INPUT', `A subrequest has no valid referenceId: ${String(referenceId)}`);
  }
  return { method: method.toUpperCase() as Method, url, referenceId, body, headers: readHeaders(httpHeaders) };
}

const refusedHeaders = ['accept', 'authorization', 'content-type'];

function readHeaders(value: unknown): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, text] of Object.entries(value === undefined || value === null ? {} : asRecord(value))) {
    if (refusedHeaders.includes(name.toLowerCase())) {
      throw badRequest('INVALID_INPUT', `The header ${name} is not allowed in a subrequest`);
    }
    headers[name.toLowerCase()] = String(text);
  }
  return headers;
}

function pick(headers: Record<string, string>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => names.includes(name)));
}
