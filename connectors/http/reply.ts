import { scrub } from '@tidemark/core';

/** What is kept of a reply that refuses something: enough for its reason. */
const REASON_BYTES = 64 * 1024;
const MESSAGE_MAX = 300;

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
  /** There was more of it than was read. */
  readonly cut: boolean;
}

/** The body as text. Longer ones are cut, and told so by `cut`: nobody's reply fills our memory. */
async function readBody(response: Response, bytesMax: number): Promise<{ text: string; cut: boolean }> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  if (response.body === null) return { text: '', cut: false };
  // Leaving the loop early cancels the body, and with it the connection.
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    chunks.push(chunk.subarray(0, bytesMax - bytes));
    bytes += chunk.length;
    if (bytes > bytesMax) return { text: Buffer.concat(chunks).toString('utf8'), cut: true };
  }
  return { text: Buffer.concat(chunks).toString('utf8'), cut: false };
}

/** What answers well is read as far as its reader needs, anything else for its reason. */
export async function readReply(response: Response, bytesMax = REASON_BYTES): Promise<Reply> {
  const { status, headers, ok } = response;
  const { text, cut } = await readBody(response, ok ? bytesMax : REASON_BYTES);
  return { status, headers, body: text, cut };
}

/** Where APIs put the reason why they refuse something: RFC 9457 and what is usual besides. */
const reasonNames = ['message', 'detail', 'error_description', 'error', 'errors', 'title', 'reason', 'description'];

/** Why something was refused, in the system's own words: one short line without secrets. */
export function reasonOf({ status, headers, body }: Omit<Reply, 'cut'>): string {
  const type = headers.get('content-type') ?? '';
  let words: string | null = null;
  if (/json/i.test(type) || /^\s*[[{]/.test(body)) words = reasonIn(parsed(body), 0);
  else if (/^text\/plain/i.test(type)) words = body;
  const line = scrub(words ?? '')
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  const short = line.length > MESSAGE_MAX ? `${line.slice(0, MESSAGE_MAX - 1)}…`.toWellFormed() : line;
  return short === '' ? `answered ${status}` : `answered ${status}: ${short}`;
}

function reasonIn(value: unknown, depth: number): string | null {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null || depth > 4) return null;
  if (Array.isArray(value)) return reasonIn(value[0], depth + 1);
  for (const name of reasonNames) {
    const found = Object.hasOwn(value, name) ? reasonIn((value as Record<string, unknown>)[name], depth + 1) : null;
    if (found !== null && found !== '') return found;
  }
  return null;
}

/** Null when it is no JSON. */
export function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}

/** What Retry-After asks for: seconds, or a date. Null when it says nothing that can be understood. */
export function retryAfterMs(headers: Headers, nowMs: number): number | null {
  const text = headers.get('retry-after')?.trim();
  if (text === undefined || text === '') return null;
  if (/^\d{1,9}(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1000);
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}
