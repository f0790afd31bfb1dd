import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HookConfig } from '../../config/config.ts';
import type { Receipt } from '../../model/inbox.ts';
import { errorOf } from '../error-of.ts';
import { checkSignature, signatureToken } from './hook-auth.ts';
import type { HookEndpointOptions } from './hook-endpoints.ts';
import { refuseUnknown, told } from './hook-replies.ts';
import { readRecords } from './read-records.ts';
import type { RequestRate } from './request-rate.ts';
import { secondsToWait, WAIT_HINT } from './seconds-to-wait.ts';
import { hrefOf } from './tell-receipt.ts';

/** `POST /hooks/<sync>`: keeps what is sent, and answers its receipt, or what became of it where somebody waits for that. */
export async function take(
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
  const wait = secondsToWait(request.query as Record<string, unknown>);
  if (wait === null) return reply.code(400).send(errorOf('bad_request', 'wait takes whole seconds', WAIT_HINT));
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
  reply.header('location', hrefOf(hook, receipt.id));
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
