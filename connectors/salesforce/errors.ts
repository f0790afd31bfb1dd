import {
  AccessDeniedError,
  CheckpointExpiredError,
  NotConnectedError,
  OverBudgetError,
  RateLimitedError,
  RequestRefusedError,
  type SyncError,
  TransientError,
  UnexpectedReplyError,
} from '@tidemark/core';
import { fieldGrant } from './grants.ts';

/** What Salesforce answered, kept as the cause of our error. */
export class SalesforceReply extends Error {
  readonly errorCode: string;
  readonly status: number;
  constructor(errorCode: string, status: number) {
    super(`${errorCode} (HTTP ${status})`);
    this.name = 'SalesforceReply';
    this.errorCode = errorCode;
    this.status = status;
  }
}

/** Salesforce's own code of an error made here, such as `INVALID_FIELD`. */
export function salesforceCode(error: unknown): string | undefined {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof SalesforceReply ? cause.errorCode : undefined;
}

const quarterHourMs = 15 * 60_000;
const fieldHint =
  'Check the spelling, or the user lacks the permission: fields that field-level security hides look as if they did not exist';
const objectHint =
  'Check the spelling, or the user lacks the permission to read this object; `tidemark package` writes a permission set that grants it';

type Make = (message: string, cause: SalesforceReply) => SyncError;
const refused =
  (hint?: string): Make =>
  (message, cause) =>
    new RequestRefusedError(message, { cause, hint });
const denied =
  (hint?: string): Make =>
  (message, cause) =>
    new AccessDeniedError(message, { cause, hint });
/** The message names the field, and whose it is: reads and writes say so in different words. */
const unknownField: Make = (message, cause) => {
  const [, field, read, written] = /No such column '(\w+)' on (?:entity '(\w+)'|sobject of type (\w+))/.exec(message) ?? [];
  const grant =
    field === undefined ? '' : `; ${fieldGrant((read ?? written)!, [field], read === undefined ? 'editable' : 'readable')}`;
  return new RequestRefusedError(message, { cause, hint: `${fieldHint}${grant}` });
};
const transient: Make = (message, cause) => new TransientError(message, { cause });
const expired: Make = (message, cause) => new CheckpointExpiredError(message, { cause });
const sessionRefused: Make = (message, cause) =>
  new NotConnectedError(message, {
    cause,
    hint: "The org refuses the session right after a login: look at the user's session settings and login IP ranges in Setup",
  });
const noApi = denied('The edition or the profile does not allow the API: the permission is called "API Enabled"');

/** Salesforce's error codes by what the engine does next. */
const byCode: Readonly<Record<string, Make>> = {
  INVALID_SESSION_ID: sessionRefused,
  INVALID_AUTH_HEADER: sessionRefused,
  REQUEST_LIMIT_EXCEEDED: (message, cause) =>
    // The day's allowance frees up slowly, hour by hour; a place among the concurrent requests is free again in seconds.
    /concurrent/i.test(message)
      ? new RateLimitedError(message, { cause, retryAfterMs: 30_000 })
      : new OverBudgetError(message, {
          cause,
          retryAfterMs: quarterHourMs,
          hint: 'The org has used up its API calls of 24 hours; see Setup, Company Information',
        }),
  API_DISABLED_FOR_ORG: noApi,
  API_CURRENTLY_DISABLED: noApi,
  FUNCTIONALITY_NOT_ENABLED: noApi,
  INSUFFICIENT_ACCESS: denied(),
  INSUFFICIENT_ACCESS_OR_READONLY: denied(),
  INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY: denied(),
  INVALID_FIELD: unknownField,
  INVALID_TYPE: refused(objectHint),
  INVALIDENTITY: refused(objectHint),
  INVALID_ENTITY: refused(objectHint),
  NOT_FOUND: refused(objectHint),
  MALFORMED_QUERY: refused(
    'The SOQL is not valid: AND and OR may not be mixed without parentheses, text stands in single quotes',
  ),
  INVALID_QUERY_FILTER_OPERATOR: refused('The filter compares a field with a value of another type'),
  QUERY_TOO_COMPLICATED: refused('Ask for fewer formula fields or a simpler filter'),
  OPERATION_TOO_LARGE: refused('The user needs the permission "View All Data" to read this object whole'),
  NUMBER_OUTSIDE_VALID_RANGE: refused(),
  EXCEEDED_ID_LIMIT: refused(),
  MALFORMED_ID: refused(),
  UNSUPPORTED_API_VERSION: refused('Set a newer apiVersion in the connection'),
  API_ERROR: refused(),
  INVALID_QUERY_LOCATOR: expired,
  INVALID_REPLICATION_DATE: expired,
  QUERY_TIMEOUT: transient,
  UNABLE_TO_LOCK_ROW: transient,
  SERVER_UNAVAILABLE: transient,
  UNKNOWN_EXCEPTION: transient,
  APEX_ERROR: transient,
  REQUEST_RUNNING_TOO_LONG: transient,
};

