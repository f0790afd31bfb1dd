import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HookConfig } from '../../config/config.ts';
import { errorOf } from '../error-of.ts';
import { checkSignature } from './hook-auth.ts';
import type { HookEndpointOptions } from './hook-endpoints.ts';
import { refuseUnknown, told } from './hook-replies.ts';

/** `GET /hooks/<sync>/<post>`: what became of a post, for whoever may send. */
export async function answerReceipt(
  name: string,
  hook: HookConfig,
  { hooks }: HookEndpointOptions,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  // There is no body to sign: the path stands for it.
  const signed = Buffer.from(`GET ${request.url.split('?')[0]}`);
  const unknown = checkSignature(hook.auth, request.headers, signed);
  if (unknown !== null) return refuseUnknown(hook, unknown, reply);
  const receipt = await hooks.receipt(name, (request.params as { post: string }).post);
  if (receipt === null) {
    const hint = 'receipts are kept for seven days';
    return reply.code(404).send(errorOf('not_found', 'there is no receipt of this id', hint));
  }
  return reply.send(await told(name, receipt, { hooks }));
}
