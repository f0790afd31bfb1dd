import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startEmulator } from './start-emulator.ts';

const bin = fileURLToPath(new URL('../../bin/tidemark-emulator.js', import.meta.url));

function run(...args: string[]) {
  const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { out: '', err: '' };
  child.stdout.on('data', (chunk) => {
    output.out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.err += chunk;
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...output }));
  return { child, ended };
}

test.each(['SIGINT', 'SIGTERM'] as const)('prints one line of credentials that work, and stops cleanly on %s', async (signal) => {
  const { child, ended } = run('--port', '0', '--records', '50', '--seed', '3');
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const credentials = JSON.parse(String(line)) as Record<string, string>;
  expect(Object.keys(credentials)).toEqual([
    'instanceUrl',
    'loginUrl',
    'organizationId',
    'accessToken',
    'clientId',
    'clientSecret',
    'username',
    'password',
    'securityToken',
    'backdoorUrl',
    'pubsubEndpoint',
    'pubsubTlsEndpoint',
    'cometdUrl',
  ]);
  expect(credentials.instanceUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  const query = await fetch(`${credentials.instanceUrl}/services/data/v62.0/query?q=SELECT+COUNT()+FROM+Account`, {
    headers: { authorization: `Bearer ${credentials.accessToken}` },
  });
  expect(((await query.json()) as { totalSize: number }).totalSize).toBeGreaterThan(0);
  child.kill(signal);
  const { code, out, err } = await ended;
  expect({ code, err, lines: out.trim().split('\n').length }).toEqual({ code: 0, err: '', lines: 1 });
});

test('help, and wrong usage', async () => {
  expect(await run('--help').ended).toMatchObject({ code: 0, out: expect.stringContaining('--bulk-page-rows') });
  expect(await run('--port', '70000').ended).toMatchObject({
    code: 2,
    err: expect.stringContaining("--port must be a whole number up to 65535, not '70000'"),
  });
  expect(await run('--prot', '1').ended).toMatchObject({ code: 2, err: expect.stringContaining('--prot') });
  const missing = await run('--records', '0', '--source', '/nonexistent/folder').ended;
  expect(missing).toMatchObject({ code: 1, out: '', err: expect.stringContaining('could not start') });
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const taken = await run('--records', '0', '--no-pubsub', '--port', String((other.address() as AddressInfo).port)).ended;
  other.close();
  expect(taken).toMatchObject({ code: 1, out: '', err: expect.stringContaining('another --port') });
});

test('what else the org is to have is told by options', async () => {
  const { child, ended } = run(
    ...[
      '--records',
      '0',
      '--no-pubsub',
      '--change-events',
      'Account,Contact',
      '--change-events',
      'Lead',
      '--ingest-pace',
      'manual',
    ],
    ...['--user', 'reader@example.com=Read Only', '--redirect-uri', 'https://app.example/callback'],
  );
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const { instanceUrl, accessToken, backdoorUrl, clientId, users, ...others } = JSON.parse(String(line));
  expect(others).not.toHaveProperty('pubsubEndpoint');
  const get = async (url: string) => (await fetch(url)).json();
  expect(await get(`${backdoorUrl}/events`)).toMatchObject({ changeEvents: ['Account', 'Contact', 'Lead'] });
  expect(await get(`${backdoorUrl}/ingest`)).toMatchObject({ pace: 'manual' });
  const create = (token: string) =>
    fetch(`${instanceUrl}/services/data/v62.0/sobjects/Account`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: '{"Name":"x"}',
    });
  expect([(await create(accessToken)).status, (await create(users[0].accessToken)).status]).toEqual([201, 403]);
  const asked = new URLSearchParams({ response_type: 'code', client_id: clientId, redirect_uri: 'https://app.example/callback' });
  expect((await fetch(`${instanceUrl}/services/oauth2/authorize?${asked}`, { redirect: 'manual' })).status).toBe(302);
  child.kill('SIGTERM');
  expect((await ended).code).toBe(0);
  for (const wrong of [
    ['--ingest-pace', 'soon'],
    ['--user', 'nobody'],
  ]) {
    expect(await run(...wrong).ended).toMatchObject({ code: 2, err: expect.stringContaining(wrong[0] as string) });
  }
});

test('custom objects come from a source folder', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-source-'));
  const fields = join(folder, 'objects', 'Account', 'fields');
  mkdirSync(fields, { recursive: true });
  writeFileSync(
    join(fields, 'Tier__c.field-meta.xml'),
    '<?xml version="1.0" encoding="UTF-8"?><CustomField xmlns="http://soap.sforce.com/2006/04/metadata"><fullName>Tier__c</fullName>' +
      '<label>Tier</label><type>Text</type><length>20</length></CustomField>',
  );
  try {
    const emulator = await startEmulator({ source: folder, listen: false });
    const headers = { authorization: `Bearer ${emulator.credentials.accessToken}` };
    const describe = await emulator.fetch(`${emulator.url}/services/data/v62.0/sobjects/Account/describe`, { headers });
    const names = ((await describe.json()) as { fields: { name: string }[] }).fields.map((field) => field.name);
    expect(names).toContain('Tier__c');
    await emulator.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
