import { type ChildProcess, type IOType, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const END_WITH_PARENT = new URL('./end-with-parent.ts', import.meta.url).href;

/** Linux takes 128 KB in one argument. */
const ARGUMENT_MAX = 100_000;

/** Runs a script of this folder in a process of its own and answers the JSON that it prints last: memory is then its own. */
export async function run<T>(script: string, input: unknown): Promise<T> {
  const child = start(script, input);
  let out = '';
  child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
    out += chunk;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${script} ended with ${code}: ${out}`);
  return JSON.parse(out.trim().split('\n').at(-1)!) as T;
}

/** Starts a script that goes on running; the caller ends it. */
export function start(script: string, input: unknown): ChildProcess {
  return spawnNode([fileOf(script), argumentOf(input)], ['pipe', 'inherit']);
}

/**
 * A process of Node's that ends when this one is gone, also when this one was killed.
 *
 * @param stdio  from stdout on: stdin tells it that we are there
 */
export function spawnNode(
  args: readonly string[],
  stdio: readonly (IOType | 'ipc')[],
  env: NodeJS.ProcessEnv = process.env,
): ChildProcess {
  return spawn(process.execPath, ['--import', END_WITH_PARENT, ...args], { stdio: ['pipe', ...stdio], env });
}

/** A script of this folder. */
export function fileOf(script: string): string {
  return fileURLToPath(new URL(script, import.meta.url));
}

/** The first line of JSON that a long-running script prints. */
export async function firstLine<T>(child: ChildProcess): Promise<T> {
  let out = '';
  for await (const chunk of child.stdout!.setEncoding('utf8')) {
    out += chunk;
    const end = out.indexOf('\n');
    if (end >= 0) return JSON.parse(out.slice(0, end)) as T;
  }
  throw new Error(`the process ended before it said anything: ${out}`);
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'close');
}

/** An argument of a script: in a file, where one argument does not hold it. */
export function argumentOf(input: unknown): string {
  const text = JSON.stringify(input);
  if (text.length < ARGUMENT_MAX) return text;
  const file = join(mkdtempSync(join(tmpdir(), 'tidemark-bench-')), 'input.json');
  writeFileSync(file, text);
  return file;
}

/** What a script was given. */
export function input<T>(): T {
  const given = process.argv[2]!;
  if (!given.endsWith('input.json')) return JSON.parse(given) as T;
  const text = readFileSync(given, 'utf8');
  rmSync(dirname(given), { recursive: true });
  return JSON.parse(text) as T;
}

export function output(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
