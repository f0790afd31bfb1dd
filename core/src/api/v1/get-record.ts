import { z } from 'zod';
import { type ApiEndpoint, refusals } from './endpoint.ts';
import { knownSync } from './known-sync.ts';
import { syncName } from './shapes/common.ts';
import { record } from './shapes/record.ts';

export const getRecord: ApiEndpoint = (api, { engine, stop }) => {
  api.get(
    '/syncs/:sync/records/:key',
    {
      config: { role: 'read' },
      schema: {
        summary: 'One record as both sides hold it now, and what has happened to it as far as that is kept',
        tags: ['syncs'],
        params: syncName.extend({ key: z.string().min(1).max(1000) }),
        response: { 200: record, ...refusals },
      },
    },
    ({ params: { sync, key } }) => engine.record(knownSync(engine, sync), key, stop),
  );
};
