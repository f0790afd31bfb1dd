import { z } from 'zod';
import { type ApiEndpoint, refusals } from './endpoint.ts';
import { done, storeIds } from './shapes/common.ts';

const body = z.object({ ids: storeIds }).strict();

export const postFailuresDiscard: ApiEndpoint = (api, { engine }) => {
  api.post(
    '/failures/discard',
    {
      config: { role: 'operate' },
      schema: {
        summary: 'Give failing records up: the target keeps what it has of them until they change again',
        tags: ['failures'],
        body,
        response: { 200: done, ...refusals },
      },
    },
    async ({ body: { ids } }) => {
      await engine.discardFailures(ids);
      return { done: true as const };
    },
  );
};
