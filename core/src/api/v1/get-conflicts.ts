import { z } from 'zod';
import { type ApiEndpoint, refusals } from './endpoint.ts';
import { limit, listOf, storeId } from './shapes/common.ts';
import { conflict } from './shapes/record.ts';

const querystring = z.object({
  sync: z.string().optional(),
  state: z.enum(['open', 'settled']).optional(),
  before: storeId.optional().describe('id of a conflict: only older ones'),
  limit,
});

export const getConflicts: ApiEndpoint = (api, { engine }) => {
  api.get(
    '/conflicts',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Where the sides of two-way syncs disagreed, the newest first',
        tags: ['conflicts'],
        querystring,
        response: { 200: listOf(conflict), ...refusals },
      },
    },
    ({ query: { sync, state, before, limit: most } }) =>
      engine.conflicts({
        limit: most,
        ...(sync !== undefined && { sync }),
        ...(state !== undefined && { state }),
        ...(before !== undefined && { before }),
      }),
  );
};
