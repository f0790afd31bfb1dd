import type { Session } from '../auth/sessions.ts';
import type { PubSubContext } from './context.ts';
import { PubSubError } from './errors.ts';

/**
 * The session of a call, from its metadata (Pub/Sub API guide, "Headers for RPC Method Calls").
 *
 * The tenant is the org's id in 15 or 18 characters, or `core/<subdomain>/<id>`. The instance URL is not compared with
 * the emulator's own: clients refuse `http://`, which is how this one is mostly reached.
 */
export function authenticate(header: (name: string) => string | undefined, context: PubSubContext): Session {
  const [token, instanceUrl, tenant] = ['accesstoken', 'instanceurl', 'tenantid'].map((name) => header(name)?.trim());
  if (!token || !tenant || !instanceUrl || !isHttpUrl(instanceUrl)) throw new PubSubError('service.auth.headers.invalid');
  const session = isTenant(tenant, context.org.id) ? context.sessions.use(token) : undefined;
  if (!session) throw new PubSubError('service.auth.error');
  return session;
}

function isTenant(tenant: string, orgId: string): boolean {
  const [, given] = /^(?:core\/[^/]+\/)?(\w{15}|\w{18})$/.exec(tenant) ?? [];
  return given !== undefined && orgId.startsWith(given.length === 15 ? given : orgId) && (given.length === 15 || given === orgId);
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}
