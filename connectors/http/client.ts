import {
  AccessDeniedError,
  backoffMs,
  type ConnectorContext,
  defaultRetry,
  NotConnectedError,
  publicFetch,
  RateLimitedError,
  RequestRefusedError,
  registerSecret,
  SyncError,
  signatureOf,
  TransientError,
} from '@tidemark/core';
import type { Auth, HttpConfig } from './config.ts';
import { addressBelow } from './path-template.ts';
import { RateLimit } from './rate-limit.ts';
import { type Reply, readReply, reasonOf, retryAfterMs } from './reply.ts';

/** Waits longer than this are the engine's: it shows them, and other work goes on. */
const WAIT_HERE_MS_MAX = 60_000;
/** Without a wait of its own a limit is tried again like any other fault. */
const LIMITED_MS = 1000;
const REDIRECTS_MAX = 3;
/** They belong into `auth`, and are put here all the same. */
const SECRET_HEADER = /authorization|cookie|key|password|secret|signature|token/i;

export interface HttpRequest {
  readonly method: string;
  /** Below the connection's url; made by a `PathTemplate`. */
  readonly path: string;
  readonly body?: string;
  readonly idempotencyKey?: string;
  /** How much of an answer is read, for whoever needs more than that it is there. */
  readonly bytesMax?: number;
  /** Instead of the connection's. */
  readonly retries?: number;
}

/** Sends requests of one connection: authenticated, limited, repeated, and nowhere else than below its url. */
export class HttpClient {
  readonly concurrency: number;
  readonly #config: HttpConfig;
  readonly #context: ConnectorContext;
  readonly #limit: RateLimit | null;

  constructor(config: HttpConfig, context: ConnectorContext) {
    this.#config = config;
    this.#context = context;
    this.concurrency = config.concurrency;
    this.#limit = config.rateLimit === undefined ? null : new RateLimit(context.clock, config.rateLimit);
    if (config.auth?.type === 'basic') registerSecret(basicCredentials(config.auth));
    for (const [name, value] of Object.entries(config.headers)) if (SECRET_HEADER.test(name)) registerSecret(value);
  }

