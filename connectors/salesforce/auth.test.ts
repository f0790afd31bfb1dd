import { generateKeyPairSync } from 'node:crypto';
import { AccessDeniedError, type SyncError } from '@tidemark/core';
import { evidence } from '@tidemark/emulator';
import { describe, expect, test } from 'vitest';
import { createAuthenticator } from './auth.ts';
import { config } from './config.ts';
import { signal, testContext, testOrg } from './fixture.ts';
import { type LoginContext, logIn } from './login-flows.ts';
import { createOrgTime } from './org-clock.ts';

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;

function login(loginUrl: string, auth: object, over: Partial<LoginContext> = {}): LoginContext {
  const context = over.context ?? testContext();
  return {
    config: config.parse({ loginUrl, auth }),
    context,
    time: createOrgTime(context.clock),
    refreshToken: undefined,
    runCli: async () => '',
    ...over,
  };
}

describe(`every way to log in ${evidence('documented', 'Salesforce Help, OAuth 2.0 flows; SOAP API Developer Guide, login()')}`, () => {
  test('opens a session of the same org', async () => {
    const jwtPublicKey = publicKey.export({ type: 'spki', format: 'pem' }) as string;
    await using org = await testOrg({ credentials: { jwtPublicKey } });
    const {
      clientId,
      clientSecret,
      username,
      password,
      securityToken,
      refreshToken,
      loginUrl,
      organizationId,
      accessToken,
      instanceUrl,
    } = org.emulator.credentials;
    const cli = async (args: readonly string[]) => {
      expect(args).toEqual(['org', 'display', '--target-org', 'me@example.com', '--verbose', '--json']);
      return JSON.stringify({ status: 0, result: { accessToken, instanceUrl, id: organizationId } });
    };
    const flows = [
      { flow: 'client-credentials', clientId, clientSecret },
      { flow: 'password', username, password, securityToken, clientId, clientSecret },
      { flow: 'password', username, password, securityToken },
      { flow: 'jwt', clientId, username, privateKey: pem },
      { flow: 'refresh-token', clientId, clientSecret, refreshToken },
      { flow: 'sf-cli', username: 'me@example.com' },
    ];
    for (const auth of flows) {
      const session = await logIn(login(loginUrl, auth, { runCli: cli }));
      expect(session.organizationId, auth.flow).toBe(organizationId);
      const reply = await fetch(`${session.instanceUrl}/services/data/v62.0/limits`, {
        headers: { authorization: `Bearer ${session.accessToken}` },
      });
      expect(reply.status, auth.flow).toBe(200);
    }
  });

  test("an assertion dated by a wrong clock is dated anew by the org's", async () => {
    const jwtPublicKey = publicKey.export({ type: 'spki', format: 'pem' }) as string;
    await using org = await testOrg({ credentials: { jwtPublicKey } });
    const { clientId, username, loginUrl } = org.emulator.credentials;
    const context = testContext();
    const wrong = { ...context, clock: { ...context.clock, now: () => Date.now() - 3_600_000 } };
    const authenticator = createAuthenticator(
      login(loginUrl, { flow: 'jwt', clientId, username, privateKey: pem }, { context: wrong, time: createOrgTime(wrong.clock) }),
    );
    expect((await authenticator.session()).accessToken).not.toBe('');
  });

  test('a refusal names the reason and never the secret (P10)', async () => {
    await using org = await testOrg();
    const { clientId, username, loginUrl } = org.emulator.credentials;
    const canary = 'canary-93721-secret';
    const flows = [
      { flow: 'client-credentials', clientId, clientSecret: canary },
      { flow: 'password', username, password: canary, securityToken: canary },
      { flow: 'password', username, password: canary, clientId, clientSecret: canary },
      { flow: 'refresh-token', clientId, refreshToken: canary },
      { flow: 'jwt', clientId, username, privateKey: `-----BEGIN ${canary}` },
    ];
    for (const auth of flows) {
      const error: unknown = await logIn(login(loginUrl, auth)).catch((caught: unknown) => caught);
      expect(error, auth.flow).toBeInstanceOf(AccessDeniedError);
      const told = [
        String(error),
        (error as SyncError).hint,
        (error as Error).stack,
        JSON.stringify(error),
        String((error as Error).cause),
      ];
      expect(told.join('\n')).not.toContain(canary);
      expect((error as SyncError).hint, auth.flow).toBeTruthy();
    }
  });

  test("a token is taken to no host that is not Salesforce's", async () => {
    const answer = (instance_url: string) => async () =>
      Response.json({
        access_token: '00D000000000001!x',
        instance_url,
        id: 'https://login.salesforce.com/id/00D000000000001EAA/005000000000001AAA',
      });
    const auth = { flow: 'client-credentials', clientId: 'a', clientSecret: 'b' };
    for (const instance of ['https://evil.example', 'http://acme.my.salesforce.com', 'https://salesforce.com.evil.example']) {
      const attempt = logIn(
        login('https://login.salesforce.com', auth, { context: testContext({ fetch: answer(instance) as typeof fetch }) }),
      );
      await expect(attempt).rejects.toThrow(AccessDeniedError);
    }
    const fine = logIn(
      login('https://login.salesforce.com', auth, {
        context: testContext({ fetch: answer('https://acme.my.salesforce.com') as typeof fetch }),
      }),
    );
    expect((await fine).instanceUrl).toBe('https://acme.my.salesforce.com');
  });

  test('plain http is for this machine only', () => {
    const auth = { flow: 'sf-cli', username: 'x' };
    expect(config.safeParse({ loginUrl: 'http://acme.my.salesforce.com', auth }).success).toBe(false);
    expect(config.safeParse({ loginUrl: 'ftp://localhost', auth }).success).toBe(false);
    expect(config.safeParse({ loginUrl: 'http://localhost:4601', auth }).success).toBe(true);
    expect(config.safeParse({ auth: { flow: 'sf-cli', username: '--json' } }).success).toBe(false);
  });
});

