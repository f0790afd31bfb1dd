import { type ApiEndpoint, refusals } from './endpoint.ts';
import { knownSync } from './known-sync.ts';
import { done, syncName } from './shapes/common.ts';

export const postReset: ApiEndpoint = (api, { engine, stop }) => {
  api.post(
    '/syncs/:sync/reset',
    {
      config: { role: 'admin' },
      schema: {
        summary: 'Forget how far it has come: its next run is full. Records and failures stay',
        tags: ['syncs'],
        params: syncName,
        response: { 200: done, ...refusals },
      },
    },
    async ({ params }) => {
      await engine.reset(knownSync(engine, params.sync), stop);
      return { done: true as const };
    },
  );
};
