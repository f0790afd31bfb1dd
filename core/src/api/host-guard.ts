import type { FastifyReply, FastifyRequest } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Nobody gets there without a secret, so that a proxy on this machine may pass it on under its own name. */
    answersAnyHost?: boolean;
  }
}

/**
 * A page of somebody else's, open in a browser of this machine, can have its own host name point here (DNS rebinding) and then read
 * what we answer. Its requests name that host: only names of this machine are answered.
 */
export async function hostGuard(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (request.routeOptions.config.answersAnyHost === true || isLoopbackHost(request.headers.host)) return;
  const message = 'this answers requests to localhost only';
  await reply
    .code(403)
    .send({ error: { code: 'host_refused', message, hint: 'name an address with --host to be reached by others' } });
}

/** The `Host` header: a name or address, and perhaps a port. */
export function isLoopbackHost(host: string | undefined): boolean {
  const name = /^(\[[^\]]*\]|[^:]*)(?::\d{1,5})?$/.exec(host ?? '')?.[1];
  return name !== undefined && isLoopbackAddress(name);
}

export function isLoopbackAddress(address: string): boolean {
  const name = address.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127(?:\.\d{1,3}){3}$/.test(name);
}