  /**
   * The answer: 2xx, or a 4xx that is about what was sent.
   * @throws {AccessDeniedError} 401, 407: the credentials are refused, whatever is sent
   * @throws {RateLimitedError} 429, or 503 with a wait, still after all retries or for longer than is waited here
   * @throws {TransientError} 408, 425 or 5xx after all retries. `ServerFaultError` when the answer was 500 or one like it
   * @throws {NotConnectedError} nobody answers, after all retries
   * @throws {RequestRefusedError} the address is not public, or leads elsewhere
   */
  async send(request: HttpRequest, signal: AbortSignal): Promise<Reply> {
    const { clock, random, log } = this.#context;
    const retries = request.retries ?? this.#config.retries;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(request, signal);
      } catch (error) {
        const again = error instanceof TransientError || error instanceof NotConnectedError || error instanceof RateLimitedError;
        if (!again || attempt > retries) throw error;
        const asked = error instanceof RateLimitedError ? error.retryAfterMs : 0;
        if (asked > WAIT_HERE_MS_MAX) throw error;
        const waitMs = Math.max(asked, backoffMs(attempt, defaultRetry, random));
        log.debug({ method: request.method, attempt, waitMs, reason: (error as Error).message }, 'request will be sent again');
        await clock.sleep(waitMs, signal);
      }
    }
  }

  async #attempt(request: HttpRequest, signal: AbortSignal): Promise<Reply> {
    await this.#limit?.turn(signal);
    const reply = await this.#timed(signal, (stop) => this.#exchange(request, stop));
    const { status } = reply;
    if (status >= 200 && status < 300) return reply;
    const reason = `${this.#name} ${reasonOf(reply)}`;
    if (status === 401 || status === 407) {
      throw new AccessDeniedError(reason, { hint: `check auth of connection ${this.#context.connection}` });
    }
    if (status === 429 || status === 503) {
      const asked = retryAfterMs(reply.headers, this.#context.clock.now());
      if (status === 429 || asked !== null) throw new RateLimitedError(reason, { retryAfterMs: asked ?? LIMITED_MS });
    }
    if (status === 408 || status === 425 || (status >= 502 && status <= 504)) throw new TransientError(reason);
    if (status >= 500) throw new ServerFaultError(reason, status);
    if (status >= 300 && status < 400) {
      throw new RedirectedError(`${reason}: it leads to another address`, { hint: 'set url or path to where it leads' });
    }
    return reply;
  }

  /** Follows what leads to the same server, with the same method and body. */
  async #exchange(request: HttpRequest, stop: AbortSignal): Promise<Reply> {
    let url = this.#address(request.path);
    for (let redirects = 0; ; redirects++) {
      const response = await this.#fetch(url, request, stop);
      const next = redirects < REDIRECTS_MAX ? redirectOf(response, url, request.method) : null;
      if (next === null) return readReply(response, request.bytesMax);
      await response.body?.cancel();
      url = next;
    }
  }

  async #fetch(url: URL, { method, body, idempotencyKey }: HttpRequest, stop: AbortSignal): Promise<Response> {
    const headers = new Headers({ accept: 'application/json', 'user-agent': 'tidemark', ...this.#config.headers });
    if (body !== undefined) headers.set('content-type', 'application/json');
    if (idempotencyKey !== undefined) headers.set('idempotency-key', idempotencyKey);
    this.#authenticate(headers, body ?? '');
    const fetch = this.#config.allowPrivate ? this.#context.fetch : publicFetch(this.#context.fetch);
    // Redirects are never followed by themselves: credentials would travel along to wherever they lead.
    return fetch(url, { method, headers, redirect: 'manual', signal: stop, ...(body === undefined ? {} : { body }) });
  }

  #authenticate(headers: Headers, body: string): void {
    const { auth } = this.#config;
    if (auth === undefined) return;
    if (auth.type === 'bearer') headers.set('authorization', `Bearer ${auth.token}`);
    else if (auth.type === 'basic') headers.set('authorization', `Basic ${basicCredentials(auth)}`);
    else if (auth.type === 'header') headers.set(auth.name, auth.value);
    else {
      const timestamp = String(Math.floor(this.#context.clock.now() / 1000));
      headers.set(auth.timestampHeader, timestamp);
      headers.set(auth.signatureHeader, signatureOf(auth.secret, timestamp, body));
    }
  }

  #address(path: string): URL {
    const url = addressBelow(this.#config.url, path);
    if (url === null) throw new RequestRefusedError(`the path of a request leads out of ${this.#name}`);
    return url;
  }

  /** Within the timeout, by the clock that we were given. */
  async #timed<T>(signal: AbortSignal, work: (stop: AbortSignal) => Promise<T>): Promise<T> {
    const { timeout } = this.#config;
    const over = new AbortController();
    const done = new AbortController();
    const late = new TransientError(`${this.#name} did not answer within ${timeout} ms`);
    const timer = this.#context.clock.sleep(timeout, done.signal).then(
      () => over.abort(late),
      () => {},
    );
    try {
      return await work(AbortSignal.any([signal, over.signal]));
    } catch (error) {
      signal.throwIfAborted();
      if (over.signal.aborted) throw late;
      throw this.#namedFault(error);
    } finally {
      done.abort();
      await timer;
    }
  }

  /** What fetch rejects with says what was wrong in its cause only. */
  #namedFault(error: unknown): unknown {
    if (error instanceof SyncError) return error;
    const cause = (error as Error).cause;
    if (cause instanceof RequestRefusedError) {
      const hint = `allowPrivate: true lets connection ${this.#context.connection} reach addresses inside your network`;
      return new RequestRefusedError(cause.message, { cause, hint });
    }
    const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? (cause as Error | undefined)?.message;
    return new NotConnectedError(`${this.#name} cannot be reached${code ? `: ${code}` : ''}`, { cause: error });
  }

  /** Without the path: what stands there may be a secret, as in many webhooks. */
  get #name(): string {
    return new URL(this.#config.url).host;
  }
}

/** 500 and its like: something went wrong there, perhaps over what was sent. */
export class ServerFaultError extends TransientError {
  readonly status: number;
  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/** An answer that leads where we do not follow. */
export class RedirectedError extends RequestRefusedError {}

function basicCredentials({ username, password }: Extract<Auth, { type: 'basic' }>): string {
  return Buffer.from(`${username}:${password}`).toString('base64');
}

/** Where to send the same request again; null when it is not to be sent there, or would become another request. */
function redirectOf({ status, headers }: Response, from: URL, method: string): URL | null {
  const keepsMethod = status === 307 || status === 308 || (method === 'GET' && [301, 302, 303].includes(status));
  const location = headers.get('location');
  if (!keepsMethod || location === null) return null;
  const to = URL.parse(location, from.href);
  return to !== null && to.origin === from.origin && to.username === '' ? to : null;
}
