import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { PrivateCopy } from './private-copy.ts';
import type { Mutation, Outcome } from './simulation.ts';

/** What became of one mutation. */
export interface Caught {
  readonly mutation: string;
  readonly promise: string;
  /** Null: it went unnoticed. */
  readonly seed: number | null;
  /** What was noticed. */
  readonly as: string;
}

/** Breaks one safeguard after the other in a copy of the source, and runs seeds until one of them notices. */
export async function* runMutations(
  simulation: string,
  mutations: readonly Mutation[],
  range: { readonly from: number; readonly seeds: number; readonly workers: number },
): AsyncGenerator<Caught> {
  using copy = new PrivateCopy();
  // All of them before any: a run takes long, and what does not fit is to be known at once.
  for (const { edits } of mutations) copy.apply(edits)();
  for (const { name, promise, edits } of mutations) {
    const mend = copy.apply(edits);
    const { failures } = await runIn(copy.path, simulation, range);
    mend();
    const [first] = failures;
    yield { mutation: name, promise, seed: first?.seed ?? null, as: first?.failure[0] ?? '' };
  }
}

async function runIn(
  path: string,
  simulation: string,
  { from, seeds, workers }: { readonly from: number; readonly seeds: number; readonly workers: number },
): Promise<{ readonly failures: readonly Outcome[] }> {
  const args = [simulation, '--from', from, '--seeds', seeds, '--workers', workers, '--failures', 1, '--json'];
  const child = spawn(process.execPath, [join(path, 'sim/run.ts'), ...args.map(String)], { cwd: path });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  await new Promise((resolve, reject) => child.on('close', resolve).on('error', reject));
  try {
    return JSON.parse(out) as { failures: readonly Outcome[] };
  } catch {
    throw new Error(`the broken copy did not even run:\n${err}`);
  }
}
