import { z } from 'zod';
import { type ApiEndpoint, refusals } from './endpoint.ts';
import { knownSync } from './known-sync.ts';
import { instant, syncName } from './shapes/common.ts';
import { operation } from './shapes/operation.ts';

const bound = z
  .union([z.object({ ms: instant }).strict(), z.object({ replayId: z.string().min(1).max(200) }).strict()])
  .nullable()
  .default(null);
const body = z
  .object({ from: bound, to: bound, dryRun: z.boolean().default(false).describe('read and count, write nothing') })
  .strict();

export const postReplay: ApiEndpoint = (api, { engine, operations }) => {
  api.post(
    '/syncs/:sync/replay',
    {
      config: { role: 'operate' },
      schema: {
        summary: 'Apply kept events again, under the mapping as it is now',
        tags: ['syncs'],
        params: syncName,
        body,
        response: { 202: operation, ...refusals },
      },
    },
    async ({ params, body: { from, to, dryRun } }, reply) => {
      const sync = knownSync(engine, params.sync);
      const range = { from: boundOf(from), to: boundOf(to) };
      const begun = operations.begin('replay', sync, (work) =>
        dryRun ? engine.dryReplay(sync, { ...work, range }) : engine.replay(sync, { ...work, range }),
      );
      return reply.code(202).send(begun);
    },
  );
};

function boundOf(given: z.infer<typeof bound>) {
  if (given === null) return null;
  return 'ms' in given ? ({ kind: 'time', ms: given.ms } as const) : ({ kind: 'event', replayId: given.replayId } as const);
}
