import { randomBytes } from 'node:crypto';

/** Which browser it is (set by the library), and which server node its session lives on. */
export const browserCookie = 'BAYEUX_BROWSER';
export const nodeCookie = 'sfdc-stream';

/** The cookies that keep a client on its server: without them it is unknown. */
export interface Cookies {
  /** The value that leads to this server. */
  readonly node: string;
  /** Given with a handshake, beside the library's own. */
  given(cookie: string | undefined): string[];
  /** Takes the way to a server back that knows the client no more. */
  readonly cleared: string;
}

export function createCookies(): Cookies {
  const node = `!${randomBytes(30).toString('base64')}`;
  return {
    node,
    given: (cookie) => [
      ...(readCookies(cookie).BrowserId === undefined ? [`BrowserId=${randomBytes(16).toString('base64url')}; Path=/`] : []),
      `${nodeCookie}=${node}; Path=/`,
    ],
    cleared: `${nodeCookie}=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT`,
  };
}

/** Of a `Cookie` header, as sent. */
export function readCookies(header = ''): Record<string, string> {
  const pairs = header.split(';').map((pair) => [pair.split('=', 1)[0] as string, pair.slice(pair.indexOf('=') + 1)]);
  return Object.fromEntries(pairs.map(([name = '', value = '']) => [name.trim(), value.trim()]));
}
