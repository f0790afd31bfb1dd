import { type ApiEndpoint, refusals } from './endpoint.ts';
import { me } from './shapes/access.ts';

export const getMe: ApiEndpoint = (api, { version }) => {
  api.get(
    '/me',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Whose token this is, and what answers',
        tags: ['access'],
        response: { 200: me, ...refusals },
      },
    },
    async ({ asker }) => ({ token: asker!, version }),
  );
};
