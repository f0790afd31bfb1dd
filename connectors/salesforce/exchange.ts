import { type Clock, type ConnectorContext, markFailed, type Span, TransientError, traced } from '@tidemark/core';
import { errorOfFailure } from './errors.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Exchange {
  readonly method: Method;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Pieces are asked for anew with each try, and made while those before them are on their way. */
  readonly body?: string | (() => Iterable<Uint8Array>);
  /** What is being done, for errors. Never holds the URL's query: it may carry values. */
  readonly about: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ExchangeReply {
  readonly response: Response;
  readonly sentAtMs: number;
}

/** One HTTP request, until its headers are here. Redirects are errors: a token must not follow one. */
export async function exchange(context: ConnectorContext, request: Exchange): Promise<ExchangeReply> {
  const sentAtMs = context.clock.now();
  const send = (signal: AbortSignal) =>
    context.fetch(request.url, {
      method: request.method,
      headers: request.headers,
      redirect: 'manual',
      signal,
      ...bodyOf(request),
    });
  // Of the address no more than the host: a path may name a record by a value of its own.
  const told = {
    ...{ 'http.request.method': request.method, 'server.address': new URL(request.url).hostname },
    ...{ 'tidemark.connection': context.connection, 'tidemark.call': request.about },
  };
  const call = async (span: Span) => {
    const answer = await withDeadline(context.clock, request, send);
    span.setAttribute('http.response.status_code', answer.status);
    if (answer.status >= 400) markFailed(span, String(answer.status));
    return answer;
  };
  const response = await traced('call', told, call, 'client');
  return { response, sentAtMs };
}

function bodyOf({ body }: Exchange): RequestInit {
  if (body === undefined || typeof body === 'string') return body === undefined ? {} : { body };
  return { body: ReadableStream.from(body()), duplex: 'half' };
}

export function readText(context: ConnectorContext, response: Response, request: Exchange): Promise<string> {
  return withDeadline(context.clock, request, (signal) => abortable(response.text(), signal));
}

/** Runs `work` under a deadline by the injected clock; what fails becomes one of our errors, unless the caller aborted. */
export async function withDeadline<T>(
  clock: Clock,
  limits: Pick<Exchange, 'timeoutMs' | 'signal' | 'about'>,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  limits.signal?.throwIfAborted();
  const deadline = new AbortController();
  const done = new AbortController();
  const signal = limits.signal === undefined ? deadline.signal : AbortSignal.any([limits.signal, deadline.signal]);
  const timer = clock.sleep(limits.timeoutMs, done.signal).then(
    () => deadline.abort(),
    () => undefined,
  );
  try {
    return await work(signal);
  } catch (error) {
    limits.signal?.throwIfAborted();
    if (deadline.signal.aborted) throw new TransientError(`${limits.about}: no reply within ${limits.timeoutMs / 1000} s`);
    throw errorOfFailure(error, limits.about);
  } finally {
    done.abort();
    await timer;
  }
}

/** A body being read does not always hear of an abort by itself. */
export function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = () => reject(signal.reason);
    if (signal.aborted) return aborted();
    signal.addEventListener('abort', aborted, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted));
  });
}
