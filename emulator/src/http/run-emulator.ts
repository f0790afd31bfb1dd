import { parseArgs } from 'node:util';
import type { NewUser } from '../access/users.ts';
import { ingestPaces } from '../bulk/ingest-types.ts';
import { limitSizes } from '../limits/org-limits.ts';
import { type EmulatorCredentials, type EmulatorOptions, startEmulator } from './start-emulator.ts';

const help = `A Salesforce org on your machine.

Usage: tidemark-emulator [options]

  --port <n>             port to listen on; 0 takes a free one (default 0)
  --pubsub-port <n>      port of the Pub/Sub API (gRPC); 0 takes a free one (default 0)
  --pubsub-tls-port <n>  the same with TLS
  --no-pubsub            without the Pub/Sub API
  --host <name>          address to listen on (default 127.0.0.1)
  --public-url <url>     how clients reach it, when that is not http://host:port
  --records <n>          demo records to fill the org with (default 20000; 0 leaves it empty)
  --fill <object>=<n>    also n demo records of this object; may be repeated
  --seed <n>             ids and demo data follow from it (default 1)
  --source <folder>      an sfdx source folder whose objects, events, permission sets, rules and flows the org gets
  --change-events <objects>  whose changes the event bus tells (Change Data Capture): Account,Contact; may be repeated
  --user <name>=<profile>    a further user: reader@example.com="Read Only"; may be repeated
  --redirect-uri <url>   where the web server flow may send its codes, beside this machine; may be repeated
  --path <file>          an SQLite file that keeps the org (default: in memory)
  --limit <name>=<n>     what the org may use, by its name in /limits: DailyApiRequests=1000; may be repeated
  --bulk-page-rows <n>   rows of a Bulk result page when the client names no maxRecords (default 100000)
  --ingest-pace <pace>   who moves Bulk ingest jobs on: background (default), immediate, poll or manual
  --ingest-delay <ms>    how long such a job waits for its turn (default 0)
  --help                 this text

Once it listens it prints one line of JSON: instanceUrl, loginUrl, organizationId, accessToken, clientId,
clientSecret, username, password, securityToken, backdoorUrl, pubsubEndpoint, pubsubTlsEndpoint, cometdUrl; and
users, if --user was given. It stops on SIGINT or SIGTERM.
`;

const flags = {
  port: { type: 'string' },
  'pubsub-port': { type: 'string' },
  'pubsub-tls-port': { type: 'string' },
  host: { type: 'string' },
  'public-url': { type: 'string' },
  records: { type: 'string' },
  fill: { type: 'string', multiple: true },
  seed: { type: 'string' },
  source: { type: 'string' },
  'no-pubsub': { type: 'boolean' },
  'change-events': { type: 'string', multiple: true },
  user: { type: 'string', multiple: true },
  'redirect-uri': { type: 'string', multiple: true },
  'ingest-pace': { type: 'string' },
  'ingest-delay': { type: 'string' },
  path: { type: 'string' },
  limit: { type: 'string', multiple: true },
  'bulk-page-rows': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** What is printed, in this order. A refresh token is not among it: the backdoor grants one. */
const printed = [
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
] as const satisfies readonly (keyof EmulatorCredentials)[];

/**
 * Runs an emulator until it is told to stop.
 *
 * @param argv  Arguments without node and script.
 * @returns     the exit code: 0 stopped, 1 it could not start, 2 wrong usage.
 */
export async function runEmulator(argv: readonly string[]): Promise<number> {
  let options: EmulatorOptions | 'help';
  try {
    options = readOptions(argv);
  } catch (error) {
    process.stderr.write(`${message(error)}\nTry --help.\n`);
    return 2;
  }
  if (options === 'help') {
    process.stdout.write(help);
    return 0;
  }
  // Listened for from the beginning: a stop during the start is a stop too.
  const stopped = stopSignal();
  try {
    const emulator = await startEmulator(options);
    const { credentials, sourceNotes, userCredentials: users } = emulator;
    for (const note of sourceNotes) process.stderr.write(`${note}\n`);
    const line = Object.fromEntries(printed.map((name) => [name, credentials[name]]));
    process.stdout.write(`${JSON.stringify(users.length > 0 ? { ...line, users } : line)}\n`);
    await stopped;
    await emulator.close();
    return 0;
  } catch (error) {
    const isTaken = (error as NodeJS.ErrnoException | null)?.code === 'EADDRINUSE';
    const hint = isTaken ? '\nIs another one running? End it, or take another --port (0 takes a free one).' : '';
    process.stderr.write(`The emulator could not start: ${message(error)}${hint}\n`);
    return 1;
  }
}

const message = (error: unknown) => (error instanceof Error ? error.message : String(error));

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}

