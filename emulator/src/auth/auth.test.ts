import { generateKeyPairSync } from 'node:crypto';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { startTestOrg, type TestOrg, testNow } from '../http/testing.ts';

const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
let org: TestOrg;
beforeAll(async () => {
  const jwtPublicKey = keys.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  org = await startTestOrg({ credentials: { jwtPublicKey } });
});
afterAll(() => org.emulator.close());

async function token(form: Record<string, string>, headers: Record<string, string> = {}) {
  const response = await fetch(`${org.emulator.url}/services/oauth2/token`, {
    method: 'POST',
    body: new URLSearchParams(form),
    headers,
  });
  return { status: response.status, json: (await response.json()) as Record<string, string> };
}
const client = () => {
  const { clientId, clientSecret } = org.emulator.credentials;
  return { client_id: clientId, client_secret: clientSecret };
};
const works = async (accessToken: string | undefined) =>
  (await org.call('GET', '/limits', { headers: { authorization: `Bearer ${accessToken}` } })).status === 200;

test(`client credentials ${evidence('documented', 'Salesforce Help, OAuth 2.0 Client Credentials Flow')}`, async () => {
  const { status, json } = await token({ grant_type: 'client_credentials', ...client() });
  expect(status).toBe(200);
  const { organizationId, instanceUrl } = org.emulator.credentials;
  expect(json).toEqual({
    access_token: expect.stringMatching(new RegExp(`^${organizationId.slice(0, 15)}!`)),
    signature: expect.any(String),
    scope: 'api',
    instance_url: instanceUrl,
    id: `${instanceUrl}/id/${organizationId}/${org.emulator.org.adminUserId}`,
    token_type: 'Bearer',
    issued_at: String(testNow),
  });
  expect(await works(json.access_token)).toBe(true);
});

test(`the client may sign in by HTTP Basic ${evidence('documented', 'Salesforce Help, OAuth 2.0 Client Credentials Flow')}`, async () => {
  const { client_id, client_secret } = client();
  const basic = Buffer.from(`${client_id}:${client_secret}`).toString('base64');
  expect((await token({ grant_type: 'client_credentials' }, { authorization: `Basic ${basic}` })).status).toBe(200);
});

test(`errors are an object ${evidence('documented', 'Salesforce Help, OAuth 2.0 error codes')}`, async () => {
  const wrong = { ...client(), client_secret: 'wrong' };
  const cases: [Record<string, string>, string, string][] = [
    [{ grant_type: 'client_credentials', ...wrong }, 'invalid_client', 'invalid client credentials'],
    [{ grant_type: 'client_credentials', ...client(), client_id: 'x' }, 'invalid_client_id', 'client identifier invalid'],
    [{ grant_type: 'password', ...client(), username: 'a', password: 'b' }, 'invalid_grant', 'authentication failure'],
    [{ grant_type: 'refresh_token', ...client(), refresh_token: 'x' }, 'invalid_grant', 'expired access/refresh token'],
    [{ grant_type: 'magic' }, 'unsupported_grant_type', 'grant type not supported'],
  ];
  for (const [form, error, error_description] of cases) {
    expect(await token(form)).toEqual({ status: 400, json: { error, error_description } });
  }
});

test(`password flow wants the password and the security token ${evidence('documented', 'Salesforce Help, OAuth 2.0 Username-Password Flow')}`, async () => {
  const { username, password, securityToken } = org.emulator.credentials;
  const sign = (given: string) => token({ grant_type: 'password', ...client(), username, password: given });
  expect((await sign(password + securityToken)).status).toBe(200);
  expect((await sign(password)).json.error).toBe('invalid_grant');
});

test(`a refresh token gives a new access token, and itself only when it rotates ${evidence('documented', 'Salesforce Help, OAuth 2.0 Refresh Token Flow')}`, async () => {
  const refresh = (refresh_token: string) => token({ grant_type: 'refresh_token', client_id: client().client_id, refresh_token });
  const { refreshToken } = org.emulator.credentials;
  const first = await refresh(refreshToken);
  expect(first.json.refresh_token).toBeUndefined();
  expect(await works(first.json.access_token)).toBe(true);

  await org.backdoor('POST', '/connected-app', { rotateRefreshTokens: true });
  const second = await refresh(refreshToken);
  expect(second.json.refresh_token).toBeTypeOf('string');
  expect((await refresh(refreshToken)).json.error).toBe('invalid_grant');
  expect((await refresh(second.json.refresh_token as string)).status).toBe(200);
  await org.backdoor('POST', '/connected-app', { rotateRefreshTokens: false });
});

test(`JWT bearer: who, for whom, and until when ${evidence('documented', 'Salesforce Help, OAuth 2.0 JWT Bearer Flow')}`, async () => {
  const { clientId, username } = org.emulator.credentials;
  const now = Math.floor(testNow / 1000);
  const good = { iss: clientId, sub: username, aud: 'https://login.salesforce.com', exp: now + 180 };
  const sign = async (claims: Record<string, unknown>, key = keys.privateKey) => {
    const assertion = await new SignJWT({ ...good, ...claims }).setProtectedHeader({ alg: 'RS256' }).sign(key);
    return token({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion });
  };
  expect(await works((await sign({})).json.access_token)).toBe(true);
  expect(await works((await sign({ aud: org.emulator.url })).json.access_token)).toBe(true);
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  expect((await sign({}, stranger)).json.error).toBe('invalid_grant');
  expect((await sign({ iss: 'x' })).json.error).toBe('invalid_client_id');
  expect((await sign({ sub: 'x' })).json).toEqual({
    error: 'invalid_grant',
    error_description: "user hasn't approved this consumer",
  });
  expect((await sign({ aud: 'https://example.com' })).json.error_description).toBe('audience is invalid');
  expect((await sign({ exp: now - 1 })).json.error).toBe('invalid_grant');
  expect((await sign({ exp: now + 3600 })).json.error).toBe('invalid_grant');
});

