import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { EmulatorContext } from '../http/context.ts';
import { bearerToken, type Exchange, exchange } from '../http/exchange.ts';
import { type Outgoing, textReply } from '../http/outgoing.ts';
import { versionMax } from '../http/versions.ts';

/** The oldest version whose clients can replay at this address, and so the oldest that is served. */
const versionMin = 37;

/** `/cometd/62.0`; `/cometd/replay/36.0` is what replay was called for one release. */
export function addCometdSurface(app: FastifyInstance, context: EmulatorContext): void {
  for (const url of ['/cometd', '/cometd/', '/cometd/:version', '/cometd/:version/', '/cometd/replay/:version']) {
    const isReplay = url.startsWith('/cometd/replay');
    app.post(url, (request, reply) => exchange(request, reply, context, (incoming) => answer(incoming, context, isReplay)));
  }
}

async function answer(
  { request, reply, entry }: Exchange,
  context: EmulatorContext,
  isReplay: boolean,
): Promise<Outgoing | 'drop'> {
  entry.kind = 'cometd';
  const apiVersion = versionOf(request, isReplay);
  if (typeof apiVersion === 'string') return textReply(400, 'text/plain;charset=UTF-8', apiVersion);
  if (reply.raw.destroyed) return 'drop';
  const answered = await context.streaming.answer({
    apiVersion,
    token: bearerToken(request),
    cookie: request.headers.cookie,
    body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
    onKind: (kind) => {
      entry.kind = kind;
    },
    onHangUp: (listener) => reply.raw.once('close', () => reply.raw.writableFinished || listener()),
  });
  if (answered === 'gone') return 'drop';
  if (answered.setCookies.length > 0) reply.header('Set-Cookie', answered.setCookies);
  const isJson = answered.body.startsWith('[');
  return textReply(answered.status, isJson ? 'application/json;charset=UTF-8' : 'text/plain;charset=UTF-8', answered.body);
}

/** Or what is wrong with it (Streaming API guide, "Streaming API Error Codes"). */
function versionOf(request: FastifyRequest, isReplay: boolean): number | string {
  const { version = '' } = request.params as { version?: string };
  const number = Number(/^(\d+)\.0$/.exec(version)?.[1] ?? Number.NaN);
  const format = `URI format: '/cometd/${versionMax}.0'`;
  if (Number.isNaN(number)) return `400::API version in the URI is mandatory. ${format}`;
  if (number === 36 && isReplay) return number;
  if (number >= versionMin && number <= versionMax && !isReplay) return number;
  return `400::Unsupported API version. Only API versions '${versionMin}.0' and later are supported. ${format}`;
}
