import { type ApiEndpoint, refusals } from './endpoint.ts';
import { listOf } from './shapes/common.ts';
import { syncOverview } from './shapes/sync.ts';

export const getSyncs: ApiEndpoint = (api, { engine }) => {
  api.get(
    '/syncs',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Every sync in a line',
        tags: ['syncs'],
        response: { 200: listOf(syncOverview), ...refusals },
      },
    },
    () => engine.overview(),
  );
};
