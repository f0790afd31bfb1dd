import type { FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import {
  AccessDeniedError,
  ConfigError,
  NotConnectedError,
  RateLimitedError,
  RequestRefusedError,
  SchemaChangedError,
  SyncError,
  TransientError,
} from '../../base/errors.ts';
import { scrub } from '../../base/secrets.ts';
import type { Log } from '../../model/log.ts';
import { errorOf } from '../error-of.ts';

/** There is nothing of that name. */
export class NotFoundError extends RequestRefusedError {}

/** What HTTP has a status of its own for. */
export class StatedError extends RequestRefusedError {
  readonly status: number;
  readonly told: string;

  constructor(status: number, told: string, message: string, hint: string) {
    super(message, { hint });
    this.status = status;
    this.told = told;
  }
}

/** An error as HTTP says it: what is wrong, where, and what to do; what nobody has thought of is told to the log alone. */
export function refuse(error: Error & { statusCode?: number }, request: FastifyRequest, reply: FastifyReply, log: Log) {
  if (hasZodFastifySchemaValidationErrors(error)) {
    const [first] = error.validation;
    const where = `${error.validationContext}${first!.instancePath.replaceAll('/', '.')}`;
    return reply.code(400).send(errorOf('bad_request', `${where}: ${first!.message}`, 'see /api-docs for what this takes'));
  }
  if (error instanceof SyncError) {
    if (error instanceof RateLimitedError) reply.header('retry-after', Math.ceil(error.retryAfterMs / 1000));
    const hint = error.hint === undefined ? undefined : scrub(error.hint);
    return reply.code(statusOf(error)).send(errorOf(codeOf(error), scrub(error.message), hint));
  }
  const status = error.statusCode ?? 500;
  if (status < 500)
    return reply
      .code(status)
      .send(errorOf(status === 429 ? 'too_many_requests' : 'bad_request', scrub(error.message), undefined));
  log.error({ path: request.routeOptions.url, err: error }, 'a request could not be answered');
  return reply.code(500).send(errorOf('unexpected', 'this could not be answered; the log says why', undefined));
}

function codeOf(error: SyncError): string {
  if (error instanceof StatedError) return error.told;
  return error instanceof NotFoundError ? 'not_found' : error.code;
}

function statusOf(error: SyncError): number {
  if (error instanceof StatedError) return error.status;
  if (error instanceof NotFoundError) return 404;
  if (error instanceof RateLimitedError) return 429;
  if (error instanceof RequestRefusedError || error instanceof ConfigError) return 422;
  // Of another system, not of whoever asks us.
  if (error instanceof AccessDeniedError) return 502;
  if (error instanceof NotConnectedError || error instanceof TransientError || error instanceof SchemaChangedError) return 503;
  return 500;
}
