import { z } from 'zod';
import { type ApiEndpoint, refusals } from './endpoint.ts';
import { auditEntry, role, token } from './shapes/access.ts';
import { done, limit, listOf } from './shapes/common.ts';

const tags = ['access'];
const config = { role: 'admin' } as const;

export const tokenEndpoints: ApiEndpoint = (api, { engine: { tokens } }) => {
  api.get('/tokens', { config, schema: { summary: 'Who may ask', tags, response: { 200: listOf(token), ...refusals } } }, () =>
    tokens.list(),
  );
  api.post(
    '/tokens',
    {
      config,
      schema: {
        summary: 'Make a token. It is told here, and never again',
        tags,
        body: z.object({ name: z.string(), role }).strict(),
        response: { 201: z.object({ token: z.string(), issued: token }), ...refusals },
      },
    },
    async ({ body }, reply) => reply.code(201).send(await tokens.issue(body.name, body.role)),
  );
  api.delete(
    '/tokens/:id',
    {
      config,
      schema: {
        summary: 'Take a token back',
        tags,
        params: z.object({ id: z.string().max(100) }),
        response: { 200: done, ...refusals },
      },
    },
    async ({ params }) => {
      await tokens.revoke(params.id);
      return { done: true as const };
    },
  );
};

export const getAudit: ApiEndpoint = (api, { engine }) => {
  api.get(
    '/audit',
    {
      config,
      schema: {
        summary: 'What was asked for that changes something, the newest first',
        tags,
        querystring: z.object({ limit }),
        response: { 200: listOf(auditEntry), ...refusals },
      },
    },
    ({ query }) => engine.audit({ limit: query.limit }),
  );
};
