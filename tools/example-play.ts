import { join } from 'node:path';
import { Example, type Running } from '../examples/command-line.ts';
import { listening, type World } from '../examples/world.ts';
import type { Guide } from './example-guide.ts';

interface PlayOptions {
  readonly folder: string;
  readonly guide: Guide;
  readonly world: World;
  /** Ends when all has been seen, instead of when somebody says so. */
  readonly once: boolean;
}

/** Types what the README tells, and then lets happen what is to be seen. @throws what did not go as told */
export async function playExample({ folder, guide, world, once }: PlayOptions): Promise<void> {
  using example = new Example(join(folder, 'tidemark.yaml'), (kept) => withAll(guide.variables, world.env(kept)), show);
  let running: Running | null = null;
  let url: string | null = null;
  const stop = () => running?.interrupt();
  // A terminal tells the child too; it ends by itself, and then we do.
  process.on('SIGINT', stop);
  try {
    for (const command of guide.commands) {
      say(`\n$ npx tidemark ${command.join(' ')}\n`);
      if (command[0] === 'start') {
        // The usual port may be taken.
        running = example.start([...command, '--port', '0']);
        url = await listening(running, world.stream);
        continue;
      }
      const { exitCode } = await example.run(command);
      if (exitCode !== 0) throw new Error(`tidemark ${command.join(' ')} ended with exit code ${exitCode}`);
    }
    for (const scene of world.scenes) {
      say(`\n* ${scene.says}\n`);
      say(`* ${await scene.play({ example, running, url })}\n`);
    }
    if (running === null) return;
    if (once) running.interrupt();
    else say('\nThat was all; it goes on. Ctrl-C ends it.\n');
    const { exitCode } = await running.ended;
    if (exitCode !== 0) throw new Error(`tidemark start ended with exit code ${exitCode}`);
  } finally {
    stop();
    await (running as Running | null)?.ended;
    process.off('SIGINT', stop);
  }
}

function withAll(wanted: readonly string[], env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const unset = wanted.filter((name) => env[name] === undefined);
  if (unset.length > 0) throw new Error(`the README tells to set ${unset.join(', ')}, which this world does not know`);
  return env;
}

function say(text: string): void {
  process.stdout.write(text);
}

let last = '';

/** Logs are for machines when nobody reads them on a terminal; here somebody does, for whom a line that repeats says nothing. */
function show(text: string, stream: 'out' | 'err'): void {
  if (stream === 'out') return void say(text);
  for (const line of text.split('\n').filter(Boolean)) {
    const shown = line.startsWith('{') ? logLine(line) : line;
    if (shown !== last) say(`${shown}\n`);
    last = shown;
  }
}

function logLine(line: string): string {
  try {
    const { msg, sync, level, message } = JSON.parse(line) as { [key: string]: string | undefined };
    const about = [level === 'info' ? undefined : level, sync, msg, message];
    return `  ${about.filter((part) => part !== undefined).join(': ')}`;
  } catch {
    // A part of a line.
    return line;
  }
}
