import type { Endpoint } from './http-server.ts';
import type { Metrics } from './metrics.ts';

/** For Prometheus, in its text format. */
export function getMetrics(metrics: Metrics): Endpoint {
  return (server) => {
    server.get('/metrics', async (_, reply) => {
      const text = await metrics.text();
      return reply.header('content-type', metrics.contentType).send(text);
    });
  };
}
