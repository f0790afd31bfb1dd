import { performance } from 'node:perf_hooks';
import { commandOf, root, runNode } from './run-command.ts';

/** What has to be right before tests are worth running. All run side by side; each is also a command of its own. */
const checks = [
  { name: 'types', script: commandOf('typescript', 'tsc'), values: ['--noEmit', '-p', root] },
  {
    name: 'types of the dashboard',
    script: commandOf('typescript', 'tsc'),
    values: ['--noEmit', '-p', `${root}/apps/dashboard`],
  },
  { name: 'lint', script: commandOf('@biomejs/biome', 'biome'), values: ['ci', '--colors=off', root] },
  { name: 'floors', script: 'tools/check-floors.ts', values: [] },
  { name: 'generated', script: 'tools/generate.ts', values: ['--check'] },
];

const outcomes = await Promise.all(
  checks.map(async ({ name, script, values }) => {
    const began = performance.now();
    const outcome = await runNode(script, values);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    console.log(`${outcome.code === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
    return { name, ...outcome };
  }),
);

const failed = outcomes.filter(({ code }) => code !== 0);
for (const { name, output } of failed) console.error(`\n--- ${name} ---\n${output.trimEnd()}`);
if (failed.length > 0)
  console.error(`\n${failed.map(({ name }) => name).join(', ')}: not right. \`npm run format\` mends most of lint.`);
process.exitCode = failed.length > 0 ? 1 : 0;
