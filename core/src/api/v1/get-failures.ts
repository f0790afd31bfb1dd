import { z } from 'zod';
import { remedyOf } from '../../control/remedy.ts';
import { type ApiEndpoint, refusals } from './endpoint.ts';
import { limit, listOf } from './shapes/common.ts';
import { failure } from './shapes/record.ts';

const querystring = z.object({ sync: z.string().optional(), limit });

export const getFailures: ApiEndpoint = (api, { engine }) => {
  api.get(
    '/failures',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Records that a target refused, those that are tried next first',
        tags: ['failures'],
        querystring,
        response: { 200: listOf(failure), ...refusals },
      },
    },
    async ({ query: { sync, limit: most } }) => {
      const failures = await engine.failures({ limit: most, ...(sync !== undefined && { sync }) });
      return failures.map((each) => ({ ...each, remedy: remedyOf(each) }));
    },
  );
};
