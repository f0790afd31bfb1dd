import { type ApiEndpoint, refusals } from './endpoint.ts';
import { listOf } from './shapes/common.ts';
import { stream } from './shapes/sync.ts';

export const getStreams: ApiEndpoint = (api, { engine }) => {
  api.get(
    '/streams',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Streams that this process follows',
        tags: ['syncs'],
        response: { 200: listOf(stream), ...refusals },
      },
    },
    async () => engine.liveStatus(),
  );
};
