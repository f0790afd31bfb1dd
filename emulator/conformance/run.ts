/** Checks of the emulator that need more than a clone: a large download, recordings, an org. Never part of the tests. */
interface Check {
  readonly summary: string;
  /** The module's `conform` takes the arguments behind the name, and answers the exit code. */
  load(): Promise<{ conform(argv: readonly string[]): Promise<number> }>;
}

const checks: Readonly<Record<string, Check>> = {
  sf: {
    summary: 'the Salesforce CLI, installed on demand (half a gigabyte), runs against the emulator',
    load: () => import('./sf.ts'),
  },
};

const [name = '', ...argv] = process.argv.slice(2);
const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
if (check) {
  const { conform } = await check.load();
  process.exitCode = await conform(argv);
} else {
  console.log('npm run conformance -- <name> [options]\n');
  for (const [each, { summary }] of Object.entries(checks)) console.log(`  ${each.padEnd(10)} ${summary}`);
  process.exitCode = name === '--help' || name === '-h' ? 0 : 2;
}
