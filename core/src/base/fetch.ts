import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns';
import { isIP } from 'node:net';
import { buildConnector, EnvHttpProxyAgent, fetch as undiciFetch } from 'undici';
import { InvariantError, RequestRefusedError } from './errors.ts';
import { isPublicAddress } from './public-address.ts';
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

/** Asks for the addresses of a name, as `dns.lookup` does with `all`. */
export type Resolve = (
  hostname: string,
  options: LookupOptions & { all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

type Fetch = typeof globalThis.fetch;

/** How to make the public sibling of a fetch that was made here. */
const publicSiblings = new WeakMap<Fetch, () => Fetch>();

/**
 * `fetch` as this environment wants it: HTTPS_PROXY, HTTP_PROXY (for https too when it stands alone) and NO_PROXY, in either case.
 * Certificates of a company's own come from NODE_EXTRA_CA_CERTS, which Node itself reads when it starts.
 *
 * @param resolve  who is asked for addresses by `publicFetch`; tests bring their own
 */
export function createFetch(env: Environment, resolve: Resolve = systemLookup): Fetch {
  const dispatcher = createDispatcher(env, { timeout: CONNECT_TIMEOUT_MS });
  const viaEnvironment = ((input: string | URL, init?: object) =>
    undiciFetch(input, { ...init, dispatcher })) as unknown as Fetch;
  let sibling: Fetch | undefined;
  publicSiblings.set(viaEnvironment, () => (sibling ??= createPublicFetch(env, resolve)));
  return viaEnvironment;
}

/**
 * The same fetch, except that it connects to public addresses only, so that a URL which others have a say in leads to nothing inside
 * our own network (SSRF). The address is looked at when the connection is made, so that a name cannot mean another one by then (DNS
 * rebinding). Behind a proxy it is the proxy that resolves names: only addresses and `localhost` are refused there.
 * It rejects with a TypeError whose cause is a `RequestRefusedError`.
 */
export function publicFetch(fetch: Fetch): Fetch {
  const sibling = publicSiblings.get(fetch);
  if (sibling === undefined) throw new InvariantError('only a fetch made by createFetch can be kept to public addresses');
  return sibling();
}

function createPublicFetch(env: Environment, resolve: Resolve): Fetch {
  const lookup = (hostname: string, options: LookupOptions, done: (...answer: unknown[]) => void) =>
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return done(error);
      // One that is not public is enough: which of several is tried is not ours to say.
      const inside = addresses.find(({ address }) => !isPublicAddress(address));
      if (inside !== undefined) return done(notPublic(hostname, inside.address));
      if (options.all === true) return done(null, addresses);
      done(null, addresses[0]?.address, addresses[0]?.family);
    });
  const connectTo = buildConnector({ timeout: CONNECT_TIMEOUT_MS, allowH2: false, lookup } as buildConnector.BuildOptions);
  const dispatcher = createDispatcher(env, (options, done) => {
    const refused = refusedHost(options.hostname);
    if (refused !== null) return done(refused, null);
    connectTo(options, done);
  });
  return (async (input: string | URL, init?: object) => {
    // A proxy that is asked makes the connection itself, and does not come by here.
    const refused = refusedHost(new URL(input).hostname);
    if (refused !== null) throw new TypeError('fetch failed', { cause: refused });
    return undiciFetch(input, { ...init, dispatcher });
  }) as unknown as Fetch;
}

/** Addresses are connected to without asking anybody for them; `localhost` is one of them in words. */
function refusedHost(hostname: string): RequestRefusedError | null {
  const host = hostname
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase();
  const inside = host === 'localhost' || host.endsWith('.localhost') || (isIP(host) !== 0 && !isPublicAddress(host));
  return inside ? notPublic(hostname, host) : null;
}

function notPublic(hostname: string, address: string): RequestRefusedError {
  const where = address === hostname ? hostname : `${hostname} (${address})`;
  return new RequestRefusedError(`${where} is not a public address`);
}

function createDispatcher(env: Environment, connect: buildConnector.connector | { timeout: number }): EnvHttpProxyAgent {
  const httpProxy = proxyOf(env, 'http_proxy');
  const httpsProxy = proxyOf(env, 'https_proxy');
  return new EnvHttpProxyAgent({
    // An empty text, because `undefined` would make undici look at the process's environment instead of this one.
    httpProxy: httpProxy ?? '',
    httpsProxy: httpsProxy ?? httpProxy ?? '',
    noProxy: env.no_proxy ?? env.NO_PROXY ?? '',
    // Plain http goes to a proxy as a request; many of them allow CONNECT to port 443 alone.
    proxyTunnel: false,
    // A page is one long body: HTTP/2 would put all of them into one connection's flow control.
    allowH2: false,
    connect,
    headersTimeout: HEADERS_TIMEOUT_MS,
    bodyTimeout: BODY_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
  });
}

function proxyOf(env: Environment, name: string): string | undefined {
  const proxy = env[name] || env[name.toUpperCase()];
  if (!proxy) return undefined;
  const url = URL.parse(proxy.includes('://') ? proxy : `http://${proxy}`);
  if (url === null) throw new TypeError(`${name.toUpperCase()} is not a URL`);
  if (url.password !== '') registerSecret(decodeURIComponent(url.password));
  return url.href;
}
