import { type ApiEndpoint, refusals } from './endpoint.ts';
import { knownSync } from './known-sync.ts';
import { done, syncName } from './shapes/common.ts';

/** `pause` and `resume`. */
export const postPause: ApiEndpoint = (api, { engine }) => {
  for (const [word, paused, summary] of [
    ['pause', true, 'No run of its schedule and nothing of its stream until it is resumed'],
    ['resume', false, 'Go on where it was paused'],
  ] as const) {
    api.post(
      `/syncs/:sync/${word}`,
      {
        config: { role: 'operate' },
        schema: { summary, tags: ['syncs'], params: syncName, response: { 200: done, ...refusals } },
      },
      async ({ params }) => {
        await engine.setPaused(knownSync(engine, params.sync), paused);
        return { done: true as const };
      },
    );
  }
};
