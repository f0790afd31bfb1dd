import { z } from 'zod';
import { type ApiEndpoint, refusals } from './endpoint.ts';
import { listOf } from './shapes/common.ts';
import { operation } from './shapes/operation.ts';

const params = z.object({ id: z.uuid() });

export const getOperations: ApiEndpoint = (api, { operations }) => {
  api.get(
    '/operations',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Work that was asked for, the newest first',
        tags: ['operations'],
        querystring: z.object({ sync: z.string().optional() }),
        response: { 200: listOf(operation), ...refusals },
      },
    },
    async ({ query: { sync } }) => operations.list(sync),
  );
  api.get(
    '/operations/:id',
    {
      config: { role: 'read' },
      schema: {
        summary: 'How far it has come, and what came of it',
        tags: ['operations'],
        params,
        response: { 200: operation, ...refusals },
      },
    },
    async ({ params: { id } }) => operations.get(id),
  );
};
