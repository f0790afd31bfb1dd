import { SalesforceError } from '../../org/types.ts';
import type { Handler } from '../api-types.ts';
import { badRequest } from '../errors.ts';
import { asRecord } from '../record-body.ts';
import { writeOptions } from '../write-options.ts';
import { type NamedSubrequest, readSubrequests, runAllOrNone, runSubrequests } from './composite-run.ts';

/** REST API Developer Guide, "Composite". */
const subrequestsMax = 25;
const heavySubrequestsMax = 5;

/** `POST /composite`: up to 25 requests in one call, later ones built from the answers of earlier ones. */
export const composite: Handler = async (request, { org }) => {
  const { compositeRequest, allOrNone } = asRecord(request.body);
  if (Array.isArray(compositeRequest) && compositeRequest.length > subrequestsMax) {
    throw new SalesforceError('LIMIT_EXCEEDED', `Maximum number of subrequests (${subrequestsMax}) exceeded`);
  }
  const subrequests = readSubrequests(compositeRequest);
  if (subrequests.filter(isHeavy).length > heavySubrequestsMax) {
    throw badRequest(
      'LIMIT_EXCEEDED',
      `Limit of ${heavySubrequestsMax} reached for operations in QUERY, QUERY_ALL and COLLECTIONS in one composite request`,
    );
  }
  const { responses } =
    allOrNone === true
      ? await runAllOrNone(subrequests, request, () => org.begin(writeOptions(request)))
      : await runSubrequests(subrequests, request);
  return { status: 200, body: { compositeResponse: responses } };
};

const isHeavy = ({ url }: NamedSubrequest) =>
  /^\/services\/data\/v\d+\.0\/(query|queryAll|composite\/sobjects)([/?]|$)/.test(url);
