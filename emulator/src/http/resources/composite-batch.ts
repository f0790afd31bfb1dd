import { SalesforceError } from '../../org/types.ts';
import type { ApiReply, Handler, Method } from '../api-types.ts';
import { badRequest } from '../errors.ts';
import { asRecord } from '../record-body.ts';
import { subrequestHeaders } from '../write-options.ts';

/** REST API Developer Guide, "Composite Batch". */
const subrequestsMax = 25;

/** `POST /composite/batch`: independent requests in one call; each is done whatever becomes of the others. */
export const compositeBatch: Handler = async (request, context) => {
  const { batchRequests, haltOnError } = asRecord(request.body);
  if (!Array.isArray(batchRequests) || batchRequests.length === 0) {
    throw badRequest('REQUIRED_FIELD_MISSING', 'batchRequests is required');
  }
  if (batchRequests.length > subrequestsMax) {
    throw new SalesforceError('LIMIT_EXCEEDED', `Maximum number of subrequests (${subrequestsMax}) exceeded`);
  }
  const subrequests = batchRequests.map(readSubrequest);
  const headers = subrequestHeaders({}, request.headers);
  const results: { statusCode: number; result: unknown }[] = [];
  let failed = false;
  for (const [index, { method, url, body }] of subrequests.entries()) {
    let reply: ApiReply;
    if (failed && haltOnError === true) {
      reply = { status: 412, body: [{ errorCode: 'BATCH_PROCESSING_HALTED', message: 'Batch processing halted per request' }] };
    } else {
      reply = await request.call({ method, url, headers, body, transaction: undefined, within: 'batch' });
      // The call itself has paid for one of them.
      if (index > 0) context.limits.DailyApiRequests.add(1);
    }
    failed ||= reply.status >= 400;
    results.push({ statusCode: reply.status, result: reply.body ?? null });
  }
  return { status: 200, body: { hasErrors: failed, results } };
};

/** The url stands without `/services/data/`: `v62.0/sobjects/Account/001…`. */
function readSubrequest(value: unknown): { method: Method; url: string; body: unknown } {
  const { method, url, richInput } = asRecord(value);
  if (typeof method !== 'string' || !/^(GET|POST|PATCH|PUT|DELETE)$/i.test(method)) {
    throw badRequest('INVALID_INPUT', `A subrequest has no valid method: ${String(method)}`);
  }
  const path = typeof url === 'string' ? url.replace(/^\/?services\/data\//, '').replace(/^\//, '') : '';
  if (!/^v\d+\.0\//.test(path)) throw badRequest('INVALID_INPUT', 'The url of a subrequest must begin with vXX.X/');
  return { method: method.toUpperCase() as Method, url: `/services/data/${path}`, body: richInput };
}
