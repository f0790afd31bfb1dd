import type { FastifyReply } from 'fastify';
import type { HookConfig } from '../../config/config.ts';
import type { Receipt } from '../../model/inbox.ts';
import { errorOf } from '../error-of.ts';
import type { Unknown } from './hook-auth.ts';
import type { HookEndpointOptions } from './hook-endpoints.ts';
import { type ToldPost, tellReceipt } from './tell-receipt.ts';

export function refuseUnknown({ auth }: HookConfig, { code, message, hint }: Unknown, reply: FastifyReply): FastifyReply {
  if (auth.kind === 'bearer') reply.header('www-authenticate', 'Bearer');
  return reply.code(401).send(errorOf(code, message, hint));
}

export async function told(name: string, receipt: Receipt, { hooks }: Pick<HookEndpointOptions, 'hooks'>): Promise<ToldPost> {
  const isRefused = receipt.outcomes?.some(({ status }) => status === 'refused') ?? false;
  return tellReceipt(hooks.get(name)!, receipt, isRefused ? await hooks.retried(name, receipt) : new Set());
}
