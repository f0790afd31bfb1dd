import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Method } from './api-types.ts';
import type { EmulatorContext } from './context.ts';
import { dispatch } from './dispatch.ts';
import { asSalesforceError, errorReply } from './errors.ts';
import { apiDisabled, asOutgoing, bearerToken, type Exchange, exchange, invalidSession, limitExceeded } from './exchange.ts';
import { jsonReply, type Outgoing, textReply } from './outgoing.ts';
import { apiBody } from './request-body.ts';
import { versions } from './versions.ts';

/** Of the URI, else 414; of URI and headers together, else 431 (REST API Developer Guide, "Status Codes and Error Responses"). */
const headBytesMax = 16_384;

const methods = ['GET', 'POST', 'PATCH', 'PUT', 'DELETE'] satisfies Method[];

/** `/services/data`: everything that needs a session and counts as an API request, and the list of versions, which does neither. */
export function addRestSurface(app: FastifyInstance, context: EmulatorContext): void {
  for (const url of ['/services/data', '/services/data/']) {
    app.get(url, (request, reply) =>
      exchange(request, reply, context, async ({ entry }) => {
        entry.kind = 'versions';
        return jsonReply(200, versions);
      }),
    );
  }
  app.route({
    method: methods,
    url: '/services/data/*',
    handler: (request, reply) => exchange(request, reply, context, (incoming) => answer(incoming, context)),
  });
}

async function answer({ request, entry }: Exchange, context: EmulatorContext): Promise<Outgoing> {
  const tooLong = refuseLongHead(request);
  if (tooLong) return tooLong;
  const token = bearerToken(request);
  const session = token === undefined ? undefined : context.sessions.use(token);
  if (!session) return asOutgoing(invalidSession(), context);
  if (!context.access.may(session.userId, 'apiEnabled')) return asOutgoing(apiDisabled(), context);
  if (!context.limits.DailyApiRequests.spend()) return asOutgoing(limitExceeded(), context);
  entry.apiCalls = 1;
  const pretty = request.headers['x-prettyprint'] === '1';
  try {
    const { reply, kind, subrequests, faults } = await dispatch(
      {
        method: request.method as Method,
        url: request.url,
        headers: request.headers as Record<string, string | undefined>,
        body: apiBody(request),
        userId: session.userId,
        transaction: undefined,
        within: 'http',
      },
      context,
    );
    entry.kind = kind;
    entry.subrequests = subrequests;
    entry.faults.push(...faults);
    return asOutgoing(reply, context, pretty);
  } catch (error) {
    return asOutgoing(errorReply(asSalesforceError(error)), context, pretty);
  }
}

function refuseLongHead({ url, headers }: FastifyRequest): Outgoing | undefined {
  const refuse = (status: number, reason: string) => textReply(status, 'text/html;charset=UTF-8', `<h1>${reason}</h1>`);
  const uriBytes = Buffer.byteLength(url);
  if (uriBytes > headBytesMax) return refuse(414, 'URI Too Long');
  // Each with a colon, a blank and the end of its line.
  const lines = Object.entries(headers).map(([name, value]) => Buffer.byteLength(`${name}: ${value}\r\n`));
  const bytes = lines.reduce((sum, line) => sum + line, uriBytes);
  return bytes > headBytesMax ? refuse(431, 'Request Header Fields Too Large') : undefined;
}
