import { SalesforceError } from '../../org/types.ts';
import type { Handler } from '../api-types.ts';
import { badRequest } from '../errors.ts';
import { asRecord } from '../record-body.ts';
import { writeOptions } from '../write-options.ts';
import { collate, isCollated } from './composite-collate.ts';
import { type NamedSubrequest, readSubrequests, runAllOrNone, runSubrequests } from './composite-run.ts';

/** REST API Developer Guide, "Composite". */
const subrequestsMax = 25;
const heavySubrequestsMax = 5;

/** `POST /composite`: up to 25 requests in one call, later ones built from the answers of earlier ones. */
export const composite: Handler = async (request, { org }) => {
  const { compositeRequest, allOrNone, collateSubrequests } = asRecord(request.body);
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
  const isFree = isCollated(collateSubrequests, request.version.number);
  const groups = isFree ? collate(subrequests) : subrequests.map((subrequest) => [subrequest]);
  const begin = () => org.begin(writeOptions(request));
  const { responses } =
    allOrNone === true ? await runAllOrNone(groups, request, begin) : await runSubrequests(groups, request, { begin });
  // Whatever the order in which they ran, they are answered in that of the request.
  const byId = new Map(responses.map((response) => [response.referenceId, response]));
  return { status: 200, body: { compositeResponse: subrequests.map(({ referenceId }) => byId.get(referenceId)) } };
};

const isHeavy = ({ url }: NamedSubrequest) =>
  /^\/services\/data\/v\d+\.0\/(query|queryAll|composite\/sobjects)([/?]|$)/.test(url);
