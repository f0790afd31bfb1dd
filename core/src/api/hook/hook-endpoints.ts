import type { FastifyReply, FastifyRequest } from 'fastify';
import { SyncError } from '../../base/errors.ts';
import type { Hooks } from '../../control/hooks.ts';
import type { Log } from '../../model/log.ts';
import { errorOf } from '../error-of.ts';
import type { Endpoint } from '../http-server.ts';
import type { Metrics } from '../metrics.ts';
import { answerReceipt } from './get-hook-post.ts';
import { checkHeaders } from './hook-auth.ts';
import { refuseUnknown } from './hook-replies.ts';
import { take } from './post-hook.ts';
import { RequestRate } from './request-rate.ts';

export interface HookEndpointOptions {
  readonly hooks: Pick<Hooks, 'get' | 'names' | 'take' | 'receipt' | 'settled' | 'retried'>;
  readonly now: () => number;
  readonly log: Log;
  /** Nobody is kept waiting when the process is to end. */
  readonly stop: AbortSignal;
  readonly metrics: Pick<Metrics, 'answered'>;
}

/** When to send again what could not be kept, in seconds. */
const RETRY_AFTER = 5;

/**
 * `POST /hooks/<sync>` and `GET /hooks/<sync>/<post>` for each hook, or the path that it is given. What is answered 202 is kept:
 * whoever got another answer, or none, sends it again (P1).
 */
export function hookEndpoints(options: HookEndpointOptions): Endpoint {
  return (server) => {
    for (const name of options.hooks.names()) {
      server.register(async (scope) => {
        // A signature is over bytes, not over what they mean.
        scope.removeAllContentTypeParsers();
        scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body));
        scope.setErrorHandler(async (error: Error & { statusCode?: number }, _, reply) =>
          refuseBody(error, name, options, reply),
        );
        scope.addHook('onResponse', async (_, reply) => options.metrics.answered(name, reply.statusCode));
        addHook(scope, name, options);
      });
    }
  };
}

function addHook(server: Parameters<Endpoint>[0], name: string, options: HookEndpointOptions): void {
  const { hooks, now } = options;
  const hook = hooks.get(name)!;
  const rate = hook.rateLimit === null ? null : new RequestRate(hook.rateLimit);
  const authenticate = async ({ headers }: FastifyRequest, reply: FastifyReply) => {
    const unknown = checkHeaders(hook.auth, headers, now());
    return unknown === null ? undefined : refuseUnknown(hook, unknown, reply);
  };
  const shared = { config: { answersAnyHost: true }, onRequest: authenticate, exposeHeadRoute: false };
  server.route({
    ...shared,
    method: 'POST',
    url: hook.path,
    bodyLimit: hook.bodyBytesMax,
    onRequest: [authenticate, refuseOtherTypes],
    handler: (request, reply) => take(name, hook, rate, options, request, reply),
  });
  server.route({
    ...shared,
    method: ['GET', 'PUT', 'PATCH', 'DELETE'],
    url: hook.path,
    handler: (_, reply) =>
      reply
        .code(405)
        .header('allow', 'POST')
        .send(errorOf('method_not_allowed', 'this takes POST only', 'send records by POST')),
  });
  server.route({
    ...shared,
    method: 'GET',
    url: `${hook.path}/:post`,
    handler: (request, reply) => answerReceipt(name, hook, options, request, reply),
  });
}

/** JSON alone is understood, and a browser sends no page's form as JSON without asking first. */
async function refuseOtherTypes({ headers }: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  const type = headers['content-type'] ?? '';
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
    return reply.code(415).send(errorOf('unsupported_media_type', 'a compressed body is not understood', 'send it as it is'));
  }
  if (/^application\/(?:[\w.+-]+\+)?json *(?:; *charset="?utf-8"? *)?$/i.test(type)) return undefined;
  const message = type === '' ? 'the header Content-Type is missing' : 'the body is of a type that is not understood';
  return reply.code(415).send(errorOf('unsupported_media_type', message, 'send Content-Type: application/json, in UTF-8'));
}

async function refuseBody(
  error: Error & { statusCode?: number },
  name: string,
  { hooks, log }: HookEndpointOptions,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (error.statusCode === 413) {
    const message = `the body is larger than the ${hooks.get(name)!.bodyBytesMax} bytes that this hook takes`;
    return reply.code(413).send(errorOf('body_too_large', message, 'send fewer records in a request, or raise bodyMax'));
  }
  if (error.statusCode !== undefined && error.statusCode < 500) {
    return reply.code(error.statusCode).send(errorOf('bad_request', 'the request is not understood', undefined));
  }
  log.error({ sync: name, err: error }, 'what was sent to a hook could not be kept');
  const isPassing = error instanceof SyncError;
  return reply
    .code(isPassing ? 503 : 500)
    .header('retry-after', RETRY_AFTER)
    .send(errorOf('not_kept', 'this could not be kept; the log says why', 'send it again, with the same Idempotency-Key'));
}
