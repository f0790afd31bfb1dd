import { z } from 'zod';
import { remedyOf } from '../../control/remedy.ts';
import { type ApiEndpoint, refusals } from './endpoint.ts';
import { limit, listOf, storeId } from './shapes/common.ts';
import { failure } from './shapes/record.ts';

const querystring = z.object({
  sync: z.string().optional(),
  after: storeId.optional().describe('id of a failure, or 0: those after it, in the order of their ids'),
  limit,
});

export const getFailures: ApiEndpoint = (api, { engine }) => {
  api.get(
    '/failures',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Records that a target refused, those that are tried next first; page by page with after',
        tags: ['failures'],
        querystring,
        response: { 200: listOf(failure), ...refusals },
      },
    },
    async ({ query: { sync, after, limit: most } }) => {
      const failures = await engine.failures({
        limit: most,
        ...(sync !== undefined && { sync }),
        ...(after !== undefined && { afterId: after }),
      });
      return failures.map((each) => ({ ...each, remedy: remedyOf(each) }));
    },
  );
};
