import { chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AccessDeniedError, openStore } from '@tidemark/core';
import { type RunningPostgres, startPostgres } from '@tidemark/testkit';
import pg from 'pg';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { postgresConfig } from './config.ts';
import { driverConfig } from './connect.ts';
import { openPool, query, transaction } from './driver.ts';
import { context } from './fixture.ts';

// What is sent to a database over a network is as private as what it holds, and a certificate that nobody checks protects from
// nobody: a server speaks TLS, and each `sslmode` does what it says.                                                   (P10)

let folder: string;
let server: RunningPostgres;
/** The server's own certificate, for the name `localhost`; it is its own authority. */
let ca: string;
/** Somebody else's. */
let strange: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-tls-'));
  const own = await certificate('localhost');
  ca = write('ca.pem', own.cert);
  strange = write('strange.pem', (await certificate('localhost')).cert);
  server = await startPostgres();
  await using client = await session(server.url);
  const { rows } = await client.query('SHOW data_directory');
  const data: string = rows[0].data_directory;
  // The server refuses a key that others may read, or that is another user's.
  const { uid, gid } = statSync(data);
  for (const [name, text] of Object.entries({ 'server.crt': own.cert, 'server.key': own.private })) {
    writeFileSync(join(data, name), text, { mode: 0o600 });
    chownSync(join(data, name), uid, gid);
  }
  await client.query('ALTER SYSTEM SET ssl = on');
  await client.query('SELECT pg_reload_conf()');
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function session(connectionString: string) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

async function certificate(name: string) {
  return generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: name }] },
    ],
  });
}

function write(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

/** Whether the connector's session is encrypted; the error where there is none. */
async function encrypted(host: string, sslmode: string | null, file?: string): Promise<unknown> {
  const url = new URL(server.url);
  url.hostname = host;
  if (sslmode !== null) url.searchParams.set('sslmode', sslmode);
  const config = postgresConfig.parse({ url: url.href, ...(file === undefined ? {} : { ca: file }) });
  const pool = openPool(driverConfig(config, context));
  try {
    return await transaction(pool, { readOnly: true }, async (client) => {
      const { rows } = await query(client, 'SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
      return rows[0];
    });
  } catch (error) {
    return error;
  } finally {
    await pool.end();
  }
}

describe('a server with TLS', () => {
  test.each([
    ['require', 'localhost', null],
    ['require', '127.0.0.1', null],
    ['verify-ca', '127.0.0.1', 'ca'],
    ['verify-full', 'localhost', 'ca'],
    [null, 'localhost', 'ca'],
  ] as const)('sslmode %s to %s with the authority %s: encrypted', async (mode, host, file) => {
    expect(await encrypted(host, mode, file === null ? undefined : ca)).toEqual(['true']);
  });

  test('without sslmode a server of this machine is spoken to as it is', async () => {
    expect(await encrypted('localhost', null)).toEqual(['false']);
  });

  test.each([
    ['verify-full', '127.0.0.1', 'own', 'is for another host name'],
    ['verify-full', 'localhost', null, 'Give the certificate'],
    ['verify-full', 'localhost', 'strange', 'Give the certificate'],
    ['require', 'localhost', 'strange', 'Give the certificate'],
  ] as const)(
    'sslmode %s to %s with the authority %s refuses a certificate that does not fit',
    async (mode, host, file, hint) => {
      const error = await encrypted(host, mode, file === null ? undefined : file === 'own' ? ca : strange);
      expect(error).toBeInstanceOf(AccessDeniedError);
      expect((error as AccessDeniedError).hint).toContain(hint);
    },
  );

  test('the state store is spoken to by the same rules', async () => {
    const url = new URL(server.url);
    url.hostname = 'localhost';
    url.search = `sslmode=verify-full&sslrootcert=${encodeURIComponent(ca)}`;
    const store = await openStore(url.href);
    await using client = await session(server.url);
    const { rows } = await client.query(
      `SELECT bool_and(ssl) AS ssl, count(*) > 0 AS some FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
       WHERE application_name = 'tidemark store'`,
    );
    await store[Symbol.asyncDispose]();
    expect(rows).toEqual([{ ssl: true, some: true }]);
    url.search = `sslmode=verify-full&sslrootcert=${encodeURIComponent(strange)}`;
    await expect(openStore(url.href)).rejects.toMatchObject({
      code: 'access_denied',
      hint: expect.stringContaining('sslrootcert'),
    });
  });
});
