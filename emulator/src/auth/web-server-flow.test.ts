import { createHash, randomBytes } from 'node:crypto';
import jsforce from 'jsforce';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { startTestOrg, type TestOrg } from '../http/testing.ts';

// A code is worth a session to whoever holds it: it goes to the app's own address only, and is good once (P10).

const redirect_uri = 'http://localhost:1717/callback';
let org: TestOrg;
beforeAll(async () => {
  org = await startTestOrg({ credentials: { redirectUris: ['https://app.example/callback'] } });
});
afterAll(() => org.emulator.close());

const challengeOf = (verifier: string) => createHash('sha256').update(verifier).digest('base64url');

async function ask(more: Record<string, string> = {}) {
  const { clientId } = org.emulator.credentials;
  const query = new URLSearchParams({ response_type: 'code', client_id: clientId, redirect_uri, ...more });
  const reply = await fetch(`${org.emulator.url}/services/oauth2/authorize?${query}`, { redirect: 'manual' });
  const location = reply.headers.get('location');
  const answer = Object.fromEntries(location === null ? [] : new URL(location).searchParams);
  return { status: reply.status, location, answer, text: await reply.text() };
}

async function exchange(code: string | undefined, more: Record<string, string> = {}, withSecret = true) {
  const { clientId, clientSecret } = org.emulator.credentials;
  const secret: Record<string, string> = withSecret ? { client_secret: clientSecret } : {};
  const form = { grant_type: 'authorization_code', code: code ?? '', client_id: clientId, redirect_uri, ...secret, ...more };
  const reply = await fetch(`${org.emulator.url}/services/oauth2/token`, { method: 'POST', body: new URLSearchParams(form) });
  return { status: reply.status, json: (await reply.json()) as Record<string, string> };
}

test(`a code for tokens, once ${evidence('documented', 'Salesforce Help, OAuth 2.0 Web Server Flow for Web App Integration')}`, async () => {
  const { status, location, answer } = await ask({ state: 'a b&c', scope: 'api  refresh_token' });
  expect([status, answer.state]).toEqual([302, 'a b&c']);
  expect(location?.startsWith(`${redirect_uri}?`)).toBe(true);
  const { json } = await exchange(answer.code);
  expect(json).toMatchObject({ token_type: 'Bearer', scope: 'api refresh_token', refresh_token: expect.any(String) });
  expect((await org.call('GET', '/limits', { headers: { authorization: `Bearer ${json.access_token}` } })).status).toBe(200);
  expect(await exchange(answer.code)).toEqual({
    status: 400,
    json: { error: 'invalid_grant', error_description: 'invalid authorization code' },
  });
  const brief = await exchange((await ask({ scope: 'api' })).answer.code);
  expect([brief.status, brief.json.refresh_token]).toEqual([200, undefined]);
});

test(`with PKCE the verifier must be the challenge's ${evidence('documented', 'Salesforce Help, OAuth 2.0 Web Server Flow, code_verifier')}`, async () => {
  const code_verifier = randomBytes(64).toString('base64url');
  const code_challenge = challengeOf(code_verifier);
  // jsforce names no method.
  for (const method of [{}, { code_challenge_method: 'S256' }]) {
    const granted = async () => (await ask({ code_challenge, ...(method as Record<string, string>) })).answer.code;
    expect((await exchange(await granted(), { code_verifier }, false)).status).toBe(200);
    expect((await exchange(await granted(), { code_verifier: `${code_verifier}x` })).json.error_description).toBe(
      'invalid code verifier',
    );
    expect((await exchange(await granted())).json.error).toBe('invalid_grant');
  }
  expect((await exchange((await ask()).answer.code, { code_verifier })).json.error).toBe('invalid_grant');
  expect((await exchange((await ask()).answer.code, {}, false)).json.error).toBe('invalid_client');
  expect((await ask({ code_challenge: 'short' })).answer.error).toBe('invalid_request');
  expect((await ask({ code_challenge, code_challenge_method: 'plain' })).answer.error).toBe('invalid_request');
});

test(`codes go to this machine and to the app's own addresses only ${evidence('documented', 'Salesforce Help, OAuth 2.0 Authorization Errors, redirect_uri_mismatch')}`, async () => {
  expect((await ask({ redirect_uri: 'https://app.example/callback' })).status).toBe(302);
  const wrong = [
    'https://evil.example/',
    'https://localhost.evil.example/',
    'http://127.0.0.1@evil.example/',
    'javascript://localhost/%0aalert(1)',
    'http://localhost/#fragment',
    'https://app.example/callback/more',
    '',
  ];
  for (const uri of wrong) {
    const { status, location, text } = await ask({ redirect_uri: uri });
    expect([status, location, text], uri).toEqual([400, null, expect.stringContaining('redirect_uri_mismatch')]);
  }
  expect((await ask({ client_id: 'x' })).text).toContain('invalid_client_id');
  const { code } = (await ask()).answer;
  expect((await exchange(code, { redirect_uri: 'http://localhost:1718/callback' })).json.error).toBe('redirect_uri_mismatch');
});

test(`a code ends after 15 minutes, and is its own app's ${evidence('documented', 'Salesforce Help, OAuth 2.0 Web Server Flow, code')}`, async () => {
  const other = org.emulator.users.add({ username: 'other@example.com' });
  const stolen = (await ask()).answer.code;
  expect((await exchange(stolen, { client_id: other.clientId, client_secret: other.clientSecret })).json.error).toBe(
    'invalid_grant',
  );
  const late = (await ask()).answer.code;
  org.emulator.org.clock.advance(15 * 60_000);
  expect((await exchange(late)).json.error_description).toBe('expired authorization code');
  expect((await ask({ response_type: 'token', state: 's' })).answer).toMatchObject({
    error: 'unsupported_response_type',
    state: 's',
  });
});

test(`the user may be named ${evidence('documented', 'Salesforce Help, OAuth 2.0 Web Server Flow, login_hint')}`, async () => {
  const { userId } = org.emulator.users.add({ username: 'hint@example.com' });
  const { json } = await exchange((await ask({ login_hint: 'hint@example.com' })).answer.code);
  expect(json.id?.endsWith(userId)).toBe(true);
  expect((await ask({ login_hint: 'nobody@example.com' })).answer.error).toBe('access_denied');
});

test('jsforce signs in so', async () => {
  const { loginUrl, clientId } = org.emulator.credentials;
  const oauth2 = new jsforce.OAuth2({ loginUrl, clientId, redirectUri: redirect_uri, useVerifier: true });
  const reply = await fetch(oauth2.getAuthorizationUrl({ scope: 'api refresh_token' }), { redirect: 'manual' });
  const code = new URL(reply.headers.get('location') as string).searchParams.get('code') as string;
  const connection = new jsforce.Connection({ oauth2 });
  const { id } = await connection.authorize(code);
  expect(id).toBe(org.emulator.org.adminUserId);
  const { accessToken, refreshToken } = connection;
  expect((await connection.query('SELECT COUNT() FROM Account')).totalSize).toBe(0);
  // A refresh token takes the sessions that came from it along.
  await oauth2.revokeToken(refreshToken as string);
  const after = await org.call('GET', '/limits', { headers: { authorization: `Bearer ${accessToken}` } });
  expect(after.status).toBe(401);
});
