import { z } from 'zod';
import { type ApiEndpoint, refusals } from './endpoint.ts';
import { knownSync } from './known-sync.ts';
import { storeIds } from './shapes/common.ts';
import { operation } from './shapes/operation.ts';

const body = z.object({ sync: z.string(), ids: storeIds.optional().describe('all of the sync where absent') }).strict();

export const postFailuresRetry: ApiEndpoint = (api, { engine, operations }) => {
  api.post(
    '/failures/retry',
    {
      config: { role: 'operate' },
      schema: { summary: 'Try failing records again, now', tags: ['failures'], body, response: { 202: operation, ...refusals } },
    },
    async ({ body: { sync: name, ids } }, reply) => {
      const sync = knownSync(engine, name);
      const begun = operations.begin('retry', sync, (work) => engine.retry(sync, { ...work, ...(ids !== undefined && { ids }) }));
      return reply.code(202).send(begun);
    },
  );
};
