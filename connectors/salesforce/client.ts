import {
  AccessDeniedError,
  backoffMs,
  type CallBudget,
  type CallUsage,
  type ConnectorContext,
  OverBudgetError,
  TransientError,
  TruncatedReplyError,
  UnexpectedReplyError,
} from '@tidemark/core';
import { usageOf } from './api-budget.ts';
import type { Authenticator } from './auth.ts';
import type { Config } from './config.ts';
import { errorOfReply, salesforceCode } from './errors.ts';
import { parseJson } from './exact-json.ts';
import { type Exchange, exchange, type Method, readText } from './exchange.ts';
import type { Session } from './login-flows.ts';
import type { OrgTime } from './org-clock.ts';

export interface ApiRequest {
  readonly method: Method;
  /** Below `/services/data/vXX.0`, or from `/services/` on. */
  readonly path: string;
  readonly body?: unknown;
  /** A body that is no JSON. */
  readonly content?: { readonly type: string; readonly body: NonNullable<Exchange['body']> };
  /**
   * False for what may have been done though no reply came, and must not be done twice: it is tried once. `undone` for what must not
   * be done later than it was decided: it is tried again only when the org says at once that it has done nothing.
   */
  readonly repeatable?: boolean | 'undone';
  /** An empty reply is none: it has been cut. */
  readonly replies?: true;
  readonly headers?: Readonly<Record<string, string>>;
  /** What is being done, for errors. */
  readonly about: string;
  readonly signal?: AbortSignal | undefined;
}

export interface ApiReply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
  /** By the org's clock, a moment before it began to work on the request. */
  readonly asOfMs: number;
}

/** A part of a Composite call, and its answer. */
export interface Subrequest {
  readonly path: string;
  readonly about: string;
}
export interface Subreply {
  readonly body: unknown;
  /** Null for a success. */
  readonly error: Error | null;
}

/** The REST API of one org. What goes through here may be repeated, unless it says otherwise. */
export interface Client {
  readonly time: OrgTime;
  readonly budget: CallBudget;
  session(): Promise<Session>;
  /** A new one, because this one was refused elsewhere than in a request of ours. */
  renew(refused: Session): Promise<Session>;
  request(request: ApiRequest): Promise<ApiReply>;
  /** The reply with its body still to be read. */
  open(request: ApiRequest): Promise<Response>;
  /** Several reads in one call, worked off in this order. Queries go this way because a URL may have 16 KB and a body more. */
  composite(
    parts: readonly Subrequest[],
    signal?: AbortSignal,
  ): Promise<{ readonly replies: readonly Subreply[]; readonly asOfMs: number }>;
  /** `path` and below, as in a subrequest's URL. */
  versioned(path: string): string;
}

/** Tries of one request: the engine tries again too, more patiently, but from further back. */
const retry = { attemptsMax: 3, delayMs: 500, delayMsMax: 5_000 };

/** 401 answers that a new login does not mend: refreshing would go on for ever. */
const unmendable = /Connected app is not attached to Agent|This session is not valid for use with the REST API/;

