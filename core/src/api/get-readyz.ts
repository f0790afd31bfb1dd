import type { Endpoint } from './http-server.ts';

export interface Readiness {
  /** Why it does not do its work at this time, if so. A stream that is down is none: its syncs are polled. */
  reasons(): Promise<readonly string[]>;
}

/** Whether syncs are run: not before everything is set up, not while it stops, not without the store. */
export function getReadyz(readiness: Readiness): Endpoint {
  return (server) => {
    server.get('/readyz', async (_, reply) => {
      const reasons = await readiness.reasons();
      return reply.code(reasons.length === 0 ? 200 : 503).send({ status: reasons.length === 0 ? 'ready' : 'not ready', reasons });
    });
  };
}
