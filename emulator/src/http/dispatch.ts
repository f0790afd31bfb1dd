import { faultError } from '../faults/fault-error.ts';
import { SalesforceError, type Transaction } from '../org/types.ts';
import type { ApiReply, Method, Route, Subrequest } from './api-types.ts';
import type { EmulatorContext } from './context.ts';
import { asSalesforceError, badRequest, errorReply, notFound } from './errors.ts';
import { detailsFor } from './record-details.ts';
import { Upload } from './request-body.ts';
import { restRoutes } from './rest-routes.ts';
import { parseVersion } from './versions.ts';

/** A request to a data resource, whoever made it. */
export interface DispatchInput {
  method: Method;
  /** `/services/data/v62.0/query?q=…`, still encoded. */
  url: string;
  headers: Readonly<Record<string, string | undefined>>;
  body: unknown;
  userId: string;
  transaction: Transaction | undefined;
  within: 'http' | Subrequest['within'];
}

export interface Dispatched {
  reply: ApiReply;
  kind: string;
  /** Kinds of the subrequests that it carried. */
  subrequests: string[];
  faults: string[];
}

/**
 * Finds the resource and lets it answer. HTTP and Composite both come through here, so that a subrequest behaves as the
 * request would.
 */
export async function dispatch(input: DispatchInput, context: EmulatorContext): Promise<Dispatched> {
  const dispatched: Dispatched = { reply: { status: 500 }, kind: 'unknown', subrequests: [], faults: [] };
  try {
    dispatched.reply = await answer(input, context, dispatched);
  } catch (error) {
    const version = /\/(v\d+\.0)\//.exec(input.url)?.[1];
    const seen = { org: context.access.orgAs(input.userId) };
    const details = version === undefined ? undefined : detailsFor({ ...input, version }, seen);
    dispatched.reply = errorReply(asSalesforceError(error), version, details);
  }
  return dispatched;
}

async function answer(input: DispatchInput, context: EmulatorContext, dispatched: Dispatched): Promise<ApiReply> {
  const question = input.url.indexOf('?');
  const path = question < 0 ? input.url : input.url.slice(0, question);
  const query = new URLSearchParams(question < 0 ? '' : input.url.slice(question + 1));
  const [versionSegment = '', ...segments] = path.replace(/^\/services\/data\//, '').split('/');
  const version = parseVersion(versionSegment);
  if (version === 'unknown') throw notFound();
  if (version === 'retired') {
    throw new SalesforceError('UNSUPPORTED_API_VERSION', `API version ${versionSegment} is retired`, { httpStatus: 410 });
  }
  const method = overriddenMethod(input.method, query);
  const { route, params } = findRoute(method, decodeSegments(segments));
  dispatched.kind = route.kind;
  if (!mayCarry(input.within, route)) {
    throw badRequest('INVALID_INPUT', `The resource ${path} cannot be called within a composite request`);
  }
  if (input.body instanceof Upload && !route.uploads) {
    const message = `Content type ${input.body.contentType} not supported.`;
    throw new SalesforceError('UNSUPPORTED_MEDIA_TYPE', message, { httpStatus: 415 });
  }
  const faults = context.faults.fire('resource', method, input.url);
  dispatched.faults.push(...faults.map((fault) => fault.id));
  const refused = faults.find(({ kind }) => kind === 'api-error');
  if (refused) throw faultError(refused, 500);
  const { headers, body, userId, transaction } = input;
  const call = async (subrequest: Subrequest) => {
    const inner = await dispatch({ ...subrequest, userId }, context);
    dispatched.subrequests.push(inner.kind);
    dispatched.faults.push(...inner.faults);
    return inner.reply;
  };
  const request = { method, version, params, query, headers, body, userId, faults, transaction, call };
  return route.handler(request, { ...context, org: context.access.orgAs(userId) });
}

function mayCarry(within: DispatchInput['within'], { composite, batch = composite }: Route): boolean {
  return within === 'http' || (within === 'batch' ? batch : composite) === true;
}

/** `POST …?_HttpMethod=PATCH`, for clients that cannot send PATCH. */
function overriddenMethod(method: Method, query: URLSearchParams): Method {
  const override = query.get('_HttpMethod')?.toUpperCase();
  if (method === 'POST' && (override === 'PATCH' || override === 'DELETE' || override === 'GET')) return override;
  return method;
}

function decodeSegments(segments: readonly string[]): string[] {
  try {
    const decoded = segments.map(decodeURIComponent);
    while (decoded.at(-1) === '') decoded.pop();
    return decoded;
  } catch {
    throw notFound();
  }
}

const routes = restRoutes.map((route) => ({ route, segments: route.path.split('/').filter((segment) => segment !== '') }));

function findRoute(method: Method, segments: readonly string[]): { route: Route; params: Record<string, string> } {
  const allowed = new Set<string>();
  for (const candidate of routes) {
    const params = match(candidate.segments, segments);
    if (!params) continue;
    if (candidate.route.method === method) return { route: candidate.route, params };
    allowed.add(candidate.route.method);
  }
  if (allowed.size === 0) throw notFound();
  const message = `HTTP Method '${method}' not allowed. Allowed are ${[...allowed].join(',')}`;
  throw new SalesforceError('METHOD_NOT_ALLOWED', message, { httpStatus: 405 });
}

function match(pattern: readonly string[], segments: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] as string;
    if (part.startsWith(':')) params[part.slice(1)] = segment;
    else if (part !== segment) return undefined;
  }
  return params;
}
