import { numberParameter, textParameter } from '../../faults/fault-list.ts';
import type { ApiReply, ApiRequest, Handler } from '../api-types.ts';
import type { EmulatorContext } from '../context.ts';
import { badRequest } from '../errors.ts';
import type { OpenQuery } from '../query-locators.ts';
import { toolingSchema } from '../tooling/objects.ts';
import { asksForDefinitions, toolingRecords } from '../tooling/query.ts';
import { pageChildren } from './query-children.ts';
import { queryColumns } from './query-columns.ts';

const pageSizeMin = 200;
const pageSizeDefault = 2000;
const soqlCharactersMax = 100_000;

/** `GET /query?q=` and `GET /queryAll?q=` (REST API Developer Guide, "Query", "QueryAll"). */
function startQuery(all: boolean): Handler {
  return (request, context) => {
    const soql = request.query.get('q');
    if (soql === null) throw badRequest('MALFORMED_QUERY', 'SOQL statements cannot be empty or null');
    if (soql.length > soqlCharactersMax)
      throw badRequest('QUERY_TOO_COMPLICATED', 'Query is too long: 100,000 characters at most');
    const wantsColumns = request.query.get('columns') === 'true';
    if (asksForDefinitions(soql)) {
      const path = `/services/data/${request.version.text}`;
      const { totalSize, records } = toolingRecords(soql, path, request.userId, context);
      if (wantsColumns) return { status: 200, body: queryColumns(soql, toolingSchema) };
      return { status: 200, body: { totalSize, done: true, records } };
    }
    const result = context.org.query(soql, { all, userId: request.userId, transaction: request.transaction });
    if (wantsColumns) return { status: 200, body: queryColumns(soql, context.org.schema) };
    const pageSize = Math.min(askedPageSize(request), result.pageSizeMax);
    return page({ result, pageSize, userId: request.userId }, 0, undefined, request, context);
  };
}

export const query = startQuery(false);
export const queryAll = startQuery(true);

/** `GET /query/01g…-2000`: the page that begins at the offset ("Query More Results"). */
export const queryMore: Handler = (request, context) => {
  const [, locator, offset] = /^(01g\w{12}(?:\w{3})?)-(\d+)$/.exec(request.params.locator ?? '') ?? [];
  const expired = request.faults.find((fault) => fault.kind === 'expired-locator');
  const open = expired || locator === undefined ? undefined : context.locators.find(locator, request.userId);
  if (!open || Number(offset) > open.result.totalSize) {
    throw badRequest(
      'INVALID_QUERY_LOCATOR',
      expired ? textParameter(expired, 'message', 'invalid query locator') : 'invalid query locator',
    );
  }
  return page(open, Number(offset), locator, request, context);
};

function page(
  open: OpenQuery,
  offset: number,
  locator: string | undefined,
  request: ApiRequest,
  context: EmulatorContext,
): ApiReply {
  const { result } = open;
  const short = request.faults.find((fault) => fault.kind === 'short-page');
  const size = short ? Math.max(1, Math.min(open.pageSize, numberParameter(short, 'records', 1))) : open.pageSize;
  // `/query/` even for queryAll: the locator knows.
  const path = `/services/data/${request.version.text}/query`;
  const found = result.page(offset, size, request.version.text) as Record<string, unknown>[];
  const records = result.hasChildren
    ? pageChildren(found, open, (rest, next) => `${path}/${context.locators.open(rest)}-${next}`)
    : found;
  // A query without records to show (`SELECT COUNT()`) has a size and no pages.
  const done = offset + size >= result.totalSize || (offset === 0 && records.length === 0);
  if (done) return { status: 200, body: { totalSize: result.totalSize, done, records } };
  const id = locator ?? context.locators.open(open);
  const nextRecordsUrl = `${path}/${id}-${offset + size}`;
  return { status: 200, body: { totalSize: result.totalSize, done, nextRecordsUrl, records } };
}

function askedPageSize(request: ApiRequest): number {
  const asked = /batchSize\s*=\s*(\d+)/i.exec(request.headers['sforce-query-options'] ?? '')?.[1];
  return asked === undefined ? pageSizeDefault : Math.min(pageSizeDefault, Math.max(pageSizeMin, Number(asked)));
}
