import { z } from 'zod';
import { type ApiEndpoint, refusals } from './endpoint.ts';
import { done, listOf } from './shapes/common.ts';
import { org } from './shapes/org.ts';

const tags = ['orgs'];
const params = z.object({ connection: z.string().min(1).max(200), org: z.string().min(1).max(200) });

/** The many orgs that a connection may stand for. */
export const orgEndpoints: ApiEndpoint = (api, { engine }) => {
  api.get(
    '/orgs',
    {
      config: { role: 'read' },
      schema: { summary: 'Orgs that are connected, and how their syncs fare', tags, response: { 200: listOf(org), ...refusals } },
    },
    () => engine.orgHealth(),
  );
  for (const [word, paused, summary] of [
    ['pause', true, 'No sync of this org runs until it is resumed'],
    ['resume', false, 'Its syncs go on where they were paused'],
  ] as const) {
    api.post(
      `/orgs/:connection/:org/${word}`,
      { config: { role: 'operate' }, schema: { summary, tags, params, response: { 200: done, ...refusals } } },
      async ({ params: { connection, org: name } }) => {
        await engine.orgs.setPaused({ connection, name }, paused);
        return { done: true as const };
      },
    );
  }
};
