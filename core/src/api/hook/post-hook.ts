import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SyncError } from '../../base/errors.ts';
import type { HookConfig } from '../../config/config.ts';
import type { Hooks } from '../../control/hooks.ts';
import type { Log } from '../../model/connector.ts';
import type { Receipt } from '../../model/inbox.ts';
import { ANY_HOST } from '../host-guard.ts';
import type { Endpoint } from '../http-server.ts';
import { checkHeaders, checkSignature, signatureToken, type Unknown } from './hook-auth.ts';
import { readRecords } from './read-records.ts';
import { RequestRate } from './request-rate.ts';
import { hrefOf, tellReceipt } from './tell-receipt.ts';

export interface HookEndpointOptions {
  readonly hooks: Pick<Hooks, 'get' | 'names' | 'take' | 'receipt' | 'settled' | 'retried'>;
  readonly now: () => number;
  readonly log: Log;
  /** Nobody is kept waiting when the process is to end. */
  readonly stop: AbortSignal;
}

/** Longest wait for an outcome, in seconds. */
const WAIT_MAX = 60;
/** When to send again what could not be kept, in seconds. */
const RETRY_AFTER = 5;

/**
 * `POST /hooks/<sync>` and `GET /hooks/<sync>/<post>` for each hook. What is answered 202 is kept: whoever got another answer, or
 * none, sends it again (P1).
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
  const shared = { config: ANY_HOST, onRequest: authenticate, exposeHeadRoute: false };
  server.route({
    ...shared,
    method: 'POST',
    url: `/hooks/${name}`,
    bodyLimit: hook.bodyBytesMax,
    onRequest: [authenticate, refuseOtherTypes],
    handler: (request, reply) => take(name, hook, rate, options, request, reply),
  });
  server.route({
    ...shared,
    method: ['GET', 'PUT', 'PATCH', 'DELETE'],
    url: `/hooks/${name}`,
    handler: (_, reply) =>
      reply
        .code(405)
        .header('allow', 'POST')
        .send(errorOf('method_not_allowed', 'this takes POST only', 'send records by POST')),
  });
  server.route({
    ...shared,
    method: 'GET',
    url: `/hooks/${name}/:post`,
    handler: async (request, reply) => {
      // There is no body to sign: the path stands for it.
      const signed = Buffer.from(`GET ${request.url.split('?')[0]}`);
      const unknown = checkSignature(hook.auth, request.headers, signed);
      if (unknown !== null) return refuseUnknown(hook, unknown, reply);
      const receipt = await hooks.receipt(name, (request.params as { post: string }).post);
      if (receipt === null) {
        const hint = 'receipts are kept for seven days';
        return reply.code(404).send(errorOf('not_found', 'there is no receipt of this id', hint));
      }
      return reply.send(await told(name, receipt, options));
    },
  });
}

async function take(
  name: string,
  hook: HookConfig,
  rate: RequestRate | null,
  options: HookEndpointOptions,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { hooks, now, log } = options;
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const unknown = checkSignature(hook.auth, request.headers, body);
  if (unknown !== null) return refuseUnknown(hook, unknown, reply);
  const waitMs = rate?.enter(now()) ?? 0;
  if (waitMs > 0) {
    const { requests, perMs } = hook.rateLimit!;
    const message = `more than ${requests} requests in ${perMs / 1000} s`;
    const seconds = Math.ceil(waitMs / 1000);
    return reply
      .code(429)
      .header('retry-after', seconds)
      .send(errorOf('rate_limited', message, `send it again in ${seconds} s`));
  }
  const wait = waitOf(request.query as Record<string, unknown>);
  if (wait === null) {
    return reply.code(400).send(errorOf('bad_request', 'wait takes whole seconds', `write ?wait=10, ${WAIT_MAX} at most`));
  }
  const key = request.headers['idempotency-key'];
  if (key !== undefined && (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key))) {
    const hint = 'send 1 to 255 visible ASCII characters, or leave it out';
    return reply.code(400).send(errorOf('bad_request', 'Idempotency-Key is not usable', hint));
  }
  const { changes, problems } = readRecords(body, hook);
  if (changes === null) {
    const message = problems.map(({ record, field, message: what }) =>
      [record === null ? '' : `record ${record}`, field, what].filter(Boolean).join(' '),
    )[0]!;
    const code = problems[0]!.record === null ? 'body_invalid' : 'records_invalid';
    return reply.code(422).send({ error: { ...errorOf(code, message, 'nothing of this request was kept').error, problems } });
  }
  const signature = signatureToken(hook.auth, request.headers);
  const tokens = [...(signature === null ? [] : [signature]), ...(key === undefined ? [] : [`key:${key}`])];
  const digest = createHash('sha256').update(body).digest('base64url');
  const { receipt, isNew } = await hooks.take(name, { tokens, digest, changes });
  if (!isNew) {
    if (receipt.digest !== digest) {
      const message = 'this Idempotency-Key came with another body before';
      return reply.code(422).send(errorOf('idempotency_key_reused', message, 'take a new key for each request'));
    }
    reply.header('idempotency-replayed', 'true');
  }
  log.debug({ sync: name, post: receipt.id, records: changes.length, isNew }, 'taken in');
  reply.header('location', hrefOf(name, receipt.id));
  if (wait === 0) return reply.code(202).send(await told(name, receipt, options));
  return answerOutcome(name, receipt, wait, options, reply);
}

/** The answer of the target, if it comes in time. */
async function answerOutcome(
  name: string,
  receipt: Receipt,
  waitSeconds: number,
  options: HookEndpointOptions,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const gone = new AbortController();
  const leave = () => gone.abort();
  reply.raw.once('close', leave);
  const signal = AbortSignal.any([options.stop, gone.signal]);
  const settled = await options.hooks.settled(name, receipt, options.now() + waitSeconds * 1000, signal);
  reply.raw.off('close', leave);
  const post = await told(name, settled, options);
  if (post.status === 'pending') {
    const hint = `it is kept and will be brought on: ask ${post.href}`;
    const message = `there was no outcome within ${waitSeconds} s`;
    return reply.code(504).send({ ...errorOf('outcome_pending', message, hint), ...post });
  }
  if (post.status === 'done') return reply.code(200).send(post);
  const refused = post.records.find(({ status }) => status === 'refused')!;
  const hint = refused.retried
    ? 'it is kept and tried again by itself; a mended one sent by the same key takes its place'
    : undefined;
  return reply.code(422).send({ ...errorOf(refused.error!.code, refused.error!.message, hint), ...post });
}

async function told(name: string, receipt: Receipt, { hooks }: HookEndpointOptions) {
  const isRefused = receipt.outcomes?.some(({ status }) => status === 'refused') ?? false;
  return tellReceipt(name, receipt, isRefused ? await hooks.retried(name, receipt) : new Set());
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

function refuseUnknown({ auth }: HookConfig, { code, message, hint }: Unknown, reply: FastifyReply): FastifyReply {
  if (auth.kind === 'bearer') reply.header('www-authenticate', 'Bearer');
  return reply.code(401).send(errorOf(code, message, hint));
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

/** Null for what is no wait. */
function waitOf({ wait = '0' }: Readonly<Record<string, unknown>>): number | null {
  return typeof wait === 'string' && /^\d{1,2}$/.test(wait) && Number(wait) <= WAIT_MAX ? Number(wait) : null;
}

function errorOf(code: string, message: string, hint: string | undefined) {
  return { error: { code, message, ...(hint !== undefined && { hint }) } };
}
