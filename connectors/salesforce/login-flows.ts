import { execFile } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import {
  AccessDeniedError,
  type ConnectorContext,
  CredentialRevokedError,
  InvariantError,
  NotConnectedError,
  RateLimitedError,
  registerSecret,
  registerToken,
  TransientError,
} from '@tidemark/core';
import { SignJWT } from 'jose';
import type { Auth, Config } from './config.ts';
import { isSafeUrl } from './config.ts';
import { exchange, readText } from './exchange.ts';
import type { OrgTime } from './org-clock.ts';
import { recordId } from './record-id.ts';

/** A login's result. The token is as secret as the password. */
export interface Session {
  readonly accessToken: string;
  /** Without a slash at its end. */
  readonly instanceUrl: string;
  /** 18 characters. */
  readonly organizationId: string;
}

export interface LoginContext {
  readonly config: Config;
  readonly context: ConnectorContext;
  readonly time: OrgTime;
  /** The refresh token in use: rotation replaces it at every refresh, and the old one dies. */
  refreshToken: string | undefined;
  /** Runs the sf CLI; replaced in tests. */
  readonly runCli: (args: readonly string[]) => Promise<string>;
}

type Flow<Name extends Auth['flow']> = (auth: Extract<Auth, { flow: Name }>, login: LoginContext) => Promise<Session>;

/** One function for each flow of the configuration: completed by the compiler. */
const flows: { readonly [Name in Auth['flow']]: Flow<Name> } = {
  'client-credentials': ({ clientId, clientSecret }, login) =>
    askToken(login, { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret }),

  password(auth, login) {
    const password = auth.password + (auth.securityToken ?? '');
    if (auth.clientId === undefined) return soapLogin(login, auth.username, password);
    const app = { client_id: auth.clientId, ...(auth.clientSecret === undefined ? {} : { client_secret: auth.clientSecret }) };
    return askToken(login, { grant_type: 'password', ...app, username: auth.username, password });
  },

  async jwt(auth, login) {
    const pem = auth.privateKey ?? (await readKey(resolve(login.context.baseDir, auth.privateKeyFile!)));
    registerSecret(pem);
    let key: ReturnType<typeof createPrivateKey>;
    try {
      key = createPrivateKey(pem.replaceAll('\\n', '\n'));
    } catch {
      throw new AccessDeniedError('the private key of the jwt flow cannot be read', {
        hint: 'It has to be an RSA key in PEM form, without a passphrase',
      });
    }
    // Salesforce refuses an assertion that is good for longer than five minutes; three leave room for skewed clocks.
    const assertion = await new SignJWT()
      .setProtectedHeader({ alg: 'RS256' })
      .setIssuer(auth.clientId)
      .setSubject(auth.username)
      .setAudience(auth.audience ?? audienceOf(login.config.loginUrl))
      .setExpirationTime(Math.floor(login.time.now() / 1000) + 180)
      .sign(key);
    return askToken(login, { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion });
  },

  async 'refresh-token'(auth, login) {
    const refreshToken = login.refreshToken ?? auth.refreshToken;
    const reply = await requestToken(login, refreshForm(auth, refreshToken));
    if (reply.refresh_token !== undefined && reply.refresh_token !== refreshToken) {
      login.refreshToken = reply.refresh_token;
      login.context.log.warn(
        { connection: login.context.connection },
        'the org rotates refresh tokens: the configured one has died and the new one lives only as long as this process',
      );
    }
    return sessionOfReply(login, reply);
  },

  'sf-cli': (auth, login) => cliLogin(auth.username, login),

  'web-server'(auth, login) {
    const { credential } = login.context;
    if (credential === undefined) throw new InvariantError('a connection to one of many orgs has no credential');
    return credential.spend(async (refreshToken) => {
      const reply = await requestToken(login, refreshForm(auth, refreshToken));
      return { result: sessionOfReply(login, reply), replacement: reply.refresh_token };
    });
  },
};

export function logIn(login: LoginContext): Promise<Session> {
  const { auth } = login.config;
  return (flows[auth.flow] as (auth: Auth, login: LoginContext) => Promise<Session>)(auth, login);
}

/** Every secret of a configuration is masked wherever it might turn up. */
export function registerSecretsOf(auth: Auth): void {
  for (const name of ['clientSecret', 'password', 'securityToken', 'refreshToken', 'privateKey']) {
    const value = (auth as unknown as Record<string, unknown>)[name];
    if (typeof value === 'string') registerSecret(value);
  }
}

