import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { checkServerIdentity } from 'node:tls';
import { ConfigError, type ConnectorContext } from '@tidemark/core';
import type { PostgresConfig } from './config.ts';

/**
 * What the driver needs, from the url. The driver's own reading of `sslmode` is not used: without one it speaks plain text to
 * any host. Here a host that is not this machine gets `verify-full` unless the url says otherwise.
 */
export function driverConfig(config: PostgresConfig, context: Pick<ConnectorContext, 'connection' | 'baseDir'>): object {
  const url = parseUrl(config.url, context.connection);
  const host = url.searchParams.get('host') ?? decodeURIComponent(url.hostname.replace(/^\[|\]$/g, ''));
  return {
    host: host || 'localhost',
    port: Number(url.searchParams.get('port') ?? (url.port || 5432)),
    database: decodeURIComponent(url.pathname.slice(1)) || decodeURIComponent(url.username) || 'postgres',
    user: decodeURIComponent(url.username) || undefined,
    password: decodeURIComponent(url.password) || undefined,
    application_name: url.searchParams.get('application_name') ?? 'tidemark',
    ssl: tls(config, url, host, context),
    max: config.poolMax,
  };
}

function parseUrl(text: string, connection: string): URL {
  try {
    return new URL(text);
  } catch {
    // The text itself is not repeated: it holds the password.
    throw new ConfigError([
      {
        place: `connections.${connection}.url`,
        message: 'is no URL',
        hint: 'postgres://user:password@host:5432/database, with characters like @ : / in the password percent-encoded',
        severity: 'error',
      },
    ]);
  }
}

function tls(
  config: PostgresConfig,
  url: URL,
  host: string,
  context: Pick<ConnectorContext, 'connection' | 'baseDir'>,
): object | false {
  const local = host === '' || host === 'localhost' || host === '::1' || host.startsWith('127.') || host.startsWith('/');
  const file = config.ca ?? url.searchParams.get('sslrootcert') ?? undefined;
  const mode = url.searchParams.get('sslmode') ?? (local && file === undefined ? 'disable' : 'verify-full');
  const ca = file === undefined || file === 'system' ? {} : { ca: readCertificate(file, context) };
  switch (mode) {
    case 'disable':
      return false;
    case 'allow':
    case 'prefer':
      return local ? false : { rejectUnauthorized: false, ...ca };
    case 'require':
    case 'no-verify':
      // As in libpq: with an authority's certificate at hand, `require` checks it.
      return file === undefined ? { rejectUnauthorized: false } : { ...ca, checkServerIdentity: () => undefined };
    case 'verify-ca':
      return { ...ca, checkServerIdentity: () => undefined };
    case 'verify-full':
      return { ...ca, checkServerIdentity };
    default:
      throw new ConfigError([
        {
          place: `connections.${context.connection}.url`,
          message: `sslmode ${JSON.stringify(mode)} is unknown`,
          hint: 'disable, prefer, require, verify-ca or verify-full',
          severity: 'error',
        },
      ]);
  }
}

function readCertificate(file: string, context: Pick<ConnectorContext, 'connection' | 'baseDir'>): string {
  try {
    return readFileSync(resolve(context.baseDir, file), 'utf8');
  } catch (error) {
    throw new ConfigError([
      {
        place: `connections.${context.connection}.ca`,
        message: `the certificate ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`,
        severity: 'error',
      },
    ]);
  }
}