function readOptions(argv: readonly string[]): EmulatorOptions | 'help' {
  const { values } = parseArgs({ args: [...argv], options: flags, strict: true, allowPositionals: false });
  if (values.help) return 'help';
  const count = (name: keyof typeof flags, max = Number.MAX_SAFE_INTEGER): number | undefined => {
    const text = values[name];
    if (text === undefined) return undefined;
    if (typeof text !== 'string' || !/^\d+$/.test(text) || Number(text) > max) {
      throw new Error(`--${name} must be a whole number${max < 1e6 ? ` up to ${max}` : ''}, not '${text}'`);
    }
    return Number(text);
  };
  const options: Record<string, unknown> = {
    host: values.host,
    port: count('port', 65535),
    pubsub: values['no-pubsub']
      ? false
      : { port: count('pubsub-port', 65535) ?? 0, tlsPort: count('pubsub-tls-port', 65535) ?? 0 },
    publicUrl: values['public-url'],
    records: count('records') ?? 20_000,
    fill: values.fill && Object.fromEntries(values.fill.map(readFill)),
    seed: count('seed'),
    source: values.source,
    changeEvents: values['change-events']?.flatMap((names) => names.split(',')).filter((name) => name !== ''),
    users: values.user?.map(readUser),
    credentials: values['redirect-uri'] && { redirectUris: values['redirect-uri'] },
    ingest: readIngest(values['ingest-pace'], count('ingest-delay')),
    path: values.path,
    limits: values.limit && Object.fromEntries(values.limit.map(readLimit)),
    bulkPageRows: count('bulk-page-rows'),
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as EmulatorOptions;
}

function readIngest(pace: string | undefined, delayMs: number | undefined): EmulatorOptions['ingest'] {
  const known = ingestPaces.find((name) => name === pace);
  if (pace !== undefined && !known) throw new Error(`--ingest-pace must be one of ${ingestPaces.join(', ')}, not '${pace}'`);
  return { ...(known === undefined ? {} : { pace: known }), ...(delayMs === undefined ? {} : { delayMs }) };
}

/** Without a profile the user has that of most people in an org. */
function readUser(text: string): NewUser {
  const [, username, profile] = /^([^=]+@[^=]+?)(?:=(.+))?$/.exec(text) ?? [];
  if (username === undefined) {
    throw new Error(`--user must be a username and maybe a profile, as in reader@example.com="Read Only", not '${text}'`);
  }
  return profile === undefined ? { username } : { username, profile };
}

function readLimit(text: string): [string, number] {
  const [, name, count] = /^(\w+)=(\d+)$/.exec(text) ?? [];
  if (name === undefined || !Object.hasOwn(limitSizes, name)) {
    throw new Error(
      `--limit must be one of ${Object.keys(limitSizes).join(', ')} and a number, as in DailyApiRequests=1000, not '${text}'`,
    );
  }
  return [name, Number(count)];
}

function readFill(text: string): [string, number] {
  const [, object, count] = /^(\w+)=(\d+)$/.exec(text) ?? [];
  if (object === undefined) throw new Error(`--fill must be an object and a number, as in Contact=1000, not '${text}'`);
  return [object, Number(count)];
}