async function readKey(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new AccessDeniedError(`the private key file ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function audienceOf(loginUrl: string): string {
  const { hostname, origin } = new URL(loginUrl);
  if (!hostname.endsWith('.salesforce.com')) return origin;
  const sandbox = hostname === 'test.salesforce.com' || hostname.includes('.sandbox.') || hostname.includes('.scratch.');
  return sandbox ? 'https://test.salesforce.com' : 'https://login.salesforce.com';
}

export interface TokenReply {
  access_token?: string;
  instance_url?: string;
  id?: string;
  refresh_token?: string;
  error?: string;
  error_description?: string;
}

/** What is to be done about a refused login, by Salesforce's error and its description. */
const hints: readonly (readonly [RegExp, string])[] = [
  [/no client credentials user/i, 'Set a "Run As" user in the connected app\'s client credentials flow'],
  [
    /hasn't approved|not admin approved/i,
    'Pre-authorise the user for the connected app (Manage Policies, a profile or permission set)',
  ],
  [/expired access\/refresh token/i, 'The refresh token has expired or was revoked: log in again'],
  [/inactive user/i, 'Activate the user in the org'],
  [/invalid_client_id|client identifier/i, 'The clientId is not known to this org; a new connected app needs some minutes'],
  [/invalid_client/i, 'Check clientSecret'],
  [/audience/i, 'Set auth.audience to the address under which the user logs in'],
  [/OAUTH_APP_BLOCKED/i, 'An administrator has blocked the connected app'],
  [
    /unsupported_grant_type|not supported/i,
    'client-credentials needs the My Domain address as loginUrl; the password flow is blocked in new orgs',
  ],
  [
    /./,
    'Check user name, password and security token, loginUrl (test.salesforce.com for sandboxes) and the login history in Setup',
  ],
];

export function refreshForm(app: { readonly clientId: string; readonly clientSecret?: string | undefined }, token: string) {
  return {
    grant_type: 'refresh_token',
    refresh_token: token,
    client_id: app.clientId,
    ...(app.clientSecret === undefined ? {} : { client_secret: app.clientSecret }),
  };
}

async function askToken(login: LoginContext, form: Record<string, string>): Promise<Session> {
  return sessionOfReply(login, await requestToken(login, form));
}

/** What of a login asking for tokens needs. */
export type TokenContext = Pick<LoginContext, 'config' | 'context' | 'time'>;

export async function requestToken(
  login: TokenContext,
  form: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<TokenReply> {
  const { context, config } = login;
  const request = {
    method: 'POST',
    url: `${config.loginUrl.replace(/\/+$/, '')}/services/oauth2/token`,
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
    body: new URLSearchParams(form).toString(),
    about: `login to ${new URL(config.loginUrl).host}`,
    timeoutMs: 30_000,
    signal,
  } as const;
  const { response, sentAtMs } = await exchange(context, request);
  const text = await readText(context, response, request);
  login.time.observe(response.headers.get('date'), sentAtMs);
  let reply: TokenReply | undefined;
  try {
    reply = JSON.parse(text) as TokenReply;
  } catch {
    reply = undefined;
  }
  if (!response.ok || reply === undefined) throw refusal(response.status, reply, request.about);
  if (reply.refresh_token !== undefined) registerToken(nameOf(login), reply.refresh_token);
  return reply;
}

export function sessionOfReply(login: TokenContext, reply: TokenReply): Session {
  return sessionOf(login, reply.access_token, reply.instance_url, /\/id\/([0-9A-Za-z]{15,18})\//.exec(reply.id ?? '')?.[1]);
}

function refusal(status: number, reply: TokenReply | undefined, about: string): Error {
  if (status >= 500 || reply?.error === undefined) {
    const what = status < 300 ? 'a reply that is no login (a web page?)' : 'without an explanation';
    return new TransientError(`${about}: HTTP ${status}, ${what}`, {
      hint:
        status >= 500
          ? 'The org may be in maintenance: see status.salesforce.com; the next run goes on'
          : 'Check loginUrl and the proxy: what answers there is no Salesforce login',
    });
  }
  const text = `${reply.error}: ${reply.error_description ?? ''}`;
  if (/rate exceeded/i.test(text) || status === 429) return new RateLimitedError(`${about}: ${text}`, { retryAfterMs: 60_000 });
  const Refused = reply.error === 'invalid_grant' ? CredentialRevokedError : AccessDeniedError;
  return new Refused(`${about} was refused: ${text}`, { hint: hints.find(([pattern]) => pattern.test(text))![1] });
}

/** Whose tokens take each other's place. */
const nameOf = ({ config, context }: TokenContext): string => `${context.connection} ${config.loginUrl}`;

/** Data calls carry the token: they may go to Salesforce, or to where a login server of our own sends us. */
function sessionOf(
  login: TokenContext,
  token: string | undefined,
  instance: string | undefined,
  orgId: string | undefined,
): Session {
  const loginHost = new URL(login.config.loginUrl).hostname;
  const organizationId = recordId(orgId ?? token?.split('!')[0] ?? '');
  if (token === undefined || instance === undefined || organizationId === null) {
    throw new NotConnectedError('the login was answered without a token, an instance or an organization');
  }
  registerToken(nameOf(login), token);
  const ofSalesforce = /\.(salesforce|force)\.com$|\.salesforce\.mil$/;
  const instanceHost = URL.canParse(instance) ? new URL(instance).hostname : '';
  if (!isSafeUrl(instance) || (ofSalesforce.test(loginHost) && !ofSalesforce.test(instanceHost))) {
    throw new AccessDeniedError(`the login points to ${instanceHost || 'no address'}, which is no host of Salesforce`);
  }
  return { accessToken: token, instanceUrl: new URL(instance).origin, organizationId };
}

/** SOAP API Developer Guide, "login()": user name and password without a connected app, up to API version 64. */
async function soapLogin(login: LoginContext, username: string, password: string): Promise<Session> {
  const { context, config } = login;
  const version = Math.min(Number(config.apiVersion), 64).toFixed(1);
  const request = {
    method: 'POST',
    url: `${config.loginUrl.replace(/\/+$/, '')}/services/Soap/u/${version}`,
    headers: { 'content-type': 'text/xml; charset=utf-8', soapaction: '""' },
    body: `<?xml version="1.0" encoding="utf-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><login xmlns="urn:partner.soap.sforce.com"><username>${xml(username)}</username><password>${xml(password)}</password></login></soapenv:Body></soapenv:Envelope>`,
    about: `login to ${new URL(config.loginUrl).host}`,
    timeoutMs: 30_000,
  } as const;
  const { response, sentAtMs } = await exchange(context, request);
  const text = await readText(context, response, request);
  login.time.observe(response.headers.get('date'), sentAtMs);
  if (!response.ok) {
    const code = element(text, 'faultcode')?.replace(/^.*:/, '');
    if (code === undefined) throw refusal(response.status, undefined, request.about);
    // Salesforce puts the code before its own words as well.
    const words = (element(text, 'faultstring') ?? '').replace(`${code}: `, '');
    const fault = { error: code, error_description: words };
    throw refusal(response.status === 500 ? 400 : response.status, fault, request.about);
  }
  const server = element(text, 'serverUrl');
  return sessionOf(
    login,
    element(text, 'sessionId'),
    server !== undefined && URL.canParse(server) ? new URL(server).origin : undefined,
    element(text, 'organizationId'),
  );
}

function xml(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** The text of the first element of this name. The replies read here hold no CDATA and nest nothing inside these. */
function element(document: string, name: string): string | undefined {
  const found = new RegExp(`<(?:\\w+:)?${name}[^>]*>([^<]*)<`).exec(document)?.[1];
  return found
    ?.replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&');
}

async function cliLogin(username: string, login: LoginContext): Promise<Session> {
  let reply: { result?: { accessToken?: string; instanceUrl?: string; id?: string } };
  try {
    reply = JSON.parse(await login.runCli(['org', 'display', '--target-org', username, '--verbose', '--json']));
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new AccessDeniedError(missing ? 'the sf CLI is not installed' : `the sf CLI knows no login for ${username}`, {
      hint: missing ? 'Install it, or use another auth.flow' : `Run: sf org login web --alias ${username}`,
    });
  }
  return sessionOf(login, reply.result?.accessToken, reply.result?.instanceUrl, reply.result?.id);
}

export async function runSfCli(args: readonly string[]): Promise<string> {
  // Without a shell, so that a user name is an argument and nothing else. Its output is never shown: it holds the token.
  const { stdout } = await promisify(execFile)('sf', [...args], { timeout: 60_000, maxBuffer: 4 * 1024 * 1024 });
  return stdout;
}
