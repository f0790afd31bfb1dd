import { SalesforceError, type Transaction } from '../../org/types.ts';
import type { ApiReply, ApiRequest, Handler, Method, Subrequest } from '../api-types.ts';
import { badRequest } from '../errors.ts';
import { asRecord } from '../record-body.ts';
import { MissingReferenceError, resolveReferences } from './composite-references.ts';

/** REST API Developer Guide, "Composite". */
const subrequestsMax = 25;
const heavySubrequestsMax = 5;

interface NamedSubrequest extends Omit<Subrequest, 'transaction'> {
  referenceId: string;
}

interface Subresponse {
  body: unknown;
  httpHeaders: Record<string, string>;
  httpStatusCode: number;
  referenceId: string;
}

/** `POST /composite`: up to 25 requests in one call, later ones built from the answers of earlier ones. */
export const composite: Handler = async (request, context) => {
  const body = asRecord(request.body);
  const subrequests = readSubrequests(body.compositeRequest);
  if (body.allOrNone !== true) return { status: 200, body: { compositeResponse: await runAll(subrequests, request) } };
  const transaction = context.org.begin({ userId: request.userId });
  let responses: Subresponse[];
  try {
    responses = await runAll(subrequests, request, transaction);
  } catch (error) {
    transaction.rollback();
    throw error;
  }
  const failed = responses.some((response) => response.httpStatusCode >= 300 || hasFailedRecord(response.body));
  if (failed) transaction.rollback();
  else transaction.commit();
  return { status: 200, body: { compositeResponse: failed ? responses.map(halted) : responses } };
};

/** In order: a reference can only point back, and without one the order is ours to choose. */
async function runAll(
  subrequests: readonly NamedSubrequest[],
  request: ApiRequest,
  transaction?: Transaction,
): Promise<Subresponse[]> {
  const responses: Subresponse[] = [];
  const answers = new Map<string, unknown>();
  let stopped = false;
  for (const subrequest of subrequests) {
    // In one transaction nothing more is tried once a part has failed.
    const reply = stopped ? haltedReply() : await runOne(subrequest, answers, request, transaction);
    if (reply.status < 300) answers.set(subrequest.referenceId, reply.body);
    else stopped = transaction !== undefined;
    responses.push({
      body: reply.body ?? null,
      httpHeaders: pick(reply.headers ?? {}, ['Location']),
      httpStatusCode: reply.status,
      referenceId: subrequest.referenceId,
    });
  }
  return responses;
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
  return request.call({ method: subrequest.method, url, headers: subrequest.headers, body, transaction });
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

function readSubrequests(value: unknown): NamedSubrequest[] {
  if (!Array.isArray(value) || value.length === 0) throw badRequest('REQUIRED_FIELD_MISSING', 'compositeRequest is required');
  if (value.length > subrequestsMax) {
    throw new SalesforceError('LIMIT_EXCEEDED', `Maximum number of subrequests (${subrequestsMax}) exceeded`);
  }
  const subrequests = value.map(readSubrequest);
  const ids = new Set(subrequests.map((subrequest) => subrequest.referenceId));
  if (ids.size < subrequests.length) throw badRequest('INVALID_INPUT', 'Each referenceId must be unique');
  if (subrequests.filter(isHeavy).length > heavySubrequestsMax) {
    throw badRequest(
      'LIMIT_EXCEEDED',
      `Limit of ${heavySubrequestsMax} reached for operations in QUERY, QUERY_ALL and COLLECTIONS in one composite request`,
    );
  }
  return subrequests;
}

const isHeavy = ({ url }: NamedSubrequest) =>
  /^\/services\/data\/v\d+\.0\/(query|queryAll|composite\/sobjects)([/?]|$)/.test(url);

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
