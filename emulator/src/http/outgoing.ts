import type { FilePage } from './api-types.ts';

/** A reply before it goes on the wire. */
export interface Outgoing {
  status: number;
  headers: Record<string, string>;
  body: Buffer | FilePage;
}

const noStore = 'no-cache,must-revalidate,max-age=0,no-store,private';

export function jsonReply(status: number, body: unknown, headers: Record<string, string> = {}, pretty = false): Outgoing {
  if (body === undefined) return { status, headers: { 'Cache-Control': noStore, ...headers }, body: Buffer.alloc(0) };
  return {
    status,
    headers: { 'Content-Type': 'application/json;charset=UTF-8', 'Cache-Control': noStore, ...headers },
    body: Buffer.from(JSON.stringify(body, null, pretty ? 2 : undefined)),
  };
}

export function textReply(status: number, contentType: string, body: string, headers: Record<string, string> = {}): Outgoing {
  return { status, headers: { 'Content-Type': contentType, ...headers }, body: Buffer.from(body) };
}
