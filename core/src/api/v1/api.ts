import swagger from '@fastify/swagger';
import { createJsonSchemaTransform, serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { dataEndpoints } from '../data/data-endpoints.ts';
import { type Description, describeTables } from '../data/describe-tables.ts';
import type { Endpoint } from '../http-server.ts';
import { configurationEndpoints } from './configuration-endpoints.ts';
import { docsPage } from './docs-page.ts';
import type { Api, ApiEndpoint, ApiParts } from './endpoint.ts';
import { getConflicts } from './get-conflicts.ts';
import { getConnections } from './get-connections.ts';
import { getEvents } from './get-events.ts';
import { getFailures } from './get-failures.ts';
import { getMe } from './get-me.ts';
import { getOperations } from './get-operations.ts';
import { getRecord } from './get-record.ts';
import { getRuns } from './get-runs.ts';
import { getStreams } from './get-streams.ts';
import { getSync } from './get-sync.ts';
import { getSyncs } from './get-syncs.ts';
import { guard } from './guard.ts';
import { orgEndpoints } from './org-endpoints.ts';
import { postConflictsResolve } from './post-conflicts-resolve.ts';
import { postConnectionTest } from './post-connection-test.ts';
import { postFailuresDiscard } from './post-failures-discard.ts';
import { postFailuresRetry } from './post-failures-retry.ts';
import { postPause } from './post-pause.ts';
import { postPlan } from './post-plan.ts';
import { postRefetch } from './post-refetch.ts';
import { postReplay } from './post-replay.ts';
import { postReset } from './post-reset.ts';
import { postRun } from './post-run.ts';
import { postStop } from './post-stop.ts';
import { postVerify } from './post-verify.ts';
import { getAudit, tokenEndpoints } from './token-endpoints.ts';

const endpoints: readonly ApiEndpoint[] = [
  getMe,
  getSyncs,
  getSync,
  postRun,
  postStop,
  postPause,
  postReset,
  postPlan,
  postVerify,
  postRefetch,
  postReplay,
  getStreams,
  getRecord,
  getRuns,
  getFailures,
  postFailuresRetry,
  postFailuresDiscard,
  getConflicts,
  postConflictsResolve,
  getConnections,
  postConnectionTest,
  orgEndpoints,
  configurationEndpoints,
  getOperations,
  getEvents,
  tokenEndpoints,
  getAudit,
];

/** A configuration is the longest that is sent. */
const BODY_BYTES_MAX = 2 * 1024 * 1024;

/** `/api/v1/…` and `/data/…`, their description at `/api/v1/openapi.json`, and a page to read and try it at `/api-docs`. */
export function apiV1(parts: ApiParts): Endpoint {
  return (server) => {
    server.register(async (scope) => {
      await scope.register(swagger, {
        openapi: {
          openapi: '3.1.0',
          info: { title: 'Tidemark', version: parts.version, description: 'Everything that can be asked of a running Tidemark.' },
          components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
          security: [{ token: [] }],
        },
        transform: createJsonSchemaTransform({ skipList: [] }),
      });
      await scope.register(async (api) => addEndpoints(api.withTypeProvider() as Api, parts), { prefix: '/api/v1' });
      await scope.register(async (data) => dataEndpoints(data, parts), { prefix: '/data' });
      // What there is to ask is no secret; it has no script of anybody else's.
      scope.get('/api/v1/openapi.json', { schema: { hide: true } }, async (request) =>
        describeTables(scope.swagger() as Description, request, parts),
      );
      await scope.register(docsPage);
    });
  };
}

async function addEndpoints(api: Api, parts: ApiParts): Promise<void> {
  api.setValidatorCompiler(validatorCompiler);
  api.setSerializerCompiler(serializerCompiler);
  await guard(api, parts);
  api.addHook('onRoute', (route) => {
    route.bodyLimit ??= BODY_BYTES_MAX;
  });
  for (const add of endpoints) add(api, parts);
}
