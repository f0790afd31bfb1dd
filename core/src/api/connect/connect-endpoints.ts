import type { FastifyReply, FastifyRequest } from 'fastify';
import { SyncError } from '../../base/errors.ts';
import { ConnectRefusedError } from '../../control/orgs/connect-flow.ts';
import type { Orgs } from '../../control/orgs/orgs.ts';
import type { Log } from '../../model/log.ts';
import type { Endpoint } from '../http-server.ts';
import { sendPage } from './page.ts';

export interface ConnectOptions {
  readonly orgs: Pick<Orgs, 'connections' | 'connectFlow' | 'signIn'>;
  readonly log: Log;
  readonly stop: AbortSignal;
}

/**
 * `GET /connect/<connection>`, the link of an invitation, and `/callback` below it, where the org sends its user back. What is shown
 * there is for people who know nothing of us: why an org could not be connected for other reasons stands in the log.
 */
export function connectEndpoints(options: ConnectOptions): Endpoint {
  // The links are secrets: who opens them comes from anywhere.
  const shared = { config: { answersAnyHost: true } };
  return (server) => {
    for (const connection of options.orgs.connections) {
      const url = `/connect/${connection}`;
      server.get(url, shared, (request, reply) => begin(connection, request, reply, options));
      server.get(`${url}/callback`, shared, (request, reply) => finish(connection, request, reply, options));
    }
  };
}

async function begin(connection: string, request: FastifyRequest, reply: FastifyReply, options: ConnectOptions) {
  return answering(connection, reply, options, async () => {
    const redirectUrl = redirectUrlOf(connection, request, options);
    const { location, cookie } = await options.orgs.connectFlow.begin(connection, queryOf(request), redirectUrl);
    // Lax: it has to come along when the org sends its user back.
    const attributes = `Path=/; Max-Age=${cookie.maxAgeSeconds}; HttpOnly; SameSite=Lax${redirectUrl.startsWith('https:') ? '; Secure' : ''}`;
    return reply
      .header('set-cookie', `${cookie.name}=${cookie.value}; ${attributes}`)
      .header('referrer-policy', 'no-referrer')
      .redirect(location, 302);
  });
}

async function finish(connection: string, request: FastifyRequest, reply: FastifyReply, options: ConnectOptions) {
  return answering(connection, reply, options, async () => {
    const redirectUrl = redirectUrlOf(connection, request, options);
    const cookie = (name: string) => cookiesOf(request).get(name);
    const { name } = await options.orgs.connectFlow.finish(connection, queryOf(request), { cookie, redirectUrl }, options.stop);
    return sendPage(reply, {
      status: 200,
      title: 'Your org is connected',
      lines: [`It is connected as ${name}. You can close this window.`],
    });
  });
}

async function answering(
  connection: string,
  reply: FastifyReply,
  { log }: ConnectOptions,
  work: () => Promise<FastifyReply>,
): Promise<FastifyReply> {
  try {
    return await work();
  } catch (error) {
    const title = 'Your org was not connected';
    if (error instanceof ConnectRefusedError) {
      log.info({ connection, reason: error.message }, 'an org was not connected');
      return sendPage(reply, { status: 403, title, lines: [error.message, ...(error.hint === undefined ? [] : [error.hint])] });
    }
    log.warn({ connection, err: error }, 'an org could not be connected');
    const lines = ['This could not be done.', 'Ask whoever sent you the invitation: their log says why.'];
    return sendPage(reply, { status: error instanceof SyncError ? 409 : 500, title, lines });
  }
}

function queryOf(request: FastifyRequest): URLSearchParams {
  return new URL(request.url, 'http://localhost').searchParams;
}

function redirectUrlOf(connection: string, request: FastifyRequest, { orgs }: ConnectOptions): string {
  const { redirectUrl } = orgs.signIn(connection, null);
  return redirectUrl ?? `http://127.0.0.1:${request.socket.localPort}/connect/${connection}/callback`;
}

function cookiesOf({ headers }: FastifyRequest): ReadonlyMap<string, string> {
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim().split('='));
  return new Map(pairs.map(([name = '', ...value]) => [name, value.join('=')]));
}
