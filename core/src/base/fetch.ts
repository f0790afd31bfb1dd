import { EnvHttpProxyAgent, fetch as undiciFetch } from 'undici';
import { registerSecret } from './secrets.ts';

/** A connection that is not there after so long never will be. */
const CONNECT_TIMEOUT_MS = 10_000;
/** Salesforce lets a query run for two minutes before it answers QUERY_TIMEOUT. */
const HEADERS_TIMEOUT_MS = 180_000;
/** Between two pieces of a body, not for the whole of it: a large page may take its time. */
const BODY_TIMEOUT_MS = 120_000;
/** Polls every ten seconds keep their connection and save the TLS handshake. */
const KEEP_ALIVE_MS = 30_000;

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * `fetch` as this environment wants it: HTTPS_PROXY, HTTP_PROXY (for https too when it stands alone) and NO_PROXY, in either case.
 * Certificates of a company's own come from NODE_EXTRA_CA_CERTS, which Node itself reads when it starts.
 */
export function createFetch(env: Environment): typeof globalThis.fetch {
  const httpProxy = proxyOf(env, 'http_proxy');
  const httpsProxy = proxyOf(env, 'https_proxy');
  const dispatcher = new EnvHttpProxyAgent({
    // An empty text, because `undefined` would make undici look at the process's environment instead of this one.
    httpProxy: httpProxy ?? '',
    httpsProxy: httpsProxy ?? httpProxy ?? '',
    noProxy: env.no_proxy ?? env.NO_PROXY ?? '',
    // Plain http goes to a proxy as a request; many of them allow CONNECT to port 443 alone.
    proxyTunnel: false,
    // A page is one long body: HTTP/2 would put all of them into one connection's flow control.
    allowH2: false,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: HEADERS_TIMEOUT_MS,
    bodyTimeout: BODY_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
  });
  const viaEnvironment = (input: string | URL, init?: object) => undiciFetch(input, { ...init, dispatcher });
  return viaEnvironment as unknown as typeof globalThis.fetch;
}

function proxyOf(env: Environment, name: string): string | undefined {
  const proxy = env[name] || env[name.toUpperCase()];
  if (!proxy) return undefined;
  const url = URL.parse(proxy.includes('://') ? proxy : `http://${proxy}`);
  if (url === null) throw new TypeError(`${name.toUpperCase()} is not a URL`);
  if (url.password !== '') registerSecret(decodeURIComponent(url.password));
  return url.href;
}
