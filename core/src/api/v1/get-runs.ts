import { z } from 'zod';
import { type ApiEndpoint, refusals } from './endpoint.ts';
import { NotFoundError } from './refuse.ts';
import { limit, listOf, storeId } from './shapes/common.ts';
import { run } from './shapes/sync.ts';

const querystring = z.object({
  sync: z.string().optional(),
  before: storeId.optional().describe('id of a run: only older ones'),
  limit,
});

export const getRuns: ApiEndpoint = (api, { engine }) => {
  api.get(
    '/runs',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Runs, the newest first',
        tags: ['runs'],
        querystring,
        response: { 200: listOf(run), ...refusals },
      },
    },
    ({ query: { sync, before, limit: most } }) =>
      engine.runs({ limit: most, ...(sync !== undefined && { sync }), ...(before !== undefined && { before }) }),
  );
  api.get(
    '/runs/:id',
    {
      config: { role: 'read' },
      schema: {
        summary: 'One run, by its id',
        tags: ['runs'],
        params: z.object({ id: storeId }),
        response: { 200: run, ...refusals },
      },
    },
    async ({ params: { id } }) => {
      const found = await engine.runById(id);
      if (found === null) throw new NotFoundError(`there is no run ${id}`, { hint: 'runs are forgotten after 30 days' });
      return found;
    },
  );
};
