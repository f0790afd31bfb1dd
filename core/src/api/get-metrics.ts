import type { Tokens } from '../control/access/tokens.ts';
import { whoAsks } from './access/who-asks.ts';
import type { Endpoint } from './http-server.ts';
import type { Metrics } from './metrics.ts';

/**
 * For Prometheus, in its text format.
 * @param tokens  asks for one, where others than this machine can reach it; null asks nobody
 */
export function getMetrics(metrics: Metrics, tokens: Pick<Tokens, 'check'> | null): Endpoint {
  const guard = tokens === null ? [] : [whoAsks(tokens)];
  return (server) => {
    server.get('/metrics', { onRequest: guard, config: { role: 'read' } }, async (_, reply) => {
      const text = await metrics.text();
      return reply.header('content-type', metrics.contentType).send(text);
    });
  };
}
