import { z } from 'zod';
import { type ApiEndpoint, refusals } from './endpoint.ts';
import { NotFoundError } from './refuse.ts';
import { storeIds } from './shapes/common.ts';
import { operation } from './shapes/operation.ts';
import { choice } from './shapes/record.ts';

const body = z.object({ ids: storeIds, choice }).strict();

export const postConflictsResolve: ApiEndpoint = (api, { engine, operations }) => {
  api.post(
    '/conflicts/resolve',
    {
      config: { role: 'operate' },
      schema: {
        summary: 'Decide open conflicts: both sides get what is chosen',
        tags: ['conflicts'],
        body,
        response: { 202: operation, ...refusals },
      },
    },
    async ({ body: { ids, choice: chosen } }, reply) => {
      const [first] = await engine.conflicts({ ids });
      if (first === undefined) throw new NotFoundError(`there is no conflict ${ids.join(', ')}`);
      const begun = operations.begin('resolve', first.sync, (work) => engine.resolveConflicts(ids, chosen, work));
      return reply.code(202).send(begun);
    },
  );
};
