import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { whoAsks } from '../access/who-asks.ts';
import type { ApiParts } from './endpoint.ts';
import { refuse } from './refuse.ts';

/** Of one address in a minute: a dashboard asks a few times a second at most, a guesser of tokens is slowed down. */
const REQUESTS_MAX = 1200;

/** Who may ask, how often, what is put on record of it, and how what goes wrong is told: for all that takes a token. */
export async function guard(
  api: Pick<FastifyInstance, 'setErrorHandler' | 'register' | 'addHook'>,
  parts: ApiParts,
): Promise<void> {
  api.setErrorHandler((error: Error, request, reply) => refuse(error, request, reply, parts.log));
  await api.register(rateLimit, { max: REQUESTS_MAX, timeWindow: '1 minute' });
  api.addHook('onRequest', whoAsks(parts.engine.tokens));
  api.addHook('onResponse', async (request, { statusCode }) => record(request, statusCode, parts));
}

/** What changes something is on record, and what was refused to somebody. */
async function record(request: FastifyRequest, status: number, { engine, now, log }: ApiParts): Promise<void> {
  const { method, url, asker, ip } = request;
  if (asker === null || method === 'GET' || method === 'HEAD') return;
  const entry = { atMs: now(), who: `${asker.name} (${asker.id})`, what: `${method} ${url.split('?')[0]}`, status, from: ip };
  await engine.recordAudit(entry).catch((error) => log.error({ err: error, ...entry }, 'this could not be put on record'));
}
