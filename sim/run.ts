import { parseArgs } from 'node:util';
import { runMutations } from './lib/run-mutations.ts';
import { type RunSeedsOptions, runSeeds } from './lib/run-seeds.ts';
import type { Outcome } from './lib/simulation.ts';
import { simulations } from './lib/simulations.ts';

const usage = `npm run sim -- <name> [--seeds 100] [--from 0] [--workers 1] [--target sqlite] [--history 200] [--json]
npm run sim -- <name> --mutations [--only <text>] [--seeds 2000]

  --seeds <n>      worlds to run
  --from <seed>    the first of them; --from 7 --seeds 1 replays seed 7 exactly
  --workers <n>    processes to spread them over
  --target <name>  sqlite (exact), or postgres (the end alone is the same from run to run)
  --history <n>    also show the last n lines of what happened in a world that failed
  --failures <n>   end after so many worlds that went wrong (5)
  --mutations      break every safeguard in turn, in a copy of the source, and show which seed catches it
  --only <text>    of the mutations, those whose name holds this
  --json           one JSON document

Simulations:
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string' },
    from: { type: 'string', default: '0' },
    workers: { type: 'string', default: '1' },
    target: { type: 'string', default: 'sqlite' },
    history: { type: 'string', default: '0' },
    failures: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    mutations: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const name = positionals[0] ?? '';
if (values.help || !Object.hasOwn(simulations, name)) {
  const names = Object.entries(simulations).map(([known, { summary }]) => `  ${known.padEnd(10)} ${summary}\n`);
  process.stdout.write(usage + names.join(''));
  process.exit(values.help ? 0 : 2);
}
const show = (text: string) => void process.stderr.write(`${text}\n`);

const range = {
  from: count('from', values.from, 0),
  seeds: count('seeds', values.seeds ?? (values.mutations ? '2000' : '100'), 1),
  workers: count('workers', values.workers, 1),
};
if (!['sqlite', 'postgres'].includes(values.target)) {
  show(`--target takes sqlite or postgres, not ${values.target}`);
  process.exit(2);
}
process.exitCode = values.mutations ? await breakAll() : await runAll();

async function breakAll(): Promise<number> {
  const { mutations } = await simulations[name]!.load();
  const chosen = mutations.filter((mutation) => mutation.name.includes(values.only));
  const table = [];
  for await (const caught of runMutations(name, chosen, range)) {
    table.push(caught);
    const { mutation, promise, by, as } = caught;
    if (!values.json)
      console.log(`| ${mutation} | ${promise} | ${by ?? 'not caught'} | ${as.replaceAll('|', '/').slice(0, 120)} |`);
  }
  if (values.json) console.log(JSON.stringify(table, null, 2));
  const missed = table.filter(({ by }) => by === null).length;
  show(`${table.length - missed} of ${table.length} mutations were caught within ${range.seeds} seeds`);
  return missed > 0 ? 1 : 0;
}

async function runAll(): Promise<number> {
  const options: RunSeedsOptions = {
    workers: range.workers,
    failuresMax: count('failures', values.failures, 1),
    linesMax: count('history', values.history, 0),
    target: values.target,
    ...(process.stderr.isTTY ? { onWorld: ({ seed }: Outcome) => void process.stderr.write(`\rseed ${seed} `) } : {}),
  };
  const run = await runSeeds(name, range, options);
  const perSecond = run.worlds / run.seconds;
  if (values.json) {
    console.log(JSON.stringify({ simulation: name, ...run, worldsPerSecond: perSecond }, null, 2));
    return run.failures.length > 0 ? 1 : 0;
  }
  if (process.stderr.isTTY) process.stderr.write('\r');
  for (const failure of run.failures) explain(failure);
  const sums = Object.entries(run.counts).map(([what, sum]) => `${sum} ${what}`);
  show(`${run.worlds} worlds in ${run.seconds.toFixed(1)} s (${perSecond.toFixed(1)} worlds/s): ${sums.join(', ')}`);
  show(run.failures.length === 0 ? 'all of them ended equal' : `${run.failures.length} of them went wrong`);
  return run.failures.length > 0 ? 1 : 0;
}

/** The seed, what differs, and how to see it again. */
function explain({ seed, failure, lines, hash }: Outcome): void {
  show(`seed ${seed}: ${failure.slice(0, 4).join('\n  ')}${failure.length > 4 ? `\n  and ${failure.length - 4} more` : ''}`);
  const target = values.target === 'sqlite' ? '' : ` --target ${values.target}`;
  show(`  replay: npm run sim -- ${name} --from ${seed} --seeds 1${target} --history 200   (history ${hash})`);
  if (lines.length > 0) show(lines.map((line) => `    ${line}`).join('\n'));
}

function count(option: string, text: string, min: number): number {
  const value = Number(text.replaceAll('_', ''));
  if (Number.isInteger(value) && value >= min) return value;
  show(`--${option} takes a whole number from ${min} on, not ${text}`);
  process.exit(2);
}
