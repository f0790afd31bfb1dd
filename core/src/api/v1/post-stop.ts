import { z } from 'zod';
import { type ApiEndpoint, refusals } from './endpoint.ts';
import { knownSync } from './known-sync.ts';
import { syncName } from './shapes/common.ts';

export const postStop: ApiEndpoint = (api, { engine }) => {
  api.post(
    '/syncs/:sync/stop',
    {
      config: { role: 'operate' },
      schema: {
        summary: 'Have the run that is under way end after its batch; what it has written stays',
        tags: ['syncs'],
        params: syncName,
        response: { 200: z.object({ stopping: z.boolean().describe('false: nothing was under way here') }), ...refusals },
      },
    },
    async ({ params }) => ({ stopping: engine.stopRun(knownSync(engine, params.sync)) }),
  );
};
