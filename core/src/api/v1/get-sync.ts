import { type ApiEndpoint, refusals } from './endpoint.ts';
import { knownSync } from './known-sync.ts';
import { syncName } from './shapes/common.ts';
import { syncDetail } from './shapes/sync.ts';

export const getSync: ApiEndpoint = (api, { engine }) => {
  api.get(
    '/syncs/:sync',
    {
      config: { role: 'read' },
      schema: {
        summary: 'One sync: how it stands, what it is made of',
        tags: ['syncs'],
        params: syncName,
        response: { 200: syncDetail, ...refusals },
      },
    },
    async ({ params }) => {
      const name = knownSync(engine, params.sync);
      const [overview] = await engine.overview(name);
      const [status] = await engine.status(name);
      const { checkpoint, waiting, held, stream } = status!;
      return { overview: overview!, outline: engine.outline(name), checkpoint, waiting, held, stream };
    },
  );
};