export function createClient(options: {
  readonly config: Config;
  readonly context: ConnectorContext;
  readonly authenticator: Authenticator;
  readonly time: OrgTime;
  readonly budget: CallBudget;
}): Client {
  const { config, context, authenticator, time, budget } = options;
  const versioned = (path: string) => (path.startsWith('/services/') ? path : `/services/data/v${config.apiVersion}${path}`);

  async function send(
    request: ApiRequest,
    session: Session,
  ): Promise<{ response: Response; exchanged: Exchange; asOfMs: number | null }> {
    const json =
      request.body === undefined ? undefined : { type: 'application/json; charset=UTF-8', body: JSON.stringify(request.body) };
    const content = request.content ?? json;
    const exchanged: Exchange = {
      method: request.method,
      url: session.instanceUrl + versioned(request.path),
      headers: {
        authorization: `Bearer ${session.accessToken}`,
        accept: 'application/json',
        // Names us in the org's logs, and in the origin of change events.
        'sforce-call-options': `client=${config.clientName}`,
        ...(content === undefined ? {} : { 'content-type': content.type }),
        ...request.headers,
      },
      ...(content === undefined ? {} : { body: content.body }),
      about: request.about,
      timeoutMs: config.requestTimeoutSeconds * 1000,
      signal: request.signal,
    };
    await budget.admit();
    let usage: CallUsage | null = null;
    try {
      const { response, sentAtMs } = await exchange(context, exchanged);
      const asOfMs = time.observe(response.headers.get('date'), sentAtMs);
      usage = usageOf(response.headers.get('sforce-limit-info'));
      return { response, exchanged, asOfMs };
    } finally {
      budget.ended(usage);
    }
  }

  /** A reply that is a success (or 304), after at most one new login. */
  async function admitted(request: ApiRequest): Promise<{ response: Response; exchanged: Exchange; asOfMs: number | null }> {
    const session = await authenticator.session();
    let reply = await send(request, session);
    if (reply.response.status === 401) {
      const text = await readText(context, reply.response, reply.exchanged);
      if (unmendable.test(text)) {
        throw new AccessDeniedError(`${request.about}: ${unmendable.exec(text)![0]}`, {
          hint: 'Give the connected app the scope "api"',
        });
      }
      context.log.debug({ connection: context.connection }, 'the session has ended, logging in again');
      reply = await send(request, await authenticator.renew(session));
    }
    const { response } = reply;
    if (response.ok || response.status === 304) return reply;
    const text = await readText(context, response, reply.exchanged);
    const body = jsonOrNothing(text);
    if (response.status >= 300 && response.status < 400) {
      throw new UnexpectedReplyError(`${request.about}: the org answered with a redirect`, {
        hint: 'Use the My Domain address as loginUrl',
      });
    }
    const retryAfter = Number(response.headers.get('retry-after'));
    const error = errorOfReply(response.status, body, request.about, retryAfter > 0 ? retryAfter * 1000 : undefined);
    // Whatever its replies said: other servers of the org may have counted more.
    if (error instanceof OverBudgetError) budget.exhausted();
    throw error;
  }

  async function retried<T>(
    { signal, repeatable }: Pick<ApiRequest, 'signal' | 'repeatable'>,
    work: () => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        const worthwhile = error instanceof TransientError || error instanceof TruncatedReplyError;
        const allowed = repeatable === 'undone' ? salesforceCode(error) === 'SERVER_UNAVAILABLE' : (repeatable ?? true);
        if (!worthwhile || !allowed || attempt >= retry.attemptsMax) throw error;
        context.log.debug({ connection: context.connection, error: error.message, attempt }, 'trying the request again');
        await context.clock.sleep(backoffMs(attempt, retry, context.random), signal);
      }
    }
  }

  async function request(apiRequest: ApiRequest): Promise<ApiReply> {
    return retried(apiRequest, async () => {
      const { response, exchanged, asOfMs } = await admitted(apiRequest);
      const text = await readText(context, response, exchanged);
      if (asOfMs === null) {
        throw new UnexpectedReplyError(`${apiRequest.about}: the reply has no Date header`, {
          hint: "A proxy takes it out; the org's time is needed to read without gaps",
        });
      }
      if (text === '' && apiRequest.replies) throw new TruncatedReplyError(`${apiRequest.about}: the reply is empty`);
      const body = text === '' ? undefined : parseJson(text, apiRequest.about);
      return { status: response.status, headers: response.headers, body, asOfMs };
    });
  }

  return {
    time,
    budget,
    session: () => authenticator.session(),
    renew: (refused) => authenticator.renew(refused),
    request,
    open: (apiRequest) => retried(apiRequest, async () => (await admitted(apiRequest)).response),
    async composite(parts, signal) {
      const reply = await request({
        method: 'POST',
        path: '/composite',
        about: parts[0]!.about,
        signal,
        body: {
          allOrNone: false,
          // In the order given: what the second part reads has to be read after the first was answered (see delta.ts).
          collateSubrequests: false,
          compositeRequest: parts.map((part, index) => ({ method: 'GET', url: versioned(part.path), referenceId: `r${index}` })),
        },
      });
      const answers = (reply.body as { compositeResponse?: unknown } | undefined)?.compositeResponse;
      if (!Array.isArray(answers) || answers.length !== parts.length) {
        throw new TruncatedReplyError(`${parts[0]!.about}: ${parts.length} answers were due`);
      }
      const byReference = new Map(answers.map((answer) => [answer?.referenceId, answer]));
      const replies = parts.map((part, index): Subreply => {
        const answer = byReference.get(`r${index}`);
        if (answer === undefined) throw new TruncatedReplyError(`${part.about}: its answer is missing`);
        const failed = !(answer.httpStatusCode >= 200 && answer.httpStatusCode < 300);
        return { body: answer.body, error: failed ? errorOfReply(answer.httpStatusCode, answer.body, part.about) : null };
      });
      return { replies, asOfMs: reply.asOfMs };
    },
    versioned,
  };
}

function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // An HTML page or nothing at all, from a machine in front of the org.
    return undefined;
  }
}
