import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';

const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1.5rem;color:#1f2933}
h1{font-size:1.4rem;margin:0 0 .5rem}p{margin:.5rem 0}.hint{color:#52606d}
@media(prefers-color-scheme:dark){body{background:#1a1c1e;color:#e4e7eb}.hint{color:#9aa5b1}}`;

/** Nothing but this text and this style: no script, no picture, no frame around it, nothing that tells others of its address. */
const headers = {
  'content-security-policy': `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
};

export interface Page {
  readonly status: number;
  readonly title: string;
  readonly lines: readonly string[];
}

/** A page for a user of somebody's org. */
export function sendPage(reply: FastifyReply, { status, title, lines }: Page): FastifyReply {
  const [first, ...rest] = lines.map(escaped);
  const hints = rest.map((line) => `<p class="hint">${line}</p>`).join('');
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title><style>${style}</style></head><body><main><h1>${escaped(title)}</h1><p>${first ?? ''}</p>${hints}</main></body></html>`;
  return reply.code(status).headers(headers).type('text/html; charset=utf-8').send(html);
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