test(`a session ends after two hours without a request ${evidence('recorded', 'sessionSecondsValid 7200')}`, async () => {
  const { access_token } = (await token({ grant_type: 'client_credentials', ...client() })).json;
  const { clock } = org.emulator.org;
  clock.advance(7199_000);
  expect(await works(access_token)).toBe(true);
  clock.advance(7199_000);
  expect(await works(access_token)).toBe(true);
  clock.advance(7200_000);
  const late = await org.call('GET', '/limits', { headers: { authorization: `OAuth ${access_token}` } });
  expect(late).toMatchObject({ status: 401, json: [{ message: 'Session expired or invalid', errorCode: 'INVALID_SESSION_ID' }] });
});

test(`revoked tokens are dead ${evidence('documented', 'Salesforce Help, Revoke OAuth Tokens')}`, async () => {
  const sign = async () => (await token({ grant_type: 'client_credentials', ...client() })).json.access_token as string;
  const one = await sign();
  const revoke = () =>
    fetch(`${org.emulator.url}/services/oauth2/revoke`, { method: 'POST', body: new URLSearchParams({ token: one }) });
  expect((await revoke()).status).toBe(200);
  expect(await works(one)).toBe(false);
  expect((await revoke()).status).toBe(400);
  const two = await sign();
  expect((await org.backdoor('POST', '/sessions/revoke', {})).json.ended).toBeGreaterThan(0);
  expect(await works(two)).toBe(false);
});

test(`who am I: identity URL, userinfo, introspection ${evidence('documented', 'Salesforce Help, Identity URLs; OpenID Connect Token Introspection')}`, async () => {
  const reply = (await token({ grant_type: 'client_credentials', ...client() })).json;
  const headers = { authorization: `Bearer ${reply.access_token}` };
  const { organizationId, username } = org.emulator.credentials;
  const user_id = org.emulator.org.adminUserId;
  const get = async (url: string) => (await fetch(url, { headers })).json();
  expect(await get(`${reply.id}?format=json`)).toMatchObject({
    id: reply.id,
    user_id,
    organization_id: organizationId,
    username,
  });
  expect(await get(`${org.emulator.url}/services/oauth2/userinfo`)).toMatchObject({
    sub: reply.id,
    user_id,
    organization_id: organizationId,
    preferred_username: username,
  });
  const introspect = async (tokenToAsk: string) => {
    const body = new URLSearchParams({ ...client(), token: tokenToAsk, token_type_hint: 'access_token' });
    return (await fetch(`${org.emulator.url}/services/oauth2/introspect`, { method: 'POST', body })).json();
  };
  expect(await introspect(reply.access_token as string)).toMatchObject({ active: true, username });
  expect(await introspect('x')).toEqual({ active: false });
  const bad = await fetch(`${org.emulator.url}/services/oauth2/userinfo`, { headers: { authorization: 'Bearer x' } });
  expect([bad.status, await bad.text()]).toEqual([403, 'Bad_OAuth_Token']);
});

const soap = async (body: string, version = '50.0') => {
  const response = await fetch(`${org.emulator.url}/services/Soap/u/${version}`, {
    method: 'POST',
    headers: { 'content-type': 'text/xml', soapaction: '""' },
    body: `<?xml version="1.0"?><se:Envelope xmlns:se="http://schemas.xmlsoap.org/soap/envelope/"><se:Body>${body}</se:Body></se:Envelope>`,
  });
  return { status: response.status, text: await response.text() };
};

test(`SOAP login ${evidence('recorded', 'login result')}`, async () => {
  const { username, password, securityToken, organizationId } = org.emulator.credentials;
  const login = (secret: string) =>
    `<login xmlns="urn:partner.soap.sforce.com"><username>${username}</username><password>${secret}</password></login>`;
  const good = await soap(login(password + securityToken));
  expect(good.status).toBe(200);
  expect(good.text).toContain(`/services/Soap/u/50.0/${organizationId.slice(0, 15)}</serverUrl>`);
  expect(good.text).toContain('<sessionSecondsValid>7200</sessionSecondsValid>');
  expect(await works(/<sessionId>(.*?)<\/sessionId>/.exec(good.text)?.[1])).toBe(true);
  const bad = await soap(login('wrong'));
  expect(bad.status).toBe(500);
  expect(bad.text).toContain('<faultcode>sf:INVALID_LOGIN</faultcode>');
  expect((await soap(login(password + securityToken), '65.0')).status).toBe(500);
  expect((await soap('<getUserInfo/>')).text).toContain('<faultcode>sf:INVALID_SESSION_ID</faultcode>');
});

test('an XML bomb does not go off', async () => {
  const bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>';
  const response = await fetch(`${org.emulator.url}/services/Soap/u/50.0`, {
    method: 'POST',
    body: `${bomb}<x>&b;</x>`,
    headers: { 'content-type': 'text/xml' },
  });
  expect(response.status).toBe(500);
});
