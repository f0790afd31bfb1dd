import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { checkServerIdentity } from 'node:tls';
import { ConfigError } from './errors.ts';

export interface PostgresUrlOptions {
  /** What an error names: the connection, say, whose `url` and `ca` are read. */
  readonly place: string;
  /** Told to the server, unless the url says otherwise. */
  readonly application: string;
  /** File with the certificate of the authority that signed the server's. */
  readonly ca?: string | undefined;
  /** Where files are looked for. */
  readonly baseDir: string;
}

/**
 * What the driver needs, from the url. The driver's own reading of `sslmode` is not used: without one it speaks plain text to
 * any host. Here a host that is not this machine gets `verify-full` unless the url says otherwise.
 *
 * @throws {ConfigError} the url is none. What it holds is not repeated.
 */
export function postgresSettings(text: string, options: PostgresUrlOptions) {
  const url = parseUrl(text, options);
  const host = url.searchParams.get('host') ?? decodeURIComponent(url.hostname.replace(/^\[|\]$/g, ''));
  return {
    host: host || 'localhost',
    port: Number(url.searchParams.get('port') ?? (url.port || 5432)),
    database: decodeURIComponent(url.pathname.slice(1)) || decodeURIComponent(url.username) || 'postgres',
    user: decodeURIComponent(url.username) || undefined,
    password: decodeURIComponent(url.password) || undefined,
    application_name: url.searchParams.get('application_name') ?? options.application,
    ssl: tls(url, host, options),
  };
}

function parseUrl(text: string, { place }: PostgresUrlOptions): URL {
  try {
    return new URL(text);
  } catch {
    // The text itself is not repeated: it holds the password.
    throw refused(
      `${place}.url`,
      'is no URL',
      'postgres://user:password@host:5432/database, with characters like @ : / in the password percent-encoded',
    );
  }
}

function tls(url: URL, host: string, options: PostgresUrlOptions): object | false {
  const local = host === '' || host === 'localhost' || host === '::1' || host.startsWith('127.') || host.startsWith('/');
  const file = options.ca ?? url.searchParams.get('sslrootcert') ?? undefined;
  const mode = url.searchParams.get('sslmode') ?? (local && file === undefined ? 'disable' : 'verify-full');
  const ca = file === undefined || file === 'system' ? {} : { ca: readCertificate(file, options) };
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
      throw refused(
        `${options.place}.url`,
        `sslmode ${JSON.stringify(mode)} is unknown`,
        'disable, prefer, require, verify-ca or verify-full',
      );
  }
}

function readCertificate(file: string, { place, ca, baseDir }: PostgresUrlOptions): string {
  try {
    return readFileSync(resolve(baseDir, file), 'utf8');
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException;
    throw refused(`${place}.${ca === undefined ? 'url' : 'ca'}`, `the certificate ${file} cannot be read (${code})`);
  }
}

function refused(place: string, message: string, hint?: string): ConfigError {
  return new ConfigError([{ place, message, hint, severity: 'error' }]);
}
