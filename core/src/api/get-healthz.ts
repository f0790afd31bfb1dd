import type { Endpoint } from './http-server.ts';

/** The process is there and answers: who gets no answer may start it anew. Says nothing of the systems that it connects. */
export const getHealthz: Endpoint = (server) => {
  server.get('/healthz', async () => ({ status: 'ok' }));
};
