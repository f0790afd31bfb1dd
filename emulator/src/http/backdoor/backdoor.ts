import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sameSecret } from '../../auth/identity.ts';
import { SalesforceError } from '../../org/types.ts';
import type { EmulatorContext } from '../context.ts';
import { bodyBytes } from '../request-body.ts';
import { automationRoutes } from './automation.ts';
import { clockRoutes } from './clock.ts';
import { duplicateRuleRoutes } from './duplicate-rules.ts';
import { eventRoutes } from './events.ts';
import { faultRoutes } from './faults.ts';
import { ingestRoutes } from './ingest.ts';
import { permissionRoutes } from './permissions.ts';
import { pubsubRoutes } from './pubsub.ts';
import { recordRoutes } from './records.ts';
import { requestRoutes } from './requests.ts';
import { schemaRoutes } from './schema.ts';
import { sessionRoutes } from './sessions.ts';
import { transactionRoutes } from './transactions.ts';
import { userRoutes } from './users.ts';

export interface BackdoorRequest {
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
  body: Readonly<Record<string, unknown>>;
}

export interface BackdoorRoute {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  answer: (request: BackdoorRequest, context: EmulatorContext) => unknown;
}

const routes: readonly BackdoorRoute[] = [
  ...automationRoutes,
  ...clockRoutes,
  ...duplicateRuleRoutes,
  ...eventRoutes,
  ...faultRoutes,
  ...ingestRoutes,
  ...permissionRoutes,
  ...pubsubRoutes,
  ...recordRoutes,
  ...requestRoutes,
  ...schemaRoutes,
  ...sessionRoutes,
  ...transactionRoutes,
  ...userRoutes,
];

/**
 * What a test may do to the org that no client of Salesforce can: move time, break things, write without limits. Only
 * from this machine, and only with the secret in the URL.
 */
export function addBackdoor(app: FastifyInstance, context: EmulatorContext): void {
  for (const route of routes) {
    app.route({
      method: route.method,
      url: `/__backdoor/:secret${route.path}`,
      handler: (request, reply) => answer(route, request, reply, context),
    });
  }
}

async function answer(
  route: BackdoorRoute,
  request: FastifyRequest,
  reply: FastifyReply,
  context: EmulatorContext,
): Promise<unknown> {
  const { secret = '', ...params } = request.params as Record<string, string>;
  if (!isLoopback(request.ip) || !sameSecret(secret, context.backdoorSecret)) return reply.code(404).send({ error: 'not found' });
  try {
    const query = new URLSearchParams(request.url.split('?')[1] ?? '');
    return reply.send((await route.answer({ params, query, body: readBody(request) }, context)) ?? {});
  } catch (error) {
    // A refused write or a misspelt request is the caller's to mend; anything else is a bug, and Fastify answers 500.
    if (error instanceof SalesforceError) return reply.code(400).send({ error: error.errorCode, message: error.message });
    if (error instanceof TypeError || error instanceof SyntaxError || error instanceof RangeError) {
      return reply.code(400).send({ error: 'invalid_request', message: error.message });
    }
    throw error;
  }
}

function readBody(request: FastifyRequest): Record<string, unknown> {
  const text = bodyBytes(request).toString();
  const body: unknown = text === '' ? {} : JSON.parse(text);
  if (body === null || typeof body !== 'object' || Array.isArray(body)) throw new TypeError('the body must be a JSON object');
  return body as Record<string, unknown>;
}

const isLoopback = (address: string) => /^(::ffff:)?127\.|^::1$/.test(address);
