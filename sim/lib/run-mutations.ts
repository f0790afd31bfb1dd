import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { commandOf } from '../../tools/run-command.ts';
import { PrivateCopy } from './private-copy.ts';
import type { Mutation, Outcome } from './simulation.ts';

export interface Seeds {
  readonly from: number;
  readonly seeds: number;
  readonly workers: number;
}

type Test = NonNullable<Mutation['test']>;

/** What became of one mutation. */
export interface Caught {
  readonly mutation: string;
  readonly promise: string;
  /** A seed, or a test; null: it went unnoticed. */
  readonly by: string | null;
  /** What was noticed. */
  readonly as: string;
}

/** Breaks one safeguard after the other in a copy of the source, and runs seeds until one of them notices, or the test that is named. */
export async function* runMutations(simulation: string, mutations: readonly Mutation[], range: Seeds): AsyncGenerator<Caught> {
  using copy = new PrivateCopy();
  // All of them before any: a run takes long, and what does not fit is to be known at once.
  for (const { edits } of mutations) copy.apply(edits)();
  for (const { name, promise, edits, test } of mutations) {
    if (test !== undefined && !(await passes(copy.path, test)))
      throw new Error(`${test.file} fails with nothing broken: ${test.name}`);
    const mend = copy.apply(edits);
    const found = test === undefined ? await seedOf(copy.path, simulation, range) : await failureOf(copy.path, test);
    mend();
    yield { mutation: name, promise, by: found?.by ?? null, as: found?.as ?? '' };
  }
}

type Found = Pick<Caught, 'by' | 'as'> | null;

async function seedOf(path: string, simulation: string, range: Seeds): Promise<Found> {
  const [first] = (await runIn(path, simulation, range)).failures;
  return first === undefined ? null : { by: `${first.seed}`, as: first.failure[0]! };
}

async function failureOf(path: string, test: Test): Promise<Found> {
  return (await passes(path, test)) ? null : { by: test.file, as: `fails: ${test.name}` };
}

async function passes(path: string, { file, name }: Test): Promise<boolean> {
  const pattern = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return (await run(path, commandOf('vitest', 'vitest'), ['run', file, '-t', pattern])).code === 0;
}

async function runIn(
  path: string,
  simulation: string,
  { from, seeds, workers }: Seeds,
): Promise<{ readonly failures: readonly Outcome[] }> {
  const args = [simulation, '--from', from, '--seeds', seeds, '--workers', workers, '--failures', 1, '--json'];
  const { out, err } = await run(path, join(path, 'sim/run.ts'), args.map(String));
  try {
    return JSON.parse(out) as { failures: readonly Outcome[] };
  } catch {
    throw new Error(`the broken copy did not even run:\n${err}`);
  }
}

async function run(path: string, script: string, args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(process.execPath, [script, ...args], { cwd: path });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const code = await new Promise<number>((resolve, reject) => {
    child.on('close', (ended) => resolve(ended ?? 1)).on('error', reject);
  });
  return { code, out, err };
}
