import { z } from 'zod';
import { type ApiEndpoint, refusals } from './endpoint.ts';
import { NotFoundError } from './refuse.ts';
import { listOf, problem } from './shapes/common.ts';

const verdict = z.object({ ok: z.boolean(), problems: listOf(problem) });

/** Test Connection (000-7). */
export const postConnectionTest: ApiEndpoint = (api, { engine, configuration }) => {
  api.post(
    '/connections/:connection/test',
    {
      config: { role: 'operate' },
      schema: {
        summary: 'Sign in, and see what is missing',
        tags: ['connections'],
        params: z.object({ connection: z.string().min(1).max(200) }),
        response: { 200: verdict, ...refusals },
      },
    },
    async ({ params: { connection } }) => {
      if (!engine.config.connections.has(connection)) throw new NotFoundError(`there is no connection ${connection}`);
      const problems = await engine.testConnection(connection);
      return { ok: problems.every(({ severity }) => severity !== 'error'), problems };
    },
  );
  api.post(
    '/connections/test',
    {
      config: { role: 'admin' },
      schema: {
        summary: 'The same of a connection as another configuration says it, before that is taken over',
        tags: ['connections'],
        body: z.object({ text: z.string().max(1_000_000).describe('YAML'), connection: z.string() }).strict(),
        response: { 200: verdict, ...refusals },
      },
    },
    async ({ body: { text, connection } }) => {
      const problems = await engine.testConnection(connection, configuration.parse(text));
      return { ok: problems.every(({ severity }) => severity !== 'error'), problems };
    },
  );
};
