import { text as readAll } from 'node:stream/consumers';
import { type OrgOverrides, parseDuration, registerSecret } from '@tidemark/core';
import { Command, InvalidArgumentError } from 'commander';
import { answer, type Cli, type CommonOptions, command, type Session, withSession } from '../cli.ts';
import { PORT } from '../port.ts';
import { formatTime } from '../table.ts';
import { UsageError } from '../usage-error.ts';
import { orgListCommand } from './org-list.ts';

/** Where a token for `org add` may stand, beside standard input: never among the arguments, which everybody on the machine can read. */
const TOKEN_VARIABLE = 'TIDEMARK_REFRESH_TOKEN';
const INVITED_MS = 7 * 86_400_000;

export function orgCommand(cli: Cli): Command {
  return new Command('org')
    .description('the orgs that a connection with orgs: true stands for: who is connected, and who may come')
    .addCommand(orgListCommand(cli), { isDefault: true })
    .addCommand(inviteCommand(cli))
    .addCommand(addCommand(cli))
    .addCommand(setCommand(cli))
    .addCommand(pauseCommand(cli, 'pause', 'stop the syncs of an org; a running start notices within seconds', true))
    .addCommand(pauseCommand(cli, 'resume', 'let the syncs of an org run again, from where they stopped', false))
    .addCommand(removeCommand(cli));
}

/** A command about one org. */
function ofOrg(cli: Cli, name: string, summary: string, examples: readonly string[]): Command {
  return command(cli, name, summary, examples)
    .argument('<connection>', 'the connection that stands for many orgs')
    .argument('<org>', 'the name of the org, as you call that customer');
}

const loginUrlOption = [
  '--login-url <url>',
  'where its users sign in, when not where the connection says (a sandbox, a My Domain)',
] as const;

function inviteCommand(cli: Cli): Command {
  return ofOrg(cli, 'invite', 'print the link by which somebody of an org connects it', [
    'tidemark org invite customers acme',
    'tidemark org invite customers acme --expires 2d --login-url https://test.salesforce.com',
  ])
    .option('--expires <duration>', 'how long the link can be used', parseStretch, INVITED_MS)
    .option('--url <url>', 'where `tidemark start` is reached; default: as redirectUrl of the connection, or this machine')
    .option(...loginUrlOption)
    .action(
      async (connection: string, name: string, options: CommonOptions & { expires: number; url?: string; loginUrl?: string }) => {
        const invitation = await withSession(cli, options, async ({ engine, config }) => {
          const redirectUrl = engine.orgs.signIn(connection, null).redirectUrl;
          const port = typeof config.http.port === 'number' ? config.http.port : PORT;
          const baseUrl = options.url ?? redirectUrl?.replace(/\/connect\/.*$/, '') ?? `http://127.0.0.1:${port}`;
          return engine.orgs.invite({ connection, name }, { baseUrl, ttlMs: options.expires, loginUrl: loginUrlOf(options) });
        });
        answer(cli, options, { connection, org: name, ...invitation }, () => {
          return `${invitation.url}\n\nWhoever opens it before ${formatTime(invitation.expiresAtMs)} can connect an org as ${name}.\n`;
        });
      },
    );
}

function addCommand(cli: Cli): Command {
  return ofOrg(cli, 'add', 'connect an org by a refresh token that you have already', [
    'tidemark org add customers acme < token.txt',
    `${TOKEN_VARIABLE}=… tidemark org add customers acme`,
  ])
    .option(...loginUrlOption)
    .action(async (connection: string, name: string, options: CommonOptions & { loginUrl?: string }) => {
      const credential = await readToken(cli);
      const added = await withSession(cli, options, ({ engine, signals }) =>
        engine.orgs.add({ connection, name }, { credential, loginUrl: loginUrlOf(options) }, signals.stop),
      );
      const { orgId, url } = added;
      answer(cli, options, { connection, org: name, orgId, url }, () => `${name} is connected: ${orgId} at ${url}\n`);
    });
}

