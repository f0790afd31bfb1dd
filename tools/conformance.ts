/** Checks of the emulator that need more than a clone: a large download, recordings, an org. Never part of the tests. */
interface Check {
  readonly summary: string;
  /** Each module's `conform` takes the arguments behind the name, and answers the exit code. */
  readonly modules: readonly (() => Promise<{ conform(argv: readonly string[]): Promise<number> }>)[];
}

const checks: Readonly<Record<string, Check>> = {
  sf: {
    summary: 'the Salesforce CLI, installed on demand (half a gigabyte), runs against the emulator',
    modules: [() => import('../emulator/conformance/sf.ts')],
  },
  recorded: {
    summary: 'recordings of real orgs: the connector reads their events, the emulator answers as they did',
    // Apart, because the emulator knows nothing of the connector: neither can be wrong with the other.
    modules: [
      () => import('../connectors/salesforce/conformance/recorded.ts'),
      () => import('../emulator/conformance/recorded.ts'),
    ],
  },
};

const [name = '', ...argv] = process.argv.slice(2);
const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
if (check) {
  const codes: number[] = [];
  for (const load of check.modules) codes.push(await (await load()).conform(argv));
  process.exitCode = Math.max(...codes);
} else {
  console.log('npm run conformance -- <name> [options]\n');
  for (const [each, { summary }] of Object.entries(checks)) console.log(`  ${each.padEnd(10)} ${summary}`);
  process.exitCode = name === '--help' || name === '-h' ? 0 : 2;
}
