import type { EmulatorContext } from '../http/context.ts';
import { type Outgoing, textReply } from '../http/outgoing.ts';

/** What a connected app may be allowed; an app that names none gets those that it most likely wants. */
const scopesDefault = 'api refresh_token';

/**
 * `/services/oauth2/authorize`: the first half of the web server flow. Where a real org asks its user, this one agrees at
 * once, so it sends codes only to this machine and to addresses that the connected app was given.
 */
export function authorize(form: URLSearchParams, context: EmulatorContext): Outgoing {
  const { identity } = context;
  const app = identity.app(form.get('client_id') ?? '');
  if (!app) return refusal('invalid_client_id', 'client identifier invalid');
  const redirectUri = form.get('redirect_uri') ?? '';
  const target = redirectTarget(redirectUri, identity.redirectUris);
  // Without an address that belongs to the app there is nobody to tell but the one who asks.
  if (!target) return refusal('redirect_uri_mismatch', 'redirect_uri must match configuration');

  const back = (answer: Record<string, string>): Outgoing => {
    for (const [name, value] of Object.entries(answer)) target.searchParams.set(name, value);
    const state = form.get('state');
    if (state !== null) target.searchParams.set('state', state);
    return textReply(302, 'text/html;charset=UTF-8', '', { Location: target.href });
  };
  const failed = (error: string, description: string) => back({ error, error_description: description });

  if (form.get('response_type') !== 'code') return failed('unsupported_response_type', 'response type not supported');
  const method = form.get('code_challenge_method') ?? 'S256';
  if (method !== 'S256') return failed('invalid_request', 'code_challenge_method must be S256');
  const codeChallenge = form.get('code_challenge') ?? undefined;
  if (codeChallenge !== undefined && !/^[\w-]{43}$/.test(codeChallenge)) {
    return failed('invalid_request', 'invalid code challenge');
  }
  const hint = form.get('login_hint');
  const userId = hint === null ? app.userId : identity.account(hint)?.userId;
  if (userId === undefined || !identity.person(userId).isActive) return failed('access_denied', 'end-user denied authorization');
  const scope = form.get('scope')?.trim().replaceAll(/\s+/g, ' ') || scopesDefault;
  return back({ code: context.codes.grant({ userId, clientId: app.clientId, redirectUri, scope, codeChallenge }) });
}

const refusal = (error: string, description: string) =>
  textReply(400, 'text/html;charset=UTF-8', `error=${error}&amp;error_description=${encodeURIComponent(description)}`);

/** Addresses on this machine may have any port and path, as native apps need them (RFC 8252, 7.3). */
function redirectTarget(uri: string, allowed: readonly string[]): URL | undefined {
  const url = URL.parse(uri);
  if (url === null || url.hash !== '') return undefined;
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname) && /^https?:$/.test(url.protocol);
  return isLocal || allowed.includes(uri) ? url : undefined;
}
