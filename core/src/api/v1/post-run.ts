import { z } from 'zod';
import { type ApiEndpoint, refusals } from './endpoint.ts';
import { knownSync } from './known-sync.ts';
import { syncName } from './shapes/common.ts';
import { operation } from './shapes/operation.ts';

const body = z.object({ full: z.boolean().default(false).describe('read everything, whatever the watermark says') }).strict();

/** Run Now and Full Run (004-8). */
export const postRun: ApiEndpoint = (api, { engine, operations }) => {
  api.post(
    '/syncs/:sync/runs',
    {
      config: { role: 'operate' },
      schema: {
        summary: 'Run it now, for what changed or for everything',
        tags: ['syncs'],
        params: syncName,
        body,
        response: { 202: operation, ...refusals },
      },
    },
    async ({ params, body: { full } }, reply) => {
      const sync = knownSync(engine, params.sync);
      engine.refuseRun(sync);
      return reply.code(202).send(operations.begin('run', sync, (work) => engine.run(sync, { ...work, full })));
    },
  );
};