function setCommand(cli: Cli): Command {
  return ofOrg(cli, 'set', 'set something for one org alone; `default` unsets it', [
    'tidemark org set customers acme --every 5m --budget 20%',
    'tidemark org set customers acme --pause-sync invoices',
    'tidemark org set customers acme --every default',
  ])
    .option('--every <duration>', 'how often its syncs run')
    .option('--budget <calls>', 'most API calls of ours within 24 hours: a number, or a share such as 20%')
    .option('--pause-sync <names...>', 'syncs that do not run for it')
    .option('--resume-sync <names...>', 'of those, some that run again')
    .action(async (connection: string, name: string, options: CommonOptions & SetOptions) => {
      const overrides = await withSession(cli, options, (session) => set(session, { connection, name }, options));
      answer(cli, options, { connection, org: name, overrides }, () => {
        return Object.keys(overrides).length === 0
          ? `nothing is set for ${name} alone\n`
          : `${name}: ${JSON.stringify(overrides)}\n`;
      });
    });
}

interface SetOptions {
  readonly every?: string;
  readonly budget?: string;
  readonly pauseSync?: readonly string[];
  readonly resumeSync?: readonly string[];
}

async function set({ engine }: Session, ref: { connection: string; name: string }, options: SetOptions): Promise<OrgOverrides> {
  const { every, budget, pauseSync = [], resumeSync = [] } = options;
  if (every === undefined && budget === undefined && pauseSync.length + resumeSync.length === 0) {
    throw new UsageError('there is nothing to set', { hint: 'see tidemark org set --help' });
  }
  const known = (await engine.orgs.list({ connection: ref.connection })).find(({ name }) => name === ref.name);
  const paused = [...new Set([...(known?.overrides.paused ?? []), ...pauseSync])].filter((name) => !resumeSync.includes(name));
  const share = budget !== undefined && /^\d+$/.test(budget) ? Number(budget) : budget;
  return engine.orgs.set(ref, {
    ...(every !== undefined && { every: every === 'default' ? null : every }),
    ...(share !== undefined && { budget: share === 'default' ? null : { share } }),
    ...(pauseSync.length + resumeSync.length > 0 && { paused: paused.length === 0 ? null : paused }),
  });
}

function pauseCommand(cli: Cli, name: string, summary: string, paused: boolean): Command {
  return ofOrg(cli, name, summary, [`tidemark org ${name} customers acme`]).action(
    async (connection: string, org: string, options: CommonOptions) => {
      await withSession(cli, options, ({ engine }) => engine.orgs.setPaused({ connection, name: org }, paused));
      answer(cli, options, { connection, org, paused }, () => `${org} is ${paused ? 'paused' : 'no longer paused'}\n`);
    },
  );
}

function removeCommand(cli: Cli): Command {
  return ofOrg(cli, 'remove', 'let an org go: its token is given back and forgotten, what it has brought stays', [
    'tidemark org remove customers acme',
  ]).action(async (connection: string, name: string, options: CommonOptions) => {
    const { revoked } = await withSession(cli, options, ({ engine, signals }) =>
      engine.orgs.remove({ connection, name }, signals.stop),
    );
    answer(cli, options, { connection, org: name, removed: true, revoked }, () => {
      return `${name} is removed${revoked ? '' : '; the org could not be told, and still lists the token'}\n`;
    });
  });
}

async function readToken(cli: Cli): Promise<string> {
  const given = cli.env[TOKEN_VARIABLE] ?? (process.stdin.isTTY ? '' : await readAll(process.stdin));
  const token = given.trim();
  if (token === '' || /\s/.test(token)) {
    throw new UsageError(token === '' ? 'there is no token' : 'what was given is no token', {
      hint: `give the refresh token on standard input or in ${TOKEN_VARIABLE}; as an argument everybody on this machine could read it`,
    });
  }
  registerSecret(token);
  return token;
}

function loginUrlOf({ loginUrl }: { readonly loginUrl?: string }): string | null {
  if (loginUrl === undefined) return null;
  const url = URL.canParse(loginUrl) ? new URL(loginUrl) : null;
  const isLocal = url !== null && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url !== null && (url.protocol === 'https:' || (url.protocol === 'http:' && isLocal))) return url.origin;
  throw new UsageError('--login-url takes an address that begins with https://', {
    hint: 'e.g. https://test.salesforce.com for a sandbox; http only for an emulator on this machine',
  });
}

function parseStretch(value: string): number {
  const ms = parseDuration(value);
  if (ms !== null && ms >= 60_000) return ms;
  throw new InvalidArgumentError('Write a duration of a minute or more, such as 12h or 7d.');
}
