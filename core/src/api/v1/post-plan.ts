import { type ApiEndpoint, refusals } from './endpoint.ts';
import { knownSync } from './known-sync.ts';
import { syncName } from './shapes/common.ts';
import { operation } from './shapes/operation.ts';

export const postPlan: ApiEndpoint = (api, { engine, operations }) => {
  api.post(
    '/syncs/:sync/plan',
    {
      config: { role: 'read' },
      schema: {
        summary: 'What its next run would read, cost and change in the schema; writes nothing',
        tags: ['syncs'],
        params: syncName,
        response: { 202: operation, ...refusals },
      },
    },
    async ({ params }, reply) => {
      const sync = knownSync(engine, params.sync);
      const planned = operations.begin('plan', sync, async ({ stop }) => (await engine.plan(sync, stop))[0]);
      return reply.code(202).send(planned);
    },
  );
};
