import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyReply } from 'fastify';
import type { Endpoint } from './http-server.ts';

/** Each is the same document, which shows what its address says. */
const PAGES = ['/', '/syncs/*', '/failures', '/conflicts', '/connections', '/orgs', '/configuration'];
/** Stands in the document where each answer has a number of its own: styles that are made as it runs carry it. */
const NONCE = '__CSP_NONCE__';
const YEAR_MS = 365 * 86_400_000;

/**
 * The dashboard: a document at `/` and its pages, and what belongs to it under `/assets`, compressed when it was built.
 * @param folder  where it lies; asked when it is first needed, since it may have to be built
 */
export function dashboard(folder: () => Promise<string>): Endpoint {
  return (server) => {
    server.register(async (scope) => {
      const { default: files } = await import('@fastify/static');
      await scope.register(files, { serve: false, preCompressed: true });
      scope.get('/assets/:name', async (request, reply) => {
        const { name } = request.params as { name: string };
        // A name changes with what it holds.
        return reply.sendFile(join('assets', name), await folder(), { maxAge: YEAR_MS, immutable: true });
      });
      for (const page of PAGES) scope.get(page, async (_, reply) => sendDocument(reply, await folder()));
    });
  };
}

async function sendDocument(reply: FastifyReply, folder: string): Promise<string> {
  const nonce = randomBytes(16).toString('base64url');
  const document = await readFile(join(folder, 'index.html'), 'utf8');
  reply.type('text/html; charset=utf-8').header('content-security-policy', policyFor(nonce));
  // The token stands in the address the first time.
  reply.header('referrer-policy', 'no-referrer');
  return document.replace(NONCE, nonce);
}

/** Scripts of ours and no others, styles of ours, and nobody to talk to but us. */
function policyFor(nonce: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
