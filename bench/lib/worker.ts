import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { spawnNode } from './child.ts';

/** Whoever does not answer for so long is frozen, or as good as that. */
const ANSWER_MS = 5000;
const bin = fileURLToPath(new URL('../../apps/tidemark/bin/tidemark.js', import.meta.url));

/** `tidemark start`, as one of the workers that share a configuration. */
export class BenchWorker implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #url: string;

  /** @param env  what its configuration takes from the environment */
  static async start(config: string, env: NodeJS.ProcessEnv = {}): Promise<BenchWorker> {
    const args = [bin, 'start', '--config', config, '--port', '0'];
    const child = spawnNode(args, ['ignore', 'pipe'], { ...process.env, ...env });
    const said: string[] = [];
    for await (const line of createInterface({ input: child.stderr! })) {
      said.push(line);
      if (!line.includes('"answering HTTP"')) continue;
      child.stderr!.resume();
      return new BenchWorker(child, (JSON.parse(line) as { url: string }).url);
    }
    throw new Error(`the worker ended before it answered:\n${said.join('\n')}`);
  }

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.#url = url;
  }

  /** The units that it runs, and how many of the streams among them are live. */
  async share(): Promise<{ units: number; live: number }> {
    const metrics = await (await fetch(`${this.#url}/metrics`, { signal: AbortSignal.timeout(ANSWER_MS) })).text();
    return {
      units: [...metrics.matchAll(/^tidemark_unit_owned\{.*\} 1$/gm)].length,
      live: [...metrics.matchAll(/^tidemark_stream_state\{.*state="live".*\} 1$/gm)].length,
    };
  }

  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGTERM');
    await once(this.#child, 'exit');
  }
}
