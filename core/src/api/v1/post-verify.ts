import { z } from 'zod';
import { type ApiEndpoint, refusals } from './endpoint.ts';
import { knownSync } from './known-sync.ts';
import { syncName } from './shapes/common.ts';
import { operation } from './shapes/operation.ts';

const body = z.object({ repair: z.boolean().default(false).describe('bring over what differs') }).strict();

export const postVerify: ApiEndpoint = (api, { engine, operations }) => {
  api.post(
    '/syncs/:sync/verify',
    {
      config: { role: 'operate' },
      schema: {
        summary: 'Compare both sides, record by record',
        tags: ['syncs'],
        params: syncName,
        body,
        response: { 202: operation, ...refusals },
      },
    },
    async ({ params, body: { repair } }, reply) => {
      const sync = knownSync(engine, params.sync);
      engine.refuseRun(sync);
      return reply.code(202).send(operations.begin('verify', sync, (work) => engine.verify(sync, { ...work, repair })));
    },
  );
};
