import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Emulator, startEmulator } from '../src/index.ts';
import { installSf, sfVersion } from './install-sf.ts';
import { type SfStep, sfSteps } from './sf-steps.ts';

const usage = `npm run conformance -- sf [--only <word>] [--verbose]

Runs the Salesforce CLI ${sfVersion} against an emulator of its own and checks what it prints. Whatever it asks of the
emulator that is not answered with 2xx is listed; what is not known to be so in a real org as well is a failure.
`;

/** Answers other than 2xx that a real org gives too. */
const known: readonly { url: RegExp; status: number; why: string }[] = [
  {
    url: /\/query\?q=SELECT%20Id%20FROM%20ScratchOrgInfo/,
    status: 400,
    why: 'INVALID_TYPE: this is how sf finds out that an org is no Dev Hub',
  },
];

/** Runs each command in its turn, in a home folder of its own. */
export async function conform(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: { only: { type: 'string' }, verbose: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const entry = await installSf();
  const home = mkdtempSync(join(tmpdir(), 'tidemark-sf-'));
  const emulator = await startEmulator({ records: 500, seed: 7, pubsub: false });
  const cli: Cli = { entry, home, emulator };
  let failures = 0;
  try {
    mkdirSync(join(home, 'project'));
    console.log(`@salesforce/cli ${sfVersion}, Node ${process.versions.node}, emulator at ${emulator.url}\n`);
    for (const step of sfSteps) {
      // Everything needs the sign-in.
      if (values.only !== undefined && !step.name.includes(values.only) && !step.name.startsWith('org login')) continue;
      const problems = await runStep(cli, step, values.verbose === true);
      failures += problems.length;
    }
    failures += listUnanswered(emulator);
  } finally {
    await emulator.close();
    rmSync(home, { recursive: true, force: true });
  }
  console.log(failures === 0 ? '\nAll as expected.' : `\n${failures} not as expected.`);
  return failures === 0 ? 0 : 1;
}

interface Cli {
  entry: string;
  home: string;
  emulator: Emulator;
}

async function runStep(cli: Cli, step: SfStep, verbose: boolean): Promise<string[]> {
  const { home, emulator } = cli;
  const project = join(home, 'project');
  for (const [name, text] of Object.entries(step.files ?? {})) writeFileSync(join(project, name), text);
  const asked = emulator.requests.entries().length;
  const startedAt = performance.now();
  const run = await runSf(cli, step.args(emulator));
  const ms = Math.round(performance.now() - startedAt);
  const problems: string[] = [];
  if (run.code !== (step.exitCode ?? 0)) problems.push(`it ended with ${run.code}`);
  try {
    step.check(JSON.parse(run.out), { emulator, read: (name) => readFileSync(join(project, name), 'utf8') });
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  const requests = emulator.requests.entries().length - asked;
  console.log(
    `${problems.length === 0 ? 'ok  ' : 'FAIL'} ${step.name.padEnd(34)} ${String(ms).padStart(5)} ms ${String(requests).padStart(3)} requests`,
  );
  for (const problem of problems) console.log(`     ${problem}`);
  if (verbose || problems.length > 0) console.log(`${indented(run.out)}\n${indented(run.err)}`);
  return problems;
}

const indented = (text: string) => text.trim().slice(0, 4000).replaceAll(/^/gm, '     | ');

async function runSf({ entry, home, emulator }: Cli, args: readonly string[]) {
  const child = spawn(process.execPath, ['--no-deprecation', entry, ...args, '--json'], {
    cwd: join(home, 'project'),
    stdio: ['ignore', 'pipe', 'pipe'],
    // Nothing of the user's own: neither their orgs nor their settings. The token is in no command line.
    env: {
      PATH: process.env.PATH,
      HOME: home,
      USERPROFILE: home,
      SF_ACCESS_TOKEN: emulator.credentials.accessToken,
      SF_USE_GENERIC_UNIX_KEYCHAIN: 'true',
      SF_DISABLE_TELEMETRY: 'true',
      SF_DISABLE_AUTOUPDATE: 'true',
      SF_AUTOUPDATE_DISABLE: 'true',
      SF_SKIP_NEW_VERSION_CHECK: 'true',
      SF_DISABLE_LOG_FILE: 'true',
    },
  });
  const output = { out: '', err: '' };
  child.stdout.on('data', (chunk) => {
    output.out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.err += chunk;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}

/** @returns how many answers nobody expected. */
function listUnanswered({ requests }: Emulator): number {
  const others = requests.entries().filter(({ status }) => status < 200 || status > 299);
  const unexpected = others.filter((entry) => reason(entry) === undefined);
  console.log(`\n${requests.entries().length} requests, ${others.length} not answered with 2xx:`);
  for (const entry of others) {
    console.log(`  ${entry.status} ${entry.method} ${decodeURIComponent(entry.url)}`);
    console.log(`      ${reason(entry) ?? 'NOT EXPECTED'}`);
  }
  return unexpected.length;
}

function reason({ url, status }: { url: string; status: number }): string | undefined {
  const answer = known.find((each) => each.url.test(url) && each.status === status);
  return answer?.why ?? sfSteps.find((step) => step.refused?.url.test(url) && step.refused.status === status)?.refused?.why;
}
