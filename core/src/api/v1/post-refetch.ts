import { z } from 'zod';
import { type ApiEndpoint, refusals } from './endpoint.ts';
import { knownSync } from './known-sync.ts';
import { syncName } from './shapes/common.ts';
import { operation } from './shapes/operation.ts';

const body = z.object({ keys: z.array(z.string().min(1).max(1000)).min(1).max(1000) }).strict();

export const postRefetch: ApiEndpoint = (api, { engine, operations }) => {
  api.post(
    '/syncs/:sync/refetch',
    {
      config: { role: 'operate' },
      schema: {
        summary: 'Read these records again, and write them',
        tags: ['syncs'],
        params: syncName,
        body,
        response: { 202: operation, ...refusals },
      },
    },
    async ({ params, body: { keys } }, reply) => {
      const sync = knownSync(engine, params.sync);
      engine.refuseRun(sync);
      return reply.code(202).send(operations.begin('refetch', sync, (work) => engine.refetch(sync, keys, work)));
    },
  );
};
