import type { FastifyInstance } from 'fastify';
import { RequestRefusedError } from '../base/errors.ts';
import { scrub } from '../base/secrets.ts';
import type { Log } from '../model/log.ts';
import { hostGuard, isLoopbackAddress } from './host-guard.ts';

/** A path, and what answers it. One file each. */
export type Endpoint = (server: FastifyInstance) => void;

export interface HttpServerOptions {
  /** Null: this machine only. Whoever names another address opens it to whoever reaches that. */
  readonly host: string | null;
  /** 0 takes a free one. */
  readonly port: number;
  readonly log: Log;
  readonly endpoints: readonly Endpoint[];
}

export interface HttpServer extends AsyncDisposable {
  /** `http://127.0.0.1:4600`. */
  readonly url: string;
}

const LOOPBACK = '127.0.0.1';
/** Nothing that is asked of us is long. */
const BODY_BYTES_MAX = 64 * 1024;
/** A path may hold the key of a row. */
const PARAMETER_MAX = 2000;

/**
 * Answers HTTP until it is disposed. On this machine only, unless told otherwise: what it tells, nobody has to sign in for.
 * @throws {RequestRefusedError} the port is taken, or not ours to take.
 */
export async function startHttpServer({ host, port, log, endpoints }: HttpServerOptions): Promise<HttpServer> {
  // Commands that serve nothing do not wait for it to be loaded.
  const { default: Fastify } = await import('fastify');
  const server: FastifyInstance = Fastify({
    bodyLimit: BODY_BYTES_MAX,
    routerOptions: { maxParamLength: PARAMETER_MAX },
    forceCloseConnections: true,
    return503OnClosing: false,
  });
  const address = host ?? LOOPBACK;
  const isOpen = !isLoopbackAddress(address);
  if (!isOpen) server.addHook('onRequest', hostGuard);
  server.addHook('onSend', async (_, reply) => {
    reply.header('x-content-type-options', 'nosniff');
    // A page that is meant for a browser says more itself.
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
    if (!reply.hasHeader('content-security-policy'))
      reply.header('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
  });
  server.decorateRequest('asker', null);
  server.setNotFoundHandler(async (request, reply) => {
    const message = `there is nothing at ${request.method} ${request.url.split('?')[0]}`;
    return reply.code(404).send({ error: { code: 'not_found', message } });
  });
  server.setErrorHandler(async (error: Error & { statusCode?: number }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) log.error({ path: request.routeOptions.url, err: error }, 'a request could not be answered');
    const message = status >= 500 ? 'this could not be answered; the log says why' : scrub(error.message);
    return reply.code(status).send({ error: { code: status >= 500 ? 'unexpected' : 'bad_request', message } });
  });
  for (const add of endpoints) add(server);
  try {
    const url = await server.listen({ host: address, port });
    if (isOpen) {
      log.warn(
        { url },
        'who reaches this address can try tokens, and read them on their way: let a proxy with TLS stand before it',
      );
    }
    log.info({ url }, 'answering HTTP');
    return { url, [Symbol.asyncDispose]: () => server.close() };
  } catch (error) {
    await server.close();
    throw refusal(error as NodeJS.ErrnoException, address, port);
  }
}

/** Another process has it. */
export class PortTakenError extends RequestRefusedError {}

function refusal(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const at = `${host}:${port}`;
  if (error.code === 'EADDRINUSE') {
    return new PortTakenError(`port ${port} is in use by another process, perhaps a Tidemark that runs already`, {
      cause: error,
      hint: 'name another with --port or http: { port: … }, say --port off to do without, or stop the other process',
    });
  }
  if (error.code === 'EACCES') {
    return new RequestRefusedError(`this user may not listen at ${at}`, {
      cause: error,
      hint: 'name a port above 1023 with --port',
    });
  }
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') {
    return new RequestRefusedError(`${host} is no address of this machine`, {
      cause: error,
      hint: 'leave --host out for this machine only, or name one of its addresses (0.0.0.0 for all of them)',
    });
  }
  return error;
}