describe(`sessions ${evidence('documented', 'REST API Developer Guide, Status Codes and Error Responses: 401')}`, () => {
  test('a rotated refresh token replaces the configured one, and says so', async () => {
    const sent: (string | null)[] = [];
    const warnings: string[] = [];
    const rotating = async (_: unknown, init?: RequestInit) => {
      sent.push(new URLSearchParams(String(init?.body)).get('refresh_token'));
      return Response.json({
        access_token: `00D000000000001!${sent.length}`,
        instance_url: 'https://acme.my.salesforce.com',
        id: 'https://login.salesforce.com/id/00D000000000001EAA/x',
        refresh_token: `rotated-${sent.length}`,
      });
    };
    const context = testContext({
      fetch: rotating as typeof fetch,
      log: { debug() {}, info() {}, error() {}, warn: (_, message) => void warnings.push(message) },
    });
    const authenticator = createAuthenticator(
      login('https://login.salesforce.com', { flow: 'refresh-token', clientId: 'c', refreshToken: 'configured' }, { context }),
    );
    const first = await authenticator.session();
    await authenticator.renew(first);
    expect(sent).toEqual(['configured', 'rotated-1']);
    expect(warnings[0]).toContain('rotates');
    expect(warnings.join()).not.toContain('rotated-1');
  });

  test('many who find the session ended log in once between them', async () => {
    let logins = 0;
    const counting = async () => {
      logins++;
      return Response.json({
        access_token: `00D000000000001!${logins}`,
        instance_url: 'https://a.my.salesforce.com',
        id: 'https://x/id/00D000000000001EAA/x',
      });
    };
    const auth = { flow: 'client-credentials', clientId: 'a', clientSecret: 'b' };
    const authenticator = createAuthenticator(
      login('https://a.my.salesforce.com', auth, { context: testContext({ fetch: counting as typeof fetch }) }),
    );
    const sessions = await Promise.all(Array.from({ length: 10 }, () => authenticator.session()));
    expect(logins).toBe(1);
    const renewed = await Promise.all(sessions.map((session) => authenticator.renew(session)));
    expect(logins).toBe(2);
    expect(new Set(renewed.map((session) => session.accessToken)).size).toBe(1);
    // Somebody who is late with the old session gets the new one and causes no login.
    await authenticator.renew(sessions[0]!);
    expect(logins).toBe(2);
  });

  test('a session that ends in the middle is renewed and the request repeated', async () => {
    await using org = await testOrg({ records: 50 });
    const source = await org.open({ from: { object: 'Contact' } });
    org.emulator.faults.add({ kind: 'unauthorized', match: { times: 1 }, params: { revoke: true } });
    expect(await source.estimate(signal)).toBeGreaterThan(0);
  });

  test('a refusal that no login mends is not answered with logins for ever', async () => {
    await using org = await testOrg({ records: 5 });
    const source = await org.open({ from: { object: 'Contact' } });
    org.emulator.faults.add({ kind: 'unauthorized', params: { message: 'This session is not valid for use with the REST API' } });
    org.emulator.requests.reset();
    await expect(source.estimate(signal)).rejects.toThrow(AccessDeniedError);
    expect(org.emulator.requests.totals().requests).toBe(1);
  });
});
