import type { Refusal } from '@tidemark/core/api';
import { currentToken, setToken } from './token.ts';

/** What was answered instead: what is wrong, and what to do. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string | undefined;

  constructor(status: number, { code, message, hint }: Refusal['error']) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

interface Ask {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/** @throws {ApiError} a refusal, or that nobody answers */
export async function ask<Answer>(path: string, { method = 'GET', body, signal }: Ask = {}): Promise<Answer> {
  const response = await send(path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    ...(signal === undefined ? {} : { signal }),
  });
  return (await response.json()) as Answer;
}

/** With the token, which is forgotten when it is not known any more. */
export async function send(path: string, init: RequestInit & { headers?: Record<string, string> }): Promise<Response> {
  let response: Response;
  try {
    const headers = { ...init.headers, authorization: `Bearer ${currentToken() ?? ''}` };
    response = await fetch(`/api/v1${path}`, { ...init, headers });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError(503, {
      code: 'not_reached',
      message: 'Tidemark does not answer',
      hint: 'see whether it still runs; this page tries again by itself',
    });
  }
  if (response.ok) return response;
  if (response.status === 401) setToken(null);
  const refusal = (await response.json().catch(() => null)) as Refusal | null;
  throw new ApiError(response.status, refusal?.error ?? { code: 'unexpected', message: `it answered ${response.status}` });
}

/** A path with parts that may hold anything. */
export function path(strings: TemplateStringsArray, ...parts: readonly string[]): string {
  return String.raw({ raw: strings }, ...parts.map(encodeURIComponent));
}

/** `?name=value` of what is given. */
export function query(given: { readonly [name: string]: string | number | undefined }): string {
  const filled = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  return filled.length === 0 ? '' : `?${new URLSearchParams(filled as [string, string][])}`;
}
