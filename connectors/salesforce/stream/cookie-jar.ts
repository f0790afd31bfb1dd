/**
 * Cookies of one client: by them the org's front end finds the server that knows it (Streaming API Developer Guide, "Clients and
 * Timeouts"). Whose they are and how long they last does not matter: they go nowhere else, and the client does not live long.
 */
export interface CookieJar {
  keep(setCookies: readonly string[]): void;
  /** For the next request; empty when there are none. */
  header(): string;
}

export function createCookieJar(): CookieJar {
  const cookies = new Map<string, string>();
  return {
    keep(setCookies) {
      for (const setCookie of setCookies) {
        const [pair = ''] = setCookie.split(';');
        const equals = pair.indexOf('=');
        if (equals <= 0) continue;
        const name = pair.slice(0, equals).trim();
        const expired = /;\s*max-age=0\b/i.test(setCookie) || /;\s*expires=thu, 01[- ]jan[- ]1970/i.test(setCookie);
        if (expired) cookies.delete(name);
        else cookies.set(name, pair.slice(equals + 1).trim());
      }
    },
    header: () => [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
  };
}
