import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { numberParameter, textParameter } from '../faults/fault-list.ts';
import type { FaultKind, FiredFault } from '../faults/types.ts';
import { SalesforceError } from '../org/types.ts';
import type { ApiReply } from './api-types.ts';
import type { EmulatorContext } from './context.ts';
import { errorReply } from './errors.ts';
import { jsonReply, type Outgoing, textReply } from './outgoing.ts';
import type { RequestEntry } from './request-log.ts';
import { drop, send } from './send.ts';

/** What a surface knows about the exchange it answers. */
export interface Exchange {
  request: FastifyRequest;
  reply: FastifyReply;
  entry: RequestEntry;
  faults: readonly FiredFault[];
}

/** The longest a request is held when nothing else was asked for: any client gives up before. */
const holdMsDefault = 10 * 60 * 1000;

/**
 * Every request to Salesforce goes through here: it is logged, gets the org's date, and is struck by wire faults before
 * and after `answer`.
 */
export async function exchange(
  request: FastifyRequest,
  reply: FastifyReply,
  context: EmulatorContext,
  answer: (exchange: Exchange) => Promise<Outgoing | 'drop'>,
): Promise<FastifyReply> {
  const entry = context.requests.open({ atMs: context.org.clock.now(), method: request.method, url: loggedUrl(request) });
  const faults = context.faults.fire('wire', request.method, request.url);
  entry.faults.push(...faults.map((fault) => fault.id));
  const fault = (kind: FaultKind) => faults.find((candidate) => candidate.kind === kind);

  const isData = request.url.startsWith('/services/data/');
  const leave = isData ? context.limits.longRequests.enter() : undefined;
  if (isData && !leave) {
    const message = 'ConcurrentRequests (Concurrent API Requests) Limit exceeded.';
    return send(request, reply, asOutgoing(limitExceeded(message), context), []);
  }
  // A slow reply runs until its last byte is out.
  if (leave) reply.raw.once('close', leave).once('finish', leave);

  const held = fault('timeout');
  if (held) await hold(reply, numberParameter(held, 'holdMs', holdMsDefault));
  if (held && reply.raw.destroyed) return drop(reply);
  const dropped = fault('drop');
  if (dropped && numberParameter(dropped, 'afterBytes', 0) === 0) return drop(reply);

  const outgoing = refusal(faults, request, context) ?? (await answer({ request, reply, entry, faults }));
  if (outgoing === 'drop') return drop(reply);
  entry.status = outgoing.status;
  const skew = fault('clock-skew');
  reply.header('Date', orgDate(context, skew && numberParameter(skew, 'skewMs', 0)));
  return send(request, reply, outgoing, faults);
}

/** Outside the data resources a query may hold a token, which no log should. */
const loggedUrl = ({ url }: FastifyRequest) => (url.startsWith('/services/data') ? url : (url.split('?')[0] as string));

/** `Date` as the org tells it: clients take their bounds from it. */
function orgDate({ org }: EmulatorContext, skewMs = org.clock.skewMs): string {
  return new Date(org.clock.now() + skewMs).toUTCString();
}

/** Until the client hangs up or the time is over, whichever comes first. */
async function hold(reply: FastifyReply, ms: number): Promise<void> {
  const hungUp = new AbortController();
  const stop = () => hungUp.abort();
  reply.raw.once('close', stop);
  if (reply.raw.destroyed) stop();
  await sleep(ms, undefined, { signal: hungUp.signal }).catch(() => {});
  reply.raw.off('close', stop);
}

/** The answer of a fault that comes instead of the real one. */
function refusal(faults: readonly FiredFault[], request: FastifyRequest, context: EmulatorContext): Outgoing | undefined {
  for (const fault of faults) {
    if (fault.kind === 'unauthorized') {
      if (fault.params.revoke === true) context.sessions.revoke(bearerToken(request) ?? '');
      return asOutgoing(invalidSession(textParameter(fault, 'message', 'Session expired or invalid')), context);
    }
    if (fault.kind === 'limit-exceeded') {
      return asOutgoing(limitExceeded(textParameter(fault, 'message', 'TotalRequests Limit exceeded.')), context);
    }
    if (fault.kind === 'unavailable') return unavailable(fault);
  }
  return undefined;
}

export const invalidSession = (message = 'Session expired or invalid') =>
  errorReply(new SalesforceError('INVALID_SESSION_ID', message, { httpStatus: 401 }));

/** What a user without the permission "API Enabled" gets. */
export const apiDisabled = () =>
  errorReply(new SalesforceError('API_CURRENTLY_DISABLED', 'API is disabled for this User', { httpStatus: 403 }));

export const limitExceeded = (message = 'TotalRequests Limit exceeded.') =>
  errorReply(new SalesforceError('REQUEST_LIMIT_EXCEEDED', message, { httpStatus: 403 }));

/** A front-end server answers in its own way: JSON, an HTML page, or nothing at all. */
function unavailable(fault: FiredFault): Outgoing {
  const status = numberParameter(fault, 'status', 503);
  const body = textParameter(fault, 'body', 'json');
  if (body === 'empty') return { status, headers: {}, body: Buffer.alloc(0) };
  if (body === 'html') {
    const page = '<html><head><title>Service Unavailable</title></head><body><h1>We are down for maintenance.</h1></body></html>';
    return textReply(status, 'text/html;charset=UTF-8', page);
  }
  return jsonReply(status, [{ message: 'Server is too busy. Please try again later.', errorCode: 'SERVER_UNAVAILABLE' }]);
}

/** `Authorization: Bearer …`, or `OAuth …` as older clients write it. */
export function bearerToken(request: FastifyRequest): string | undefined {
  return /^(?:Bearer|OAuth)\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
}

/** A data resource's answer with the headers that each of them carries. */
export function asOutgoing(reply: ApiReply, { limits }: EmulatorContext, pretty = false): Outgoing {
  const { DailyApiRequests: requests } = limits;
  const usage = { 'Sforce-Limit-Info': `api-usage=${requests.used()}/${requests.max}` };
  if (reply.file) return { status: reply.status, headers: { ...usage, ...reply.headers }, body: reply.file };
  return jsonReply(reply.status, reply.body, { ...usage, ...reply.headers }, pretty);
}