/** Codes of Salesforce that we know, for the reference. */
export const replyCodes: readonly string[] = Object.keys(byCode);

/** The error for a reply whose status is not a success. `body` is the parsed JSON, or undefined when it was none. */
export function errorOfReply(status: number, body: unknown, about: string, retryAfterMs?: number): SyncError {
  const first = Array.isArray(body) ? (body[0] as { errorCode?: unknown; message?: unknown } | undefined) : undefined;
  const code = typeof first?.errorCode === 'string' ? first.errorCode : `HTTP_${status}`;
  const cause = new SalesforceReply(code, status);
  const detail = typeof first?.message === 'string' ? plainMessage(first.message) : `HTTP ${status} without an explanation`;
  const message = `${about}: ${detail} [${code}]`;
  const known = byCode[code];
  if (known !== undefined) return known(message, cause);
  if (status === 401) return new NotConnectedError(message, { cause });
  if (status === 403) return denied()(message, cause);
  if (status === 404 || status === 410) return refused()(message, cause);
  if (status === 429 || status === 420) return new RateLimitedError(message, { cause, retryAfterMs: retryAfterMs ?? 30_000 });
  // 406 and 408 come from the machines in front of the org, as HTML pages and empty bodies do.
  if (status >= 500 || status === 406 || status === 408) return transient(message, cause);
  if (status >= 400 && first !== undefined) return refused()(message, cause);
  return new UnexpectedReplyError(message, { cause });
}

/** Query errors come as four lines with a caret; what is wrong stands in the last one. */
function plainMessage(message: string): string {
  const lines = message.split('\n').map((line) => line.trim());
  const at = lines.findIndex((line) => line.startsWith('ERROR at'));
  return (at >= 0 && at + 1 < lines.length ? lines.slice(at + 1) : lines).filter((line) => line !== '').join(' ');
}

const unreachable = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT']);

/** The error for a request that got no reply, or whose reply broke off. */
export function errorOfFailure(error: unknown, about: string): SyncError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = String((cause as { code?: unknown } | null)?.code ?? (error as Error | null)?.name ?? 'unknown');
  if (unreachable.has(code))
    return new NotConnectedError(`${about}: cannot reach the host (${code})`, {
      hint: 'Check loginUrl, the network and the proxy',
    });
  if (/CERT|SELF_SIGNED|TLS/.test(code)) {
    return new AccessDeniedError(`${about}: the host's certificate is not trusted (${code})`, {
      hint: 'Name your own CA in NODE_EXTRA_CA_CERTS',
    });
  }
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'HPE_INVALID_CONSTANT') {
    return new TransientError(`${about}: the host speaks another protocol (${code})`, {
      hint: 'Check loginUrl and the proxy: is it https or http, and the right port?',
    });
  }
  // `fetch` refuses some addresses itself, such as ports of other services, and gives only words for it.
  const why = code === 'TypeError' ? (cause as Error).message : code;
  return new TransientError(`${about}: the connection broke off (${why})`, {
    hint: 'Check loginUrl, the network and the proxy if this goes on',
  });
}
